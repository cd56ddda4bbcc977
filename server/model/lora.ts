// Low-rank adapters in a block's graph: y = W x + scaling B A x (LoRA, arXiv:2106.09685), as PEFT lays the matrices out.
import { add, detach, mul, scale } from '../graph/ops/elementwise';
import { linear, lowRankLinear, matmul } from '../graph/ops/linear';
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

/**
 * x [rows, in] through a layer [out, in] with its adapter. Without dropout the adapter is added to the weight, once a run:
 * for hundreds of rows that costs less than to take every row through it.
 */
export function adaptedLinear(
  layer: string,
  x: Value,
  weight: Value,
  bias: Value | undefined,
  { rank, scaling }: LayerAdapter,
  dropout: boolean,
): Value {
  const [out, into] = weight.shape as [number, number];
  const a = input(matrixA(layer), [rank, into]);
  const b = input(matrixB(layer), [out, rank]);
  if (!dropout) {
    const merged = add(weight, scale(matmul(detach(b), detach(a)), scaling));
    return lowRankLinear(x, merged, a, b, scaling, bias);
  }
  const narrow = linear(mul(x, input(maskOf(layer), x.shape)), a);
  return add(linear(x, weight, bias), linear(scale(narrow, scaling), b));
}
