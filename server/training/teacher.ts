// What the original model expects on the sequences that a run will train on, computed once.
import type { Model } from '../execution/model';
import { type TopTokensOptions, topTokens } from '../execution/topTokens';
import { byLength, type CountedSequence } from './batches';

/** The items with what `teacher` expects at each of their predictions. */
export async function withTargets<Item extends CountedSequence>(
  teacher: Model,
  items: readonly Item[],
  options: TopTokensOptions,
): Promise<Item[]> {
  const found: Item[] = [...items];
  let nDone = 0;
  for (const { ids, places } of byLength(items)) {
    const onProgress = (fraction: number) => options.onProgress?.((nDone + fraction * ids.length) / items.length);
    for (const [i, expected] of (await topTokens(teacher, ids, { ...options, onProgress })).entries()) {
      const item = items[places[i]!]!;
      const nValues = (item.ids.length - 1) * options.topK;
      found[places[i]!] = {
        ...item,
        expected: {
          ...expected,
          ids: expected.ids.subarray(0, nValues),
          logProbabilities: expected.logProbabilities.subarray(0, nValues),
        },
      };
    }
    nDone += ids.length;
  }
  return found;
}
