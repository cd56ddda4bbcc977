// Items of training data as batches that a model can be derived on. Items of different lengths are filled up at their ends,
// where no loss is taken and, attention being causal, nothing before is touched.
import type { WeightedBatch } from '../walk/headGradient';

/** ids [T], and for each whether its prediction counts in the loss; the first is never predicted. */
export interface CountedWindow {
  readonly ids: Int32Array;
  readonly counted: Uint8Array;
}

/** Lengths that occur are few, so that few graphs are compiled. */
const lengthStep = 64;

/** The batches of one step: together their weights sum to 1, every counted prediction weighing the same. */
export function weightedBatches(items: readonly CountedWindow[], windowsEach: number): WeightedBatch[] {
  const nCounted = items.reduce((sum, item) => sum + countedIn(item), 0);
  const groups = Array.from({ length: Math.ceil(items.length / windowsEach) }, (_, g) =>
    items.slice(g * windowsEach, (g + 1) * windowsEach),
  );
  return groups.map((group) => {
    const tokens = commonLength(group);
    const ids = new Int32Array(group.length * tokens);
    const weights = new Float32Array(group.length * (tokens - 1));
    for (const [b, { ids: own, counted }] of group.entries()) {
      ids.set(own, b * tokens);
      for (let i = 1; i < own.length; i++) if (counted[i]) weights[b * (tokens - 1) + i - 1] = 1 / nCounted;
    }
    return { batch: group.length, tokens, ids, weights };
  });
}

/** Predictions that count; the first token is none. */
export const countedIn = ({ counted }: CountedWindow): number =>
  counted.subarray(1).reduce((sum, c) => sum + (c ? 1 : 0), 0);

/** The length of windows of one length, else the longest rounded up. */
export function commonLength(items: readonly CountedWindow[]): number {
  const longest = Math.max(...items.map((item) => item.ids.length));
  if (items.every((item) => item.ids.length === longest)) return longest;
  return Math.ceil(longest / lengthStep) * lengthStep;
}
