// Low-rank adapters in a block's graph: y = W x + scaling B A x (LoRA, arXiv:2106.09685), as PEFT lays the matrices out.
import { add, detach, mul, scale } from '../graph/ops/elementwise';
import { linear, lowRankLinear, matmul } from '../graph/ops/linear';
import { slice } from '../graph/ops/movement';
import { input, type Value } from '../graph/value';
import { beside, type PieceValue } from './rowPieces';

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
 * x [rows, in] through a layer [out, in], whose weight comes in pieces, with its adapter. Without dropout the adapter is added to the weight, once a run:
 * for hundreds of rows that costs less than to take every row through it.
 */
export function adaptedLinear(
  layer: string,
  x: Value,
  weight: readonly PieceValue[],
  bias: Value | undefined,
  { rank, scaling }: LayerAdapter,
  dropout: boolean,
): Value {
  const [out, into] = [weight.at(-1)!.end, x.shape.at(-1)!];
  const a = input(matrixA(layer), [rank, into]);
  const b = input(matrixB(layer), [out, rank]);
  const rows = (of: Value, { first, end }: PieceValue) => slice(of, 0, first, end);
  if (!dropout) {
    return beside(weight, (piece) => {
      const own = rows(b, piece);
      const merged = add(piece.value, scale(matmul(detach(own), detach(a)), scaling));
      return lowRankLinear(x, merged, a, own, scaling, bias && rows(bias, piece));
    });
  }
  const narrow = linear(mul(x, input(maskOf(layer), x.shape)), a);
  const frozen = beside(weight, (piece) => linear(x, piece.value, bias && rows(bias, piece)));
  return add(frozen, linear(scale(narrow, scaling), b));
}
