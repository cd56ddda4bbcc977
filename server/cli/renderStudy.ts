// A study on a terminal: what it will take, and what it found.
import type { StudyPlan } from '../protocol/engine';
import type { StudyReport } from '../recipes/study/recipe';
import { meanAccuracy } from '../evaluation/meanAccuracy';
import type { Budget } from '../protocol/recipes';
import type { Fitting } from '../protocol/reports';
import { budgetInWords } from '../shared/budget';
import { notFinite } from '../shared/finite';
import { counted } from '../shared/numbers';
import { seconds } from './render';
import { table } from './table';

export function renderStudyPlan({ steps, estimatedSeconds, nVariants }: StudyPlan): string {
  const left = steps.filter((step) => !step.done);
  const rows = left.map((step) => [
    step.kind,
    step.title,
    step.operations > 0 ? `about ${seconds(step.estimatedSeconds)}` : 'writing',
  ]);
  const done = steps.length === left.length ? '' : `, ${steps.length - left.length} of them done before`;
  return [
    `A study of ${nVariants} variants in ${steps.length} steps${done}; about ${seconds(estimatedSeconds)}`,
    ...(rows.length > 0 ? [table(rows)] : []),
  ].join('\n');
}

export function renderStudy(report: StudyReport): string {
  const { steps, evaluation, out } = report;
  const spentMs = steps.reduce((sum, step) => sum + step.elapsedMs, 0);
  const nBefore = steps.filter(({ doneBefore }) => doneBefore).length;
  const rows = report.variants.map((variant) => {
    const accuracy = evaluation && variant.model !== null ? meanAccuracy(evaluation, variant.model) : null;
    return [
      variant.label,
      variant.without,
      variant.loss ? variant.loss.lossNats.toFixed(4) : variant.notFinite ? notFinite : '-',
      variant.loss ? signed(variant.loss.costNats, 4) : '-',
      accuracy ? accuracy.mean.toFixed(4) : '-',
      accuracy?.difference ? signed(accuracy.difference.delta, 4) + plusMinus(accuracy.difference.interval95) : '',
    ];
  });
  return [
    table([['variant', 'without', 'loss, nats', 'cost', 'mean accuracy', 'against the original'], ...rows]),
    '',
    ...(report.budgets ?? []).map(({ budget, fitting }) => budgetLine(budget, fitting)),
    ...report.variants.flatMap(({ label, notFinite: why }) => (why ? [`${label} is left out: ${why}`] : [])),
    `${steps.length} steps in ${seconds(spentMs / 1000)}${nBefore > 0 ? `, ${nBefore} of them done before` : ''}`,
    `report.html, report.md, report.json, ${evaluation ? 'results.json, ' : ''}recipe.yaml and charts/ are in ${out}`,
  ].join('\n');
}

/** `4.00 GB: 12 blocks go`, and why not more can stay. */
const budgetLine = (budget: Budget, { count, nearest }: Fitting) =>
  `${budgetInWords(budget)}: ${counted(count, 'block')} go${count === 1 ? 'es' : ''}${nearest === null ? '' : `. ${nearest}`}`;

const signed = (value: number, digits: number) => `${value < 0 ? '' : '+'}${value.toFixed(digits)}`;
const plusMinus = (interval: readonly [number, number] | null) =>
  interval ? ` ±${((interval[1] - interval[0]) / 2).toFixed(4)}` : '';
