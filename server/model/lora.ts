// Low-rank adapters in a block's graph: y = W x + scaling B A x (LoRA, arXiv:2106.09685), as PEFT lays the matrices out.
import { mul, scale } from '../graph/ops/elementwise';
import { linear } from '../graph/ops/linear';
import { input, type Value } from '../graph/value';

/** What the graph has to know of one adapted layer. */
export interface LayerAdapter {
  readonly rank: number; // R
  readonly scaling: number;
}

/** Those of one block, by the layer's name within it, such as `self_attn.q_proj`. */
export type BlockAdapters = ReadonlyMap<string, LayerAdapter>;

export interface AdapterUse {
  readonly layers: BlockAdapters;
  /** Each adapter's input is multiplied by a mask that is fed: zero where it is dropped, else 1 / (1 - rate). */
  readonly dropout: boolean;
}

/** Inputs of the graph: A [R, in], B [out, R], and the mask [rows, in]. */
export const matrixA = (layer: string) => `${layer}.lora_A`;
export const matrixB = (layer: string) => `${layer}.lora_B`;
export const maskOf = (layer: string) => `${layer}.keep`;

/** What the adapter of a layer [out, in] adds for x [rows, in]: [rows, out]. */
export function adapted(
  layer: string,
  x: Value,
  [out, into]: readonly [number, number],
  { rank, scaling }: LayerAdapter,
  dropout: boolean,
): Value {
  const kept = dropout ? mul(x, input(maskOf(layer), x.shape)) : x;
  const narrow = linear(kept, input(matrixA(layer), [rank, into]));
  return linear(scale(narrow, scaling), input(matrixB(layer), [out, rank]));
}

/** Equal for two blocks exactly when one compiled graph serves both. */
export const adapterSignature = ({ layers, dropout }: AdapterUse): string =>
  layers.size === 0
    ? ''
    : `lora ${[...layers].map(([layer, { rank, scaling }]) => `${layer} ${rank} ${scaling}`)}${dropout ? ' dropout' : ''}`;
