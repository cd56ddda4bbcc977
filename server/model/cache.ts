// Small graphs around the cache of keys and values. Letters: B batch, T tokens, D width, G key/value heads, E head width.
import { matmul } from '../graph/ops/linear';
import { concat, reshape } from '../graph/ops/movement';
import { constant, type Graph, input } from '../graph/value';

/** Keys and values [1, G, T, E] with room for `capacity` tokens, zero where nothing is written. */
export function widenCache(shape: readonly number[], capacity: number): Graph {
  const [B, G, T, E] = shape as [number, number, number, number];
  const room = [B, G, capacity - T, E] as const;
  const zeros = constant(new Float32Array(room.reduce((a, b) => a * b, 1)), room);
  return {
    name: 'widenCache',
    outputs: {
      wideKeys: concat([input('keys', shape), zeros], 2),
      wideValues: concat([input('values', shape), zeros], 2),
    },
  };
}

/** One row of hidden [T, D], chosen by `pick` [1, T], which is one there and zero elsewhere. */
export function pickRow(tokens: number, width: number): Graph {
  const row = matmul(input('pick', [1, tokens]), input('hidden', [tokens, width]));
  return { name: 'pickRow', outputs: { row: reshape(row, [1, width]) } };
}
