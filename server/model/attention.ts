// Attention with grouped heads, for whole windows and for one token after others.
// Letters: B batch, T tokens, D width, H query heads, G key/value heads, E head width.
import { add, mul, scale } from '../graph/ops/elementwise';
import { matmul } from '../graph/ops/linear';
import { concat, expand, reshape, slice, transpose } from '../graph/ops/movement';
import { softmax } from '../graph/ops/reduce';
import { rmsNorm, rotary } from '../graph/ops/transformer';
import { constant, input, type Value } from '../graph/value';
import type { ModelConfig } from './config';
import type { BatchShape, BlockWeightInputs } from './blockInputs';

/** Queries of one chunk see no key after its last one: with this length about half of the products are never made. */
const chunkTokens = 128;
/** Added to scores that must not be seen: large against any score, small enough never to become infinite. */
export const hidden = -1e9;

interface Heads {
  readonly queries: Value; // [B, H, T, E], already divided by sqrt(E)
  readonly keys: Value; // [B, G, T, E]
  readonly values: Value; // [B, G, T, E]
}

/** Projects x [B*T, D] to heads, norms them where the family does, and turns them by their positions. */
export function queriesKeysValues(
  config: ModelConfig,
  block: number,
  weights: BlockWeightInputs,
  x: Value,
  { batch, tokens }: BatchShape,
  tablePositions: number,
): Heads {
  const { nHeads, nKeyValueHeads, headWidth } = config;
  const heads = (name: string, count: number) =>
    transpose(reshape(weights.project(`self_attn.${name}_proj`, x), [batch, tokens, count, headWidth]), [0, 2, 1, 3]);
  const normed = (name: string, y: Value) =>
    config.queryKeyNorm ? rmsNorm(y, weights.get(`self_attn.${name}_norm.weight`), config.normEpsilon) : y;
  const positions = input('positions', [batch, tokens], 'int64');
  const cos = input('cos', [tablePositions, headWidth / 2]);
  const sin = input('sin', [tablePositions, headWidth / 2]);
  const turned = (y: Value) => (config.blocks[block]!.rope ? rotary(y, positions, cos, sin) : y);
  return {
    queries: scale(turned(normed('q', heads('q', nHeads))), 1 / Math.sqrt(headWidth)),
    keys: turned(normed('k', heads('k', nKeyValueHeads))),
    values: heads('v', nKeyValueHeads),
  };
}

/** What each token sees of itself and those before it: [B*T, H*E]. */
export function causalAttention(config: ModelConfig, { queries, keys, values }: Heads, window: number | null): Value {
  return attend(config, queries, keys, values, (start, end) => {
    const first = window === null ? 0 : Math.max(0, start - window + 1);
    return { first, end, mask: causalMask(start, end, first, window) };
  });
}

/**
 * What each token sees by the input mask [B, T, P+T] (zero where visible, else very negative) of a past of P tokens that all
 * rows share, inputs pastKeys and pastValues [1, G, P, E], and of those before it in its row. Keys and values are of both.
 */
export function maskedAttention(
  config: ModelConfig,
  { queries, keys, values }: Heads,
  nPast: number,
): { seen: Value; keys: Value; values: Value } {
  const [B, G, T, E] = keys.shape as [number, number, number, number];
  const mask = input('mask', [B, T, nPast + T]);
  const behindPast = (name: string, own: Value) =>
    nPast === 0 ? own : concat([expand(input(name, [1, G, nPast, E]), [B, G, nPast, E]), own], 2);
  const all = { keys: behindPast('pastKeys', keys), values: behindPast('pastValues', values) };
  const seen = attend(config, queries, all.keys, all.values, (start, end) => {
    const rows = slice(slice(mask, 1, start, end), 2, 0, nPast + end);
    return { first: 0, end: nPast + end, mask: reshape(rows, [B, 1, 1, end - start, nPast + end]) };
  });
  return { seen, ...all };
}

/** The keys [first, end) that any query of a chunk sees, and what is added to the scores of those that one must not see. */
interface Sight {
  readonly first: number;
  readonly end: number;
  readonly mask: Value;
}

/** Chunk by chunk of queries. The queries of a group share one product with its keys. */
function attend(
  config: ModelConfig,
  queries: Value,
  keys: Value,
  values: Value,
  sightOf: (start: number, end: number) => Sight,
): Value {
  const { nHeads: H, nKeyValueHeads: G, headWidth: E } = config;
  const [B, , T] = queries.shape as [number, number, number];
  const keysAcross = transpose(keys, [0, 1, 3, 2]);
  const grouped = reshape(queries, [B, G, H / G, T, E]);
  const chunks: Value[] = [];
  for (let start = 0; start < T; start += chunkTokens) {
    const chunkEnd = Math.min(T, start + chunkTokens);
    const { first, end, mask } = sightOf(start, chunkEnd);
    const rows = (H / G) * (chunkEnd - start);
    const query = reshape(slice(grouped, 3, start, chunkEnd), [B, G, rows, E]);
    const products = matmul(query, slice(keysAcross, 3, first, end));
    const scores = add(reshape(products, [B, G, H / G, chunkEnd - start, end - first]), mask);
    const shares = reshape(softmax(scores), [B, G, rows, end - first]);
    chunks.push(reshape(matmul(shares, slice(values, 2, first, end)), [B, H, chunkEnd - start, E]));
  }
  return joinHeads(concat(chunks, 2));
}

/** One query a head against a cache into which its own key and value are written first; see decodeBlock for the inputs. */
export function attendToCache(
  config: ModelConfig,
  now: Heads,
  capacity: number,
): { seen: Value; keys: Value; values: Value } {
  const { nHeads: H, nKeyValueHeads: G, headWidth: E } = config;
  const slot = reshape(input('slot', [capacity]), [1, 1, capacity, 1]);
  const written = (past: string, fresh: Value) => add(input(past, [1, G, capacity, E]), mul(slot, fresh));
  const keys = written('pastKeys', now.keys);
  const values = written('pastValues', now.values);
  const scores = matmul(reshape(now.queries, [1, G, H / G, E]), transpose(keys, [0, 1, 3, 2]));
  const shares = softmax(add(scores, input('mask', [capacity])));
  return { seen: joinHeads(reshape(matmul(shares, values), [1, H, 1, E])), keys, values };
}

/** [B, H, T, E] -> [B*T, H*E] */
function joinHeads(x: Value): Value {
  const [B, H, T, E] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [B * T, H * E]);
}

/** For queries [start, end) and keys [first, end): zero where the key is seen, else `hidden`. */
function causalMask(start: number, end: number, first: number, window: number | null): Value {
  const width = end - first;
  const mask = new Float32Array((end - start) * width);
  for (let i = start; i < end; i++) {
    for (let j = first; j < end; j++) {
      const seen = j <= i && (window === null || j > i - window);
      if (!seen) mask[(i - start) * width + (j - first)] = hidden;
    }
  }
  return constant(mask, [end - start, width]);
}
