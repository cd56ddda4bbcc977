// How much there is to score in a task, about, so that a plan can say what an evaluation takes before any data is read.
import type { ItemRange } from '../recipes/evaluate/recipe';
import { tasksNamed } from './tasks';
import type { Task } from './tasks/task';

/** Tokens that pass the model when these tasks are scored. Names that nobody knows count as nothing. */
export function evaluationTokens(names: readonly string[], items: ItemRange | null, fewShot: number | null): number {
  return [...new Set(names.flatMap(tasksNamed))].reduce((sum, task) => {
    const { nItems, tokensPerItem } = task;
    const wanted = items === null ? nItems : Math.max(0, Math.min(nItems, items.end) - items.first);
    return sum + tokensPerItem * (wanted + examples(task, fewShot ?? 0, wanted));
  }, 0);
}

/** Examples that are the same for a whole task are passed once. */
function examples({ fewShot: { kind } }: Task, shots: number, nItems: number): number {
  if (kind === 'none') return 0;
  return kind === 'first' ? shots : shots * nItems;
}
