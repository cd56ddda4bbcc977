// What is known of an evaluation: answers come in task by task and model by model, scores and comparisons go out. Pure.
import type { Comparison, EvaluatedGroup, Score } from '../recipes/evaluate/recipe';
import { compareWithBase } from './compare';
import { groupScore, type ItemValues, itemValues, scoreOf } from './metrics';
import type { LoadedTask } from './tasks/task';
import type { Answer } from '../shared/metrics';

export interface Scoreboard {
  /** @param answers by item and request */
  add(model: number, task: LoadedTask, answers: readonly (readonly Answer[])[]): void;
  answers(model: number, task: LoadedTask): readonly (readonly Answer[])[];
  scores(): Score[];
  /** Of every variant that has been scored with the original, model 0. */
  comparisons(): Comparison[];
}

/** @param labels of the models, the original first */
export function openScoreboard(
  labels: readonly string[],
  tasks: readonly LoadedTask[],
  groups: readonly EvaluatedGroup[],
): Scoreboard {
  const answered = labels.map(() => new Map<LoadedTask, readonly (readonly Answer[])[]>());
  const values = labels.map(() => new Map<string, ItemValues[]>());

  const ofModel = (model: number): Score[] => {
    const ofTasks = tasks.flatMap(({ facts: { task } }) =>
      (values[model]!.get(task) ?? []).map((each) => ({ model, task, metric: each.metric, ...scoreOf(each) })),
    );
    const ofGroups = groups.flatMap(({ group, tasks: members }) => {
      const parts = ofTasks.filter(({ task, metric }) => metric === 'acc' && members.includes(task));
      if (parts.length < members.length) return [];
      return [{ model, task: group, metric: 'acc' as const, ...groupScore(parts) }];
    });
    return [...ofTasks, ...ofGroups];
  };
  const labelled = (model: number) => ({
    label: labels[model]!,
    scores: [...values[model]!].flatMap(([task, each]) => each.map((of) => ({ task, ...of }))),
  });
  return {
    add(model, task, answers) {
      answered[model]!.set(task, answers);
      const { metrics, task: name } = task.facts;
      values[model]!.set(
        name,
        metrics.map((metric) => itemValues(metric, task.items, answers)),
      );
    },
    answers: (model, task) => answered[model]!.get(task)!,
    scores: () => labels.flatMap((_, model) => ofModel(model)),
    comparisons() {
      const base = labelled(0);
      const facts = tasks.map((task) => task.facts);
      return labels.slice(1).flatMap((_, i) => compareWithBase(base, labelled(i + 1), facts, groups));
    },
  };
}
