// One number for many tasks: the mean of their accuracies, beside the original's on the same items. Pure.
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import { interval95 } from '../shared/statistics';
import { quotedAccuracy } from '../shared/metrics';

export interface MeanAccuracy {
  readonly mean: number;
  /** Of how many tasks, where a group counts as one. */
  readonly nTasks: number;
  /** Against the original; null for the original itself, and the interval where a task has no paired error. */
  readonly difference: { readonly delta: number; readonly interval95: [number, number] | null } | null;
}

/** null where no task has an accuracy, or the model lacks one, as a model whose scores are not finite. */
export function meanAccuracy(evaluation: EvaluateReport, model: number): MeanAccuracy | null {
  const counted = countedTasks(evaluation);
  if (counted.length === 0) return null;
  const valuesOf = (of: number) => (it: CountedTask) => scoreOf(evaluation, of, it)?.value ?? Number.NaN;
  if (counted.some((task) => !scoreOf(evaluation, model, task))) return null;
  const mean = average(counted.map(valuesOf(model)));
  if (model === 0) return { mean, nTasks: counted.length, difference: null };
  const { label } = evaluation.models[model]!;
  const errors = counted.map(
    ({ task, metric }) =>
      evaluation.comparisons.find((it) => it.variant === label && it.task === task && it.metric === metric)
        ?.pairedStderr ?? Number.NaN,
  );
  const delta = mean - average(counted.map(valuesOf(0)));
  // Tasks have different items, so that their errors are independent.
  const error = Math.hypot(...errors) / counted.length;
  const interval = Number.isNaN(error) ? null : interval95(delta, error);
  return { mean, nTasks: counted.length, difference: { delta, interval95: interval } };
}

export interface CountedTask {
  readonly task: string;
  readonly title: string;
  readonly metric: string;
}

/** Tasks and groups that have an accuracy; what is counted in a group does not count by itself. */
export function countedTasks({ tasks, groups, scores }: EvaluateReport): CountedTask[] {
  const inGroups = new Set(groups.flatMap((group) => group.tasks));
  const known = new Set(groups.map(({ group }) => group));
  const outermost = groups.filter(({ parent }) => parent === null || !known.has(parent));
  const has = (task: string, metric: string) => scores.some((it) => it.task === task && it.metric === metric);
  return [
    ...tasks.filter(({ task }) => !inGroups.has(task)).map(({ task, title }) => ({ task, title })),
    ...outermost.map(({ group, title }) => ({ task: group, title })),
  ].flatMap(({ task, title }) => {
    const metric = quotedAccuracy((name) => has(task, name));
    return metric ? [{ task, title, metric }] : [];
  });
}

export const scoreOf = ({ scores }: EvaluateReport, model: number, { task, metric }: CountedTask) =>
  scores.find((it) => it.model === model && it.task === task && it.metric === metric);

const average = (values: readonly number[]) => values.reduce((sum, x) => sum + x, 0) / values.length;
