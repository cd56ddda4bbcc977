// What an evaluation's report says, before it is Markdown, HTML or text on a terminal.
import { isShare, metricOf } from '../shared/metrics';
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import { formatDropSet, isEmpty } from '../shared/dropSets';
import { notFinite, withoutScores } from '../shared/finite';
import { type ScoreRow, scoreRows } from './scoreTable';
import { counted, parameters, percent, size } from '../shared/numbers';
import { differenceText, flips, scoreText, verdictMarks } from '../shared/scores';
import { weightsInWords } from '../shared/weightWidths';

export interface EvaluationParts {
  title: string;
  settings: [string, string][];
  warnings: string[];
  scores: ScoreTable;
  /** How the table is read. */
  legend: string[];
  /** null where no text was asked for. */
  generation: { head: string[]; rows: string[][] } | null;
  effort: string;
}

/** The first columns are words, the rest figures; for every variant its score, differenceText with mark, and flips. */
export interface ScoreTable {
  head: string[];
  nWordColumns: number;
  /** `isSecond`: of a metric that does not speak for its task. */
  rows: { depth: number; isGroup: boolean; isSecond: boolean; cells: string[] }[];
}

export function evaluationParts(report: EvaluateReport): EvaluationParts {
  const [base, ...variants] = report.models;
  const others = variants.length === 0 ? '' : ` and ${counted(variants.length, 'variant')}`;
  return {
    title: `Evaluation of ${base!.label}${others}`,
    settings: settingsOf(report),
    warnings: [...leftOut(report), ...report.warnings],
    scores: scoreTable(report),
    legend: variants.length === 0 ? [] : legend,
    generation: generationOf(report),
    effort: effortOf(report),
  };
}

const leftOut = ({ models, notFinite: lost = [] }: EvaluateReport): string[] =>
  lost.map(({ model, sentence }) => withoutScores(models[model]!.label, sentence));

/** @param variants the indices in `models` to show beside the original; absent: all */
export function scoreTable(
  report: EvaluateReport,
  variants: readonly number[] = report.models.slice(1).map((_, k) => k + 1),
): ScoreTable {
  const labels = variants.flatMap((k) => [report.models[k]!.label, 'difference', 'flipped']);
  return {
    head: ['Task', 'Metric', 'Shots', 'n', report.models[0]!.label, ...labels],
    nWordColumns: 2,
    rows: scoreRows(report).map((row) => ({
      depth: row.depth,
      isGroup: row.isGroup,
      isSecond: !row.isPrimary,
      cells: [
        row.title,
        row.metric,
        row.nFewShot === null ? '' : `${row.nFewShot}`,
        `${row.nItems}`,
        `${withUnit(row, row.base.value)}${aboveChance(row) ? '' : ' ≤ chance'}`,
        ...variants.flatMap((k) => variantCells(report, row, k)),
      ],
    })),
  };
}

const isLost = (report: EvaluateReport, model: number) => report.notFinite?.some((it) => it.model === model) ?? false;

function variantCells(report: EvaluateReport, row: ScoreRow, model: number): string[] {
  const cell = row.variants[model - 1];
  if (!cell) return [isLost(report, model) ? notFinite : '–', '', ''];
  const { score, comparison, verdict } = cell;
  const against = comparison ? `${differenceText(comparison)} ${verdictMarks[verdict]}`.trimEnd() : '';
  return [withUnit(row, score.value), against, comparison ? flips(comparison) : ''];
}

const withUnit = ({ metric }: ScoreRow, value: number) =>
  `${scoreText(metric, value)} ${metricOf(metric).unit}`.trimEnd();

/** A base that guesses cannot show a loss. */
const aboveChance = ({ metric, base, chance }: ScoreRow) => !isShare(metric) || chance === null || base.value > chance;

const legend = [
  '▼ worse, ▲ better than the original: McNemar’s exact test (Student’s t for perplexities) at 5 % after Holm’s correction over all tasks of the variant; only the metric that speaks for a task is marked (acc_norm, else acc, else its first). A group is marked where its own interval leaves out zero.',
  '± is a 95 % interval, paired by item. Flipped: right answers lost ▾ and won ▴. Accuracies are in percent, their differences in points.',
];

function settingsOf(report: EvaluateReport): [string, string][] {
  const { models, tasks, items, device, threads, versions } = report;
  const weights = weightsInWords(report);
  const range = !items
    ? 'all of each task'
    : items.first === 0
      ? `the first ${items.end}`
      : `${items.first} to ${items.end - 1}`;
  return [
    ['Items', range],
    ['Shots', shotsOf(tasks)],
    ['Longest input', `${[...new Set(models.map((model) => model.maxTokens))].join(', ')} tokens`],
    [
      'Compute',
      `${device}, ${counted(threads, 'thread')}; Espalier ${versions.espalier}, onnxruntime ${versions.onnxruntime}`,
    ],
    ...(weights ? [['Matrices held as', weights] as [string, string]] : []),
    ...models.map(({ label, nBlocks, nParameters, sizeBytes, dtype, drop, healed }): [string, string] => [
      label,
      [
        `${nBlocks} blocks, ${parameters(nParameters)} parameters, ${size(sizeBytes)}, ${dtype}`,
        ...(isEmpty(drop) ? [] : [`without ${formatDropSet(drop)}`]),
        ...(healed ? ['healed'] : []),
      ].join('; '),
    ]),
  ];
}

/** `0`, or `0; 5 for 57 tasks`. */
function shotsOf(tasks: EvaluateReport['tasks']): string {
  const counts = [...new Set(tasks.map(({ nFewShot }) => nFewShot))].sort((a, b) => a - b);
  const tasksWith = (shots: number) => tasks.filter(({ nFewShot }) => nFewShot === shots);
  if (counts.length < 2) return counts.join();
  return counts.map((shots) => `${shots} for ${counted(tasksWith(shots).length, 'task')}`).join(', ');
}

function generationOf({ generation, models }: EvaluateReport): EvaluationParts['generation'] {
  if (!generation) return null;
  return {
    head: ['Model', 'Prompt', 'Text', 'Repetition', 'Entropy', ''],
    rows: generation.map(({ model, prompt, text, repetition, entropyBits, alarm }) => [
      models[model]!.label,
      prompt,
      text,
      percent(repetition, 0),
      `${entropyBits.toFixed(2)} bits`,
      alarm ? '⚠ repeats itself' : '',
    ]),
  };
}

function effortOf({ timing, work, peakMemoryBytes }: EvaluateReport): string {
  const seconds = timing.elapsedMs / 1000;
  const time = seconds >= 90 ? `${(seconds / 60).toFixed(1)} min` : `${seconds.toFixed(1)} s`;
  const spared =
    work.nTokens > 0 ? `, ${(work.nPlainTokens / work.nTokens).toFixed(1)} times fewer than without sharing` : '';
  return (
    `${work.nRequests} requests, ${work.nTokens} tokens${spared}, in ${time}` +
    ` (${Math.round(work.nTokens / Math.max(seconds, 1e-3))} a second), peak memory ${size(peakMemoryBytes)}`
  );
}
