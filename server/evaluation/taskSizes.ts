// How much there is to score in a task, about, so that a plan can say what an evaluation takes before any data is read.
import type { ItemRange } from '../recipes/evaluate/recipe';
import { tasksNamed } from './tasks';
import type { Task } from './tasks/task';

/** Tokens that pass the model when these tasks are scored. Names that nobody knows count as nothing. */
export function evaluationTokens(names: readonly string[], items: ItemRange | null, fewShot: number | null): number {
  return [...new Set(names.flatMap(tasksNamed))].reduce((sum, task) => {
    const { nItems, tokensPerItem } = taskSize(task);
    const wanted = items === null ? nItems : Math.max(0, Math.min(nItems, items.end) - items.first);
    return sum + tokensPerItem * (wanted + examples(task, fewShot ?? 0, wanted));
  }, 0);
}

export interface TaskSize {
  readonly nItems: number;
  /** Of a question with all its answers, which share the question. */
  readonly tokensPerItem: number;
}

export const taskSize = ({ name }: Task): TaskSize => sizes[name] ?? subject;

/** Items as the tasks have them; tokens by English text at about four characters each. */
const sizes: Readonly<Record<string, TaskSize>> = {
  hellaswag: { nItems: 10_042, tokensPerItem: 183 },
  arc_easy: { nItems: 2376, tokensPerItem: 50 },
  arc_challenge: { nItems: 1172, tokensPerItem: 60 },
  boolq: { nItems: 3270, tokensPerItem: 146 },
  piqa: { nItems: 1838, tokensPerItem: 57 },
  winogrande: { nItems: 1267, tokensPerItem: 45 },
  openbookqa: { nItems: 500, tokensPerItem: 28 },
  lambada_openai: { nItems: 5153, tokensPerItem: 75 },
  wikitext: { nItems: 62, tokensPerItem: 4830 },
};

/** The subjects of MMLU are of about one size. */
const subject: TaskSize = { nItems: 246, tokensPerItem: 103 };

/** Examples that are the same for a whole task are passed once. */
function examples({ fewShot: { kind } }: Task, shots: number, nItems: number): number {
  if (kind === 'none') return 0;
  return kind === 'first' ? shots : shots * nItems;
}
