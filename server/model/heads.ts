// Queries, keys and values by heads. Letters: B batch, T tokens, D width, H query heads, G key/value heads, E head width.
import { scale } from '../graph/ops/elementwise';
import { reshape, transpose } from '../graph/ops/movement';
import { rmsNorm, rotary } from '../graph/ops/transformer';
import { input, type Value } from '../graph/value';
import type { BatchShape, BlockWeightInputs } from './blockInputs';
import type { ModelConfig } from './config';

export interface Heads {
  readonly queries: Value; // [B, H, T, E], already divided by sqrt(E)
  readonly keys: Value; // [B, G, T, E]
  readonly values: Value; // [B, G, T, E]
}

/**
 * Projects x [B*T, D] to heads, norms them where the family does, and rotates them by their positions. Inputs: positions
 * [B, T], cos and sin [tablePositions, E/2].
 */
export function queriesKeysValues(
  config: ModelConfig,
  block: number,
  weights: BlockWeightInputs,
  x: Value,
  { batch, tokens, tablePositions }: BatchShape & { readonly tablePositions: number },
): Heads {
  const { nHeads, nKeyValueHeads, headWidth } = config;
  const heads = (name: string, count: number) =>
    transpose(reshape(weights.project(`self_attn.${name}_proj`, x), [batch, tokens, count, headWidth]), [0, 2, 1, 3]);
  const normed = (name: string, y: Value) =>
    config.queryKeyNorm ? rmsNorm(y, weights.get(`self_attn.${name}_norm.weight`), config.normEpsilon) : y;
  const positions = input('positions', [batch, tokens], 'int64');
  const cos = input('cos', [tablePositions, headWidth / 2]);
  const sin = input('sin', [tablePositions, headWidth / 2]);
  const rotated = (y: Value) => (config.blocks[block]!.rope ? rotary(y, positions, cos, sin) : y);
  return {
    queries: scale(rotated(normed('q', heads('q', nHeads))), 1 / Math.sqrt(headWidth)),
    keys: rotated(normed('k', heads('k', nKeyValueHeads))),
    values: heads('v', nKeyValueHeads),
  };
}
