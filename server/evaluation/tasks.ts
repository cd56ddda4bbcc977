// The tasks that models are scored on: their names, and their items from the user's data.
import { UserError } from '../errors';
import type { ItemRange, EvaluatedGroup } from '../recipes/evaluate/recipe';
import { meant } from '../shared/nearName';
import { itemsOf } from './prompts';
import { readCachedQuestions } from './tasks/cachedData';
import { readQuestions } from './tasks/dataFolder';
import { factsNamed } from '../shared/taskNames';
import { type Split, taskTags } from '../shared/tasks';
import { groups, tasks } from './tasks/table';
import type { LoadedTask, Question, Task } from './tasks/task';

/** Of tasks, of groups of tasks, and of what only stands for several tasks. */
export const taskNames = (): string[] => [
  ...tasks.map(({ name }) => name),
  ...groups.map(({ name }) => name),
  ...Object.keys(taskTags),
];

/**
 * The tasks behind names, each once, and the groups that are scored because they were asked for.
 * @throws UserError usage for an unknown name, or none
 */
export function resolveTasks(names: readonly string[]): { tasks: Task[]; groups: EvaluatedGroup[] } {
  if (names.length === 0)
    throw new UserError('usage', 'No task was named; name some, such as hellaswag, arc_easy or mmlu.');
  const known = taskNames();
  for (const name of names) if (!known.includes(name)) throw unknownTask(name, known);

  const scored = groups.filter(({ name, parent }) => names.includes(name) || (parent && names.includes(parent)));
  const isScored = (name: string | null) => scored.some((group) => group.name === name);
  const chosen = names.flatMap(tasksNamed);
  return {
    tasks: [...new Set(chosen)].map((task) => ({ ...task, group: isScored(task.group) ? task.group : null })),
    groups: scored.map(({ name, title, version, parent }) => ({
      group: name,
      title,
      version,
      parent: isScored(parent) ? parent : null,
      tasks: tasksNamed(name).map((task) => task.name),
    })),
  };
}

export interface LoadOptions {
  /** All that were asked for, by their names and those of groups; absent: this one. */
  tasks?: readonly string[];
  /** The folder with the tasks' data; null: Hugging Face's cache. */
  data: string | null;
  /** null: all. */
  items: ItemRange | null;
  /** null: as the task says, which is none for all of them. */
  fewShot: number | null;
}

/**
 * Reads a task's questions and makes its items.
 * @throws UserError notFound or badData for its data, usage for a range without items, badChoice for too many examples
 */
export async function loadTask(
  task: Task,
  { tasks: asked = [task.name], data, items: range, fewShot }: LoadOptions,
): Promise<LoadedTask> {
  const read = (split: Split) =>
    data === null ? readCachedQuestions(task, split, asked) : readQuestions(data, task, split);
  const rule = task.fewShot;
  const nFewShot = rule.kind === 'none' ? 0 : (fewShot ?? 0);
  const documents = await read(task.split);
  const { questions } = documents;
  const { first, end } = range ?? { first: 0, end: questions.length };
  if (first >= Math.min(end, questions.length)) throw emptyRange(task, questions.length, first, end);

  const files = [...documents.files];
  let examples: Question[] = [];
  if (nFewShot > 0 && rule.kind !== 'none') {
    const pool = rule.split === task.split ? documents : await read(rule.split);
    if (pool !== documents) files.push(...pool.files);
    examples = pool.questions;
  }
  const items = itemsOf(task, questions, first, end, { questions: examples, count: nFewShot });
  const { name, title, version, group, output, metrics } = task;
  return {
    facts: {
      task: name,
      title,
      version,
      group,
      output,
      nFewShot,
      nItems: items.length,
      nItemsOfTask: questions.length,
      chance: chance(questions),
      metrics: [...metrics],
      files,
    },
    items,
  };
}

/** The tasks that a name stands for; none for a name that nobody knows. */
export const tasksNamed = (name: string): Task[] => {
  const named = factsNamed(name).map((facts) => facts.name);
  return tasks.filter((task) => named.includes(task.name));
};

/** How often guessing is right, over all questions: they need not have equally many choices. */
function chance(questions: readonly Question[]): number | null {
  const shares = questions.flatMap((question) => {
    if (question.kind === 'choices') return [1 / question.choices.length];
    return question.kind === 'contexts' ? [1 / question.contexts.length] : [];
  });
  return shares.length === 0 ? null : shares.reduce((sum, share) => sum + share, 0) / shares.length;
}

const emptyRange = (task: Task, nItems: number, first: number, end: number) =>
  new UserError(
    'usage',
    `${task.name} has ${nItems} items, counted from 0, and none of them is in ${first}:${end}; ask for others.`,
  );

/** Without the parts of groups. */
const inShort: readonly string[] = [
  ...tasks.filter(({ group }) => group === null).map(({ name }) => name),
  ...groups.filter(({ parent }) => parent === null).map(({ name }) => name),
];

function unknownTask(name: string, known: readonly string[]): UserError {
  return new UserError(
    'usage',
    `There is no task or group of tasks called ${name}${meant(name, known, `; there are ${inShort.join(', ')}.`)}`,
  );
}
