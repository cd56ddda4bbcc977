// An evaluation on a terminal, a row for every score.
import type { EvaluateReport } from '../protocol';
import { table } from './table';

export function renderEvaluation({ models, tasks, scores, comparisons, warnings }: EvaluateReport): string {
  const rows = scores.map(({ model, task, metric, value, stderr, nItems }) => {
    const { label } = models[model]!;
    const facts = tasks.find((it) => it.task === task);
    const against = comparisons.find((it) => it.variant === label && it.task === task && it.metric === metric);
    return [
      task,
      facts ? `${facts.nFewShot}` : '',
      label,
      metric,
      value.toFixed(4),
      stderr === null ? '' : `±${stderr.toFixed(4)}`,
      `${nItems}`,
      against ? `${against.delta < 0 ? '' : '+'}${against.delta.toFixed(4)}${against.significant ? ' *' : ''}` : '',
    ];
  });
  return [
    table([['task', 'n-shot', 'model', 'metric', 'value', 'stderr', 'items', 'against the base'], ...rows]),
    ...warnings.map((sentence) => `Warning: ${sentence}`),
  ].join('\n');
}
