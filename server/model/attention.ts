// Ways to attend: a block is defined once, and what its tokens see is a parameter of it. All have grouped heads.
// Letters: B batch, T tokens, P past tokens, H query heads, G key/value heads, E head width.
import { add, mul } from '../graph/ops/elementwise';
import { matmul } from '../graph/ops/linear';
import { concat, expand, reshape, slice, transpose } from '../graph/ops/movement';
import { softmax } from '../graph/ops/reduce';
import { constant, input, type Value } from '../graph/value';
import type { ModelConfig } from './config';
import { softCap } from './form';
import type { Heads } from './heads';

/** What tokens see. There are three below; a block takes any. */
export interface Attention {
  /** Rows of the rotary tables; null: as many as a sequence has tokens. */
  readonly tablePositions: number | null;
  /** @param slidingWindow a query sees so many keys, its own included; null: all before it */
  attend(config: ModelConfig, heads: Heads, slidingWindow: number | null): Attended;
}

export interface Attended {
  readonly attentionOutput: Value; // [B*T, H*E]
  /** All that there are by now, for tokens that follow. */
  readonly keys: Value; // [B, G, any, E]
  readonly values: Value; // [B, G, any, E]
}

/** Added to scores that must not be seen: large against any score, small enough never to become infinite. */
export const maskedScore = -1e9;
/** Queries of one chunk see no key after its last one: with this length about half of the products are never made. */
const chunkTokens = 128;

/** Whole sequences: a token sees itself and those before it. Keys and values are those of the sequence, [B, G, T, E]. */
export const causalAttention: Attention = {
  tablePositions: null,
  attend(config, heads, slidingWindow) {
    const attentionOutput = attendInChunks(config, heads, (start, end) => {
      const first = slidingWindow === null ? 0 : Math.max(0, start - slidingWindow + 1);
      return { first, end, mask: causalMask(start, end, first, slidingWindow) };
    });
    return { attentionOutput, keys: heads.keys, values: heads.values };
  },
};

/**
 * One token a sequence against a cache, into which its own key and value are written first. Inputs: pastKeys and pastValues
 * [1, G, capacity, E] (zero where nothing was written yet), slot [capacity] (one at this token's place, else zero), mask
 * [capacity] (zero where visible, else `maskedScore`: the sliding window is the mask's). Keys and values are the new cache.
 */
export const cachedAttention = (capacity: number): Attention => ({
  tablePositions: capacity,
  attend(config, now) {
    const { nHeads: H, nKeyValueHeads: G, headWidth: E } = config;
    const slot = reshape(input('slot', [capacity]), [1, 1, capacity, 1]);
    const written = (past: string, fresh: Value) => add(input(past, [1, G, capacity, E]), mul(slot, fresh));
    const keys = written('pastKeys', now.keys);
    const values = written('pastValues', now.values);
    const products = matmul(reshape(now.queries, [1, G, H / G, E]), transpose(keys, [0, 1, 3, 2]));
    const scores = softCap(products, config.form.softCaps.attention);
    const probabilities = softmax(add(scores, input('mask', [capacity])));
    return { attentionOutput: joinHeads(reshape(matmul(probabilities, values), [1, H, 1, E])), keys, values };
  },
});

/**
 * Packed rows: a token sees what the input mask [B, T, P+T] lets it see (zero where visible, else `maskedScore`) of a past of
 * P tokens that all rows share, inputs pastKeys and pastValues [1, G, P, E], and of those before it in its row. Keys and
 * values are of both, [B, G, P+T, E].
 */
export const maskedAttention = (nPast: number, tablePositions: number): Attention => ({
  tablePositions,
  attend(config, { queries, keys: ownKeys, values: ownValues }) {
    const [B, G, T, E] = ownKeys.shape as [number, number, number, number];
    const mask = input('mask', [B, T, nPast + T]);
    const afterPast = (name: string, own: Value) =>
      nPast === 0 ? own : concat([expand(input(name, [1, G, nPast, E]), [B, G, nPast, E]), own], 2);
    const keys = afterPast('pastKeys', ownKeys);
    const values = afterPast('pastValues', ownValues);
    const attentionOutput = attendInChunks(config, { queries, keys, values }, (start, end) => {
      const rows = slice(slice(mask, 1, start, end), 2, 0, nPast + end);
      return { first: 0, end: nPast + end, mask: reshape(rows, [B, 1, 1, end - start, nPast + end]) };
    });
    return { attentionOutput, keys, values };
  },
});

/** The keys [first, end) that any query of a chunk sees, and what is added to the scores of those that one must not see. */
interface AttentionRange {
  readonly first: number;
  readonly end: number;
  readonly mask: Value;
}

/** Chunk by chunk of queries. The queries of a group share one product with its keys. */
function attendInChunks(
  { nHeads: H, nKeyValueHeads: G, headWidth: E, form }: ModelConfig,
  { queries, keys, values }: Heads,
  rangeOf: (start: number, end: number) => AttentionRange,
): Value {
  const [B, , T] = queries.shape as [number, number, number];
  const keysAcross = transpose(keys, [0, 1, 3, 2]);
  const grouped = reshape(queries, [B, G, H / G, T, E]);
  const chunks: Value[] = [];
  for (let start = 0; start < T; start += chunkTokens) {
    const chunkEnd = Math.min(T, start + chunkTokens);
    const { first, end, mask } = rangeOf(start, chunkEnd);
    const rows = (H / G) * (chunkEnd - start);
    const query = reshape(slice(grouped, 3, start, chunkEnd), [B, G, rows, E]);
    const products = softCap(matmul(query, slice(keysAcross, 3, first, end)), form.softCaps.attention);
    const scores = add(reshape(products, [B, G, H / G, chunkEnd - start, end - first]), mask);
    const probabilities = reshape(softmax(scores), [B, G, rows, end - first]);
    chunks.push(reshape(matmul(probabilities, slice(values, 2, first, end)), [B, H, chunkEnd - start, E]));
  }
  return joinHeads(concat(chunks, 2));
}

/** [B, H, T, E] -> [B*T, H*E] */
function joinHeads(x: Value): Value {
  const [B, H, T, E] = x.shape as [number, number, number, number];
  return reshape(transpose(x, [0, 2, 1, 3]), [B * T, H * E]);
}

/** For queries [start, end) and keys [first, end): zero where the key is seen, else `maskedScore`. */
function causalMask(start: number, end: number, first: number, slidingWindow: number | null): Value {
  const width = end - first;
  const mask = new Float32Array((end - start) * width);
  for (let i = start; i < end; i++) {
    for (let j = first; j < end; j++) {
      const visible = j <= i && (slidingWindow === null || j > i - slidingWindow);
      if (!visible) mask[(i - start) * width + (j - first)] = maskedScore;
    }
  }
  return constant(mask, [end - start, width]);
}
