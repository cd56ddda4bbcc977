// What goes into a block's graph beside the hidden state.
import { linear } from '../graph/ops/linear';
import { slice } from '../graph/ops/movement';
import type { Shape, Value } from '../graph/value';
import type { ModelConfig } from './config';
import { type AdapterUse, adaptedLinear } from './lora';
import type { WeightWidth } from '../protocol/recipes';
import { beside, type PieceValue, rowPieces } from './rowPieces';
import { weightValue, widthOfWeight } from './storage';
import { blockWeights } from './weights';

/** A batch of sequences: B sequences of T tokens, laid out as rows [B*T, ...]. */
export interface BatchShape {
  readonly batch: number;
  readonly tokens: number;
}

/** A block's weights as inputs of a graph, made when first asked for. */
export interface BlockWeightInputs {
  get(suffix: string): Value;
  has(suffix: string): boolean;
  /** x through the linear layer `name`, with its bias where the family has one, and its adapter where it has one. */
  project(name: string, x: Value): Value;
}

export const noAdapters: AdapterUse = { layers: new Map(), dropout: false };

export function blockWeightInputs(
  config: ModelConfig,
  block: number,
  { layers, dropout }: AdapterUse = noAdapters,
): BlockWeightInputs {
  const shapes = new Map(blockWeights(config).map(({ suffix, shape }) => [suffix, shape]));
  const made = new Map<string, Value>();
  const has = (suffix: string) => shapes.has(suffix);
  const shapeOf = (suffix: string) => {
    const shape = shapes.get(suffix);
    if (!shape) throw new Error(`a block of ${config.family} has no weight ${suffix}`);
    return shape;
  };
  const held = (suffix: string, input: string, shape: Shape) => {
    const value = made.get(input) ?? weightValue(blockWeightWidth(config, block, suffix, shape), input, shape);
    made.set(input, value);
    return value;
  };
  const get = (suffix: string) => held(suffix, suffix, shapeOf(suffix));
  const piecesOf = (suffix: string): PieceValue[] => {
    const shape = shapeOf(suffix);
    return rowPieces(config, suffix, shape).map(({ input, first, end }) => ({
      first,
      end,
      value: held(suffix, input, [end - first, shape[1]!]),
    }));
  };
  const project = (name: string, x: Value) => {
    const pieces = piecesOf(`${name}.weight`);
    const bias = has(`${name}.bias`) ? get(`${name}.bias`) : undefined;
    const adapter = layers.get(name);
    if (adapter) return adaptedLinear(name, x, pieces, bias, adapter, dropout);
    return beside(pieces, ({ value, first, end }) => linear(x, value, bias && slice(bias, 0, first, end)));
  };
  return { get, has, project };
}

/** How the device holds a weight of a block. */
export function blockWeightWidth(config: ModelConfig, block: number, suffix: string, shape: Shape): WeightWidth {
  if (config.blocks[block]!.float32Weights?.includes(suffix)) return 'f32';
  return widthOfWeight(config.storage?.blocks ?? 'f32', shape);
}
