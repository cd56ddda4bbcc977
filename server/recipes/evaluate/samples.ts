// The log of an evaluation, a line of JSON for every model, task and item.
import { createHash } from 'node:crypto';
import { writeStaged } from '../../checkpoint/stagedFile';
import { itemValues } from '../../evaluation/metrics';
import type { Item, LoadedTask, TextRequest } from '../../evaluation/tasks/task';
import type { Scoreboard } from '../../evaluation/scoreboard';
import { finiteJson } from '../../shared/finite';
import { type Answer, isShare } from '../../shared/metrics';

/** Writes the file complete or not at all. */
export const writeSamples = (
  file: string,
  models: readonly { readonly label: string; readonly model: number }[],
  tasks: readonly LoadedTask[],
  board: Scoreboard,
): Promise<void> =>
  writeStaged(file, async (handle) => {
    for (const { label, model } of models)
      for (const task of tasks) await handle.writeFile(linesOf(label, task, board.answers(model, task)));
  });

function linesOf(model: string, task: LoadedTask, answers: readonly (readonly Answer[])[]): string {
  const accuracies = task.facts.metrics.filter(isShare);
  const right = accuracies.map((metric) => itemValues(metric, task.items, answers).values);
  return task.items
    .map((item, i) => {
      const contexts = item.requests.map(contextOf).map(sha256);
      const line = {
        model,
        task: task.facts.task,
        docId: item.docId,
        logLikelihoods: answers[i]!.map(({ logLikelihood }) => logLikelihood),
        isGreedy: answers[i]!.map(({ isGreedy }) => isGreedy),
        // One where all requests have it in common.
        contextSha256: new Set(contexts).size === 1 ? contexts[0]! : contexts,
        continuationSha256: item.requests.map(continuationOf).map(sha256),
        target: targetOf(item),
        correct: accuracies.length === 0 ? null : right[0]![i] === 1,
        ...Object.fromEntries(accuracies.map((metric, m) => [metric, right[m]![i]])),
      };
      return `${finiteJson(line)}\n`;
    })
    .join('');
}

const targetOf = ({ gold, requests }: Item): number | string | null =>
  gold ?? (requests[0]!.kind === 'rolling' ? null : continuationOf(requests[0]!));

/** A text that is scored from its first token has nothing before it. */
const contextOf = (request: TextRequest): string => (request.kind === 'rolling' ? '' : request.context);
const continuationOf = (request: TextRequest): string =>
  request.kind === 'rolling' ? request.text : request.continuation;

const sha256 = (text: string): string => createHash('sha256').update(text, 'utf8').digest('hex');
