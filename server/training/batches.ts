// Items of training data as batches that a loss can be differentiated on. Items of different lengths are filled up at their ends,
// where no loss is taken and, attention being causal, nothing before is touched.
import type { Expected, WeightedBatch } from '../execution/headLossGradient';

/** ids [T], and for each whether its prediction counts in the loss; the first is never predicted. */
export interface CountedSequence {
  readonly ids: Int32Array;
  readonly counted: Uint8Array;
  /** What a teacher expects at each of its T - 1 predictions. */
  readonly expected?: Expected;
}

/** Lengths that occur are few, so that few graphs are compiled. */
const lengthStep = 64;

/** The batches of one step: together their weights sum to 1, every counted prediction weighing the same. */
export function weightedBatches(items: readonly CountedSequence[], sequencesEach: number): WeightedBatch[] {
  const nCounted = items.reduce((sum, item) => sum + countedIn(item), 0);
  const groups = Array.from({ length: Math.ceil(items.length / sequencesEach) }, (_, g) =>
    items.slice(g * sequencesEach, (g + 1) * sequencesEach),
  );
  return groups.map((group) => {
    const tokens = commonLength(group);
    const ids = new Int32Array(group.length * tokens);
    const weights = new Float32Array(group.length * (tokens - 1));
    for (const [b, { ids: own, counted }] of group.entries()) {
      ids.set(own, b * tokens);
      for (let i = 1; i < own.length; i++) if (counted[i]) weights[b * (tokens - 1) + i - 1] = 1 / nCounted;
    }
    const expected =
      group[0]!.expected &&
      together(
        group.map((item) => item.expected!),
        tokens,
      );
    return { batch: group.length, tokens, ids, weights, ...(expected && { expected }) };
  });
}

/** One sequence's rows after the other, each filled up to those of `tokens`. */
function together(all: readonly Expected[], tokens: number): Expected {
  const { topK, temperature } = all[0]!;
  const each = (tokens - 1) * topK;
  const ids = new Int32Array(all.length * each);
  const logProbabilities = new Float32Array(all.length * each);
  for (const [b, one] of all.entries()) {
    ids.set(one.ids, b * each);
    logProbabilities.set(one.logProbabilities, b * each);
  }
  return { topK, temperature, ids, logProbabilities };
}

/** Sequences of one length each, filled up to it, with the places of their items. */
export function byLength<Item extends CountedSequence>(
  items: readonly Item[],
): { ids: Int32Array[]; places: number[] }[] {
  const groups = new Map<number, { ids: Int32Array[]; places: number[] }>();
  const equal = items.every((item) => item.ids.length === items[0]!.ids.length);
  for (const [place, { ids }] of items.entries()) {
    const length = equal ? ids.length : Math.ceil(ids.length / lengthStep) * lengthStep;
    const group = groups.get(length) ?? { ids: [], places: [] };
    groups.set(length, group);
    const filled = new Int32Array(length);
    filled.set(ids);
    group.ids.push(filled);
    group.places.push(place);
  }
  return [...groups.values()];
}

/** Predictions that count; the first token is none. */
export const countedIn = ({ counted }: CountedSequence): number =>
  counted.subarray(1).reduce((sum, c) => sum + (c ? 1 : 0), 0);

/** The length of sequences of one length, else the longest rounded up. */
function commonLength(items: readonly CountedSequence[]): number {
  const longest = Math.max(...items.map((item) => item.ids.length));
  if (items.every((item) => item.ids.length === longest)) return longest;
  return Math.ceil(longest / lengthStep) * lengthStep;
}
