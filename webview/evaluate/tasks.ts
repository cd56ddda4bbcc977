// The tasks that a form offers; the engine knows them by these names and says everything else about them.
import { isMmlu, sixMmluSubjects } from '../../server/shared/mmlu';
import { tasks as rows, singleTaskNames } from '../../server/shared/tasks';

export interface TaskChoice {
  readonly name: string;
  readonly title: string;
  /** Of the whole task. */
  readonly nItems: number;
  readonly asks: string;
}

export const taskChoices: readonly TaskChoice[] = singleTaskNames.map((name) => ({ ...rows[name], name }));

/** MMLU is a choice of its own: none of it, six subjects, or all. */
export const mmluChoices = { none: [], six: sixMmluSubjects, all: ['mmlu'] } as const;

export type MmluChoice = keyof typeof mmluChoices | 'other';

export function mmluChoiceOf(tasks: readonly string[]): MmluChoice {
  const chosen = tasks.filter(isMmlu).sort().join();
  const names = Object.keys(mmluChoices) as (keyof typeof mmluChoices)[];
  return names.find((name) => [...mmluChoices[name]].sort().join() === chosen) ?? 'other';
}

export const withMmlu = (tasks: readonly string[], choice: keyof typeof mmluChoices): string[] => [
  ...tasks.filter((task) => !isMmlu(task)),
  ...mmluChoices[choice],
];

/** In the order of the table, what a form does not offer last. */
export function withTask(tasks: readonly string[], name: string, chosen: boolean): string[] {
  const next = new Set(tasks.filter((task) => task !== name));
  if (chosen) next.add(name);
  const offered = taskChoices.map((choice) => choice.name).filter((task) => next.delete(task));
  return [...offered, ...next];
}

/** Tasks by name that the form has no box for. */
export const otherTasks = (tasks: readonly string[]): string[] =>
  tasks.filter((task) => !taskChoices.some(({ name }) => name === task) && !isMmlu(task));
