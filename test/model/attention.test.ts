// Attention is worked in chunks of queries; here every query is worked alone, in float64, around the chunks' borders.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { input, size } from '../../server/graph/value';
import { causalAttention } from '../../server/model/attention';
import { readModelConfig } from '../../server/model/readConfig';
import { type Device, openDevice } from '../../server/runtime/device';
import { compute } from '../graph/compute';
import { someNumbers } from '../graph/evaluate';

const [B, H, G, E] = [2, 4, 2, 4];
const config = readModelConfig({
  model_type: 'llama',
  hidden_size: H * E,
  intermediate_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: H,
  num_key_value_heads: G,
  vocab_size: 9,
});

let device: Device;
beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
afterAll(() => device.close());

const lengths = [1, 2, 127, 128, 129, 256, 300];
const slidingWindows = [null, 1, 5, 127, 128, 129, 200, 1000];
const rows = lengths.flatMap((T) => slidingWindows.map((window) => ({ T, window })));

describe('attention', () => {
  it.each(rows)('over $T tokens with a window of $window', async ({ T, window }) => {
    const queries = input('queries', [B, H, T, E]);
    const [keys, values] = [input('keys', [B, G, T, E]), input('values', [B, G, T, E])];
    const feeds = {
      queries: someNumbers(size(queries.shape), 1),
      keys: someNumbers(size(keys.shape), 2),
      values: someNumbers(size(values.shape), 3),
    };
    const out = causalAttention.attend(config, { queries, keys, values }, window).attentionOutput;
    expect(out.shape).toEqual([B * T, H * E]);
    const found = (await compute(device, { name: 'attention', outputs: { out } }, feeds)).out!;
    const expected = naive(feeds.queries, feeds.keys, feeds.values, T, window ?? T);
    expect(largestDifference(found, expected)).toBeLessThan(2e-6);
  });
});

/** [B*T, H*E]: softmax of a query's products with the last `window` keys, its own included. Heads share keys in order. */
function naive(q: Float32Array, k: Float32Array, v: Float32Array, T: number, window: number): Float64Array {
  const out = new Float64Array(B * T * H * E);
  for (let b = 0; b < B; b++) {
    for (let h = 0; h < H; h++) {
      const g = Math.floor(h / (H / G));
      for (let t = 0; t < T; t++) {
        const seen = Array.from({ length: Math.min(window, t + 1) }, (_, i) => t - i);
        const scores = seen.map((s) => {
          let product = 0;
          for (let e = 0; e < E; e++) product += q[((b * H + h) * T + t) * E + e]! * k[((b * G + g) * T + s) * E + e]!;
          return Math.exp(product);
        });
        const total = scores.reduce((sum, score) => sum + score, 0);
        for (let e = 0; e < E; e++)
          for (const [i, s] of seen.entries())
            out[(b * T + t) * H * E + h * E + e]! += (scores[i]! / total) * v[((b * G + g) * T + s) * E + e]!;
      }
    }
  }
  return out;
}

function largestDifference(a: Float32Array, b: Float64Array): number {
  expect(a.length).toBe(b.length);
  return b.reduce((most, value, i) => Math.max(most, Math.abs(value - a[i]!)), 0);
}
