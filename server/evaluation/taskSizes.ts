// How much there is to score in a task, about, so that a plan can say what an evaluation takes before any data is read.
import type { ItemRange } from '../protocol';

export interface TaskSize {
  readonly nItems: number;
  /** Of a question with all its answers, which share the question. */
  readonly tokensPerItem: number;
  /** Examples before a question are the same for a whole task, and passed once. */
  readonly sharesExamples?: boolean;
}

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

/** The subjects of MMLU are of about one size; a group has so many of them. */
const subject: TaskSize = { nItems: 246, tokensPerItem: 103, sharesExamples: true };
const groups: Readonly<Record<string, number>> = {
  mmlu: 57,
  mmlu_stem: 19,
  mmlu_humanities: 13,
  mmlu_social_sciences: 12,
  mmlu_other: 13,
};

/** Names of tasks and groups; every subject of MMLU is one, too, as `mmlu_` and its name. */
export const sizedTaskNames: readonly string[] = [...Object.keys(sizes), ...Object.keys(groups)];

/** The tasks that a name stands for; none for a name that nobody knows. */
export function taskSizes(name: string): TaskSize[] {
  if (Object.hasOwn(sizes, name)) return [sizes[name]!];
  if (Object.hasOwn(groups, name)) return Array.from({ length: groups[name]! }, () => subject);
  return /^mmlu_[a-z]+(_[a-z]+)*$/.test(name) ? [subject] : [];
}

/** Tokens that pass the model when these tasks are scored. */
export function evaluationTokens(tasks: readonly string[], items: ItemRange | null, fewShot: number | null): number {
  const shots = fewShot ?? 0;
  return tasks
    .flatMap(taskSizes)
    .map(({ nItems, tokensPerItem, sharesExamples }) => {
      const wanted = items === null ? nItems : Math.max(0, Math.min(nItems, items.end) - items.first);
      return wanted * tokensPerItem + shots * tokensPerItem * (sharesExamples ? 1 : wanted);
    })
    .reduce((sum, n) => sum + n, 0);
}
