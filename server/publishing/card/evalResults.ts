// Results as files for the leaderboards of benchmarks (hub-docs, eval_results.yaml). Only a data set that the hub lists as a benchmark
// may have one. That list grows, so that the person says which tasks are on it.
import { UserError } from '../../errors';
import { tasksNamed } from '../../evaluation/tasks';
import { primaryMetric } from '../../shared/metrics';
import { type CardFacts, evaluationsOf, isThis } from './facts';
import { hubYaml, isPlainNumber } from './hubYaml';

/** @throws UserError `badChoice` for a task that no evaluation of this model has. */
export function evalResultFiles(facts: CardFacts): { name: string; text: string }[] {
  return facts.registered.map(({ task, taskId }) => {
    const entry = entryOf(facts, task, taskId);
    if (entry === null)
      throw new UserError(
        'badChoice',
        `No report has a score of this model on ${task}; give an evaluation with it by --report, or leave ${task} out of --registered.`,
      );
    return { name: `.eval_results/${task}.yaml`, text: hubYaml([entry]) };
  });
}

function entryOf(facts: CardFacts, task: string, taskId: string): object | null {
  for (const { models, tasks, scores } of evaluationsOf(facts)) {
    const own = models.findIndex((model) => isThis(facts, model));
    const evaluated = tasks.find((each) => each.task === task);
    if (own === -1 || !evaluated) continue;
    const metric = primaryMetric(evaluated.metrics);
    const score = scores.find((each) => each.model === own && each.task === task && each.metric === metric);
    if (!score || !isPlainNumber(score.value)) continue;
    const notes = `${metric}, ${evaluated.nFewShot}-shot, lm-evaluation-harness version ${evaluated.version}, ${score.nItems} of ${evaluated.nItemsOfTask} items`;
    return { dataset: { id: tasksNamed(task)[0]!.hub.dataset, task_id: taskId }, value: score.value, notes };
  }
  return null;
}
