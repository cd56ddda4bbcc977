// The tasks that a form offers; the engine knows them by these names and says everything else about them.

export interface TaskChoice {
  readonly name: string;
  readonly title: string;
  /** Of the whole task. */
  readonly nItems: number;
  readonly asks: string;
}

export const taskChoices: readonly TaskChoice[] = [
  { name: 'hellaswag', title: 'HellaSwag', nItems: 10_042, asks: 'how a scene goes on' },
  { name: 'arc_easy', title: 'ARC easy', nItems: 2376, asks: 'school science' },
  { name: 'arc_challenge', title: 'ARC challenge', nItems: 1172, asks: 'harder school science' },
  { name: 'boolq', title: 'BoolQ', nItems: 3270, asks: 'yes or no about a passage' },
  { name: 'piqa', title: 'PIQA', nItems: 1838, asks: 'how things are done' },
  { name: 'winogrande', title: 'WinoGrande', nItems: 1267, asks: 'who or what is meant' },
  { name: 'openbookqa', title: 'OpenBookQA', nItems: 500, asks: 'facts put together' },
  { name: 'lambada_openai', title: 'LAMBADA', nItems: 5153, asks: 'the last word of a passage' },
  { name: 'wikitext', title: 'WikiText', nItems: 62, asks: 'perplexity of whole pages' },
];

/** MMLU is a choice of its own: none of it, six subjects, or all. */
export const mmluChoices = {
  none: [],
  six: [
    'mmlu_medical_genetics',
    'mmlu_professional_law',
    'mmlu_philosophy',
    'mmlu_college_mathematics',
    'mmlu_high_school_physics',
    'mmlu_machine_learning',
  ],
  all: ['mmlu'],
} as const;

export type MmluChoice = keyof typeof mmluChoices | 'other';

const isMmlu = (task: string) => task === 'mmlu' || task.startsWith('mmlu_');

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
