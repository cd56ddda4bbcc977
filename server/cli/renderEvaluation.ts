// An evaluation on a terminal: one model as the harness' table, several as a table of tasks by variants.
import { harnessResults } from '../evaluation/harnessResults';
import { harnessTable } from '../evaluation/harnessTable';
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import { evaluationParts, scoreTable } from '../reporting/evaluationParts';
import { table } from './table';

export function renderEvaluation(report: EvaluateReport): string {
  const { settings, warnings, legend, generation, effort } = evaluationParts(report);
  const scores =
    report.models.length === 1
      ? [harnessTable(harnessResults(report, 0))]
      : inGroupsOf(
          variantsATable,
          report.models.slice(1).map((_, k) => k + 1),
        ).map((variants) => scoresText(report, variants));
  return [
    ...scores,
    ...(legend.length > 0 ? [legend.join('\n')] : []),
    ...(generation ? [table([generation.head, ...generation.rows.map((row) => row.map(oneLine))])] : []),
    table(settings.map(([name, value]) => [name, value])),
    [effort, ...warnings.map((warning) => `Warning: ${warning}`)].join('\n'),
  ]
    .join('\n\n')
    .replaceAll(controlCharacters, ' ');
}

/** Names of models must not steer the terminal. */
const controlCharacters = /(?!\n)\p{Cc}/gu;

/** More would not fit beside each other. */
const variantsATable = 2;

function scoresText(report: EvaluateReport, variants: readonly number[]): string {
  const { head, rows, nWordColumns } = scoreTable(report, variants);
  // A place for the mark behind every difference, so that the figures stand in line.
  const spaced = (cell: string) => (cell.includes('±') && !/[▼▲]$/.test(cell) ? `${cell}  ` : cell);
  const texts = [
    head,
    ...rows.map(({ depth, cells: [first = '', ...cells] }) => [`${'  '.repeat(depth)}${first}`, ...cells.map(spaced)]),
  ];
  const widths = head.map((_, i) => Math.max(...texts.map((cells) => [...cells[i]!].length)));
  const rightAligned = (cell: string, i: number) => ' '.repeat(widths[i]! - [...cell].length) + cell;
  return table(texts.map((cells) => cells.map((cell, i) => (i < nWordColumns ? cell : rightAligned(cell, i)))));
}

const oneLine = (text: string) => {
  const flat = text.replaceAll(/\s+/g, ' ').trim();
  return flat.length > 60 ? `${flat.slice(0, 59)}…` : flat;
};

const inGroupsOf = <T>(size: number, list: readonly T[]): T[][] =>
  Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
