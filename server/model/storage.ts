// In how many bits the device holds a model's matrices while it computes with them in float32. Vectors (norms and biases) are
// float32 always.
import { toFloat } from '../graph/ops/elementwise';
import { dequantised } from '../graph/ops/stored';
import { bytesPerElement, type Dtype, input, type Shape, size, type Value } from '../graph/value';
import type { WeightsOption, WeightWidth } from '../protocol/recipes';
import type { ModelConfig, WeightStorage } from './config';

/** What a recipe asks for, once `auto` has become a width (plan/chosenWeights.ts). */
export function chosenWidth(weights: WeightsOption): WeightWidth {
  if (weights === 'auto') throw new Error('No width was chosen for `auto`');
  return weights;
}

/** A config whose matrices a device holds so. */
export const configHeldAs = (config: ModelConfig, width: WeightWidth): ModelConfig =>
  width === 'f32' ? config : { ...config, storage: storageOf(width) };

/** The same config with its matrices in float32. */
export function inFloat32({ storage: _, ...config }: ModelConfig): ModelConfig {
  return config;
}

/** The head decides on every token: it has 8 bits at the least. */
const storageOf = (width: WeightWidth): WeightStorage => ({ blocks: width, head: width === 'int4' ? 'int8' : width });

/** `blockSize` numbers share a scale. Blocks of 32 numbers of 4 bits cost half as many nats again (docs/measurements.md). */
const layouts = { int8: { bits: 8, blockSize: 32 }, int4: { bits: 4, blockSize: 16 } } as const;

/** The width of one weight under the width of its model's matrices. */
export const widthOfWeight = (width: WeightWidth, shape: Shape): WeightWidth => (shape.length === 2 ? width : 'f32');

/** How a matrix [O, nIn] is quantised; `nBlocks` of all rows together. */
export function quantisation(width: 'int8' | 'int4', [nOut, nIn]: Shape) {
  const layout = layouts[width];
  return { ...layout, nIn: nIn!, nBlocks: nOut! * Math.ceil(nIn! / layout.blockSize) };
}

/** A tensor that is fed for a weight. */
export interface StoredPart {
  readonly input: string;
  readonly shape: Shape;
  readonly dtype: Dtype;
}

/** What is fed for the weight `name`: the weight itself, or its numbers and their scales. */
export function storedParts(width: WeightWidth, name: string, shape: Shape): readonly StoredPart[] {
  if (width === 'f32') return [{ input: name, shape, dtype: 'float32' }];
  if (width === 'f16') return [{ input: name, shape, dtype: 'float16' }];
  const [nOut, nIn] = shape as [number, number];
  const { bits, blockSize } = layouts[width];
  const nBlocks = Math.ceil(nIn / blockSize);
  return [
    { input: name, shape: [nOut, nBlocks, (blockSize * bits) / 8], dtype: 'uint8' },
    { input: `${name}.scales`, shape: [nOut, nBlocks], dtype: 'float32' },
  ];
}

const partBytes = ({ shape, dtype }: Pick<StoredPart, 'shape' | 'dtype'>): number =>
  size(shape) * bytesPerElement[dtype];

/** Bytes of a weight as it is held. */
export const storedBytes = (width: WeightWidth, shape: Shape): number =>
  storedParts(width, '', shape).reduce((sum, part) => sum + partBytes(part), 0);

/** The weight in float32, made of what is fed for it. */
export function weightValue(width: WeightWidth, name: string, shape: Shape): Value {
  const [first, scales] = storedParts(width, name, shape).map((part) => input(part.input, part.shape, part.dtype));
  if (width === 'f32') return first!;
  if (width === 'f16') return toFloat(first!);
  return dequantised(first!, scales!, { ...layouts[width], nIn: shape[1]! });
}
