// Queries, keys and values by heads. Letters: B batch, T tokens, D width, H query heads, G key/value heads, E head width.
import { scale } from '../graph/ops/elementwise';
import { concat, reshape, slice, transpose } from '../graph/ops/movement';
import { rotary } from '../graph/ops/transformer';
import { input, type Value } from '../graph/value';
import type { BatchShape, BlockWeightInputs } from './blockInputs';
import type { ModelConfig } from './config';
import { norm, rotaryWidth } from './form';
import { tableNames } from './rope';

export interface Heads {
  readonly queries: Value; // [B, H, T, E], already scaled, by 1 / sqrt(E) in most families
  readonly keys: Value; // [B, G, T, E]
  readonly values: Value; // [B, G, T, E]
}

interface HeadsShape extends BatchShape {
  /** Rows of the rotary tables. */
  readonly tablePositions: number;
}

/**
 * Projects x [B*T, D] to heads, norms them where the family does, and rotates them by their positions. Inputs: positions
 * [B, T] and the tables of the block's rope, cos and sin [tablePositions, rotary width / 2].
 */
export function queriesKeysValues(
  config: ModelConfig,
  block: number,
  weights: BlockWeightInputs,
  x: Value,
  shape: HeadsShape,
): Heads {
  const { headWidth: E, form } = config;
  const { batch, tokens } = shape;
  const projected = projections(config, weights, x);
  const normed = (name: 'q' | 'k', y: Value) => norm(config, y, weights.get(`self_attn.${name}_norm.weight`));
  const heads = (y: Value) => transpose(reshape(y, [batch, tokens, y.shape[1]! / E, E]), [0, 2, 1, 3]);
  const rotated = rotation(config, block, shape);
  const rotatedHeads = (name: 'q' | 'k') => {
    const own = form.queryKeyNorm === 'allHeads' ? normed(name, projected[name]) : projected[name];
    const split = heads(own);
    return rotated(form.queryKeyNorm === 'head' ? normed(name, split) : split);
  };
  return {
    queries: scale(rotatedHeads('q'), form.scales.attention ?? 1 / Math.sqrt(E)),
    keys: rotatedHeads('k'),
    values: heads(projected.v),
  };
}

/** [B*T, H*E] for queries, [B*T, G*E] for keys and for values. */
function projections({ nHeads, nKeyValueHeads, headWidth, form }: ModelConfig, weights: BlockWeightInputs, x: Value) {
  const project = (name: string) => weights.project(`self_attn.${name}_proj`, x);
  if (!form.fusedProjections) return { q: project('q'), k: project('k'), v: project('v') };
  const all = project('qkv');
  const [q, k] = [nHeads * headWidth, nKeyValueHeads * headWidth];
  return { q: slice(all, 1, 0, q), k: slice(all, 1, q, q + k), v: slice(all, 1, q + k, q + 2 * k) };
}

/** Heads [B, any, T, E] rotated by their positions, or the first numbers of each. */
function rotation(config: ModelConfig, block: number, { batch, tokens, tablePositions }: HeadsShape) {
  const { rope } = config.blocks[block]!;
  if (rope === null) return (x: Value) => x;
  const [E, R] = [config.headWidth, rotaryWidth(config)];
  const names = tableNames(rope);
  const positions = input('positions', [batch, tokens], 'int64');
  const cos = input(names.cos, [tablePositions, R / 2]);
  const sin = input(names.sin, [tablePositions, R / 2]);
  return (x: Value) => {
    const rotated = rotary(slice(x, 3, 0, R), positions, cos, sin);
    return R === E ? rotated : concat([rotated, slice(x, 3, R, E)], 3);
  };
}
