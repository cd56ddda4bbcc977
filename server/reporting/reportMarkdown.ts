// An evaluation as Markdown, with its charts as pictures beside it.
import { harnessResults } from '../evaluation/harnessResults';
import { harnessTable } from '../evaluation/harnessTable';
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import { printable } from './escaped';
import type { NamedChart } from './evaluationCharts';
import { evaluationParts, type ScoreTable } from './evaluationParts';

/** @param chartPath where the picture of a chart lies, as seen from the page */
export function reportMarkdown(
  report: EvaluateReport,
  charts: readonly NamedChart[],
  chartPath: (chart: NamedChart) => string,
): string {
  const { title, settings, warnings, scores, legend, generation, effort } = evaluationParts(report);
  const results = harnessResults(report, 0);
  return [
    `# ${marked(title)}`,
    ...warnings.map((warning) => `> ⚠ ${marked(warning)}`),
    '## Scores',
    scoresMarkdown(scores),
    ...legend.map(marked),
    ...(charts.length > 0 ? ['## Charts'] : []),
    ...charts.map((chart) => `![${marked(chart.title)}](${chartPath(chart)})\n\n${marked(chart.caption)}`),
    ...(generation
      ? [
          '## What they write',
          markdownTable(
            generation.head,
            generation.rows.map((row) => row.map(marked)),
            3,
          ),
        ]
      : []),
    '## Settings',
    settings.map(([name, value]) => `- ${marked(name)}: ${marked(value)}`).join('\n'),
    `${marked(effort)}.`,
    '## Tables of lm-evaluation-harness',
    ...report.models.flatMap(({ label }, k) => [`### ${marked(label)}`, harnessTable(results, k)]),
  ]
    .join('\n\n')
    .concat('\n');
}

export const scoresMarkdown = ({ head, rows, nWordColumns }: ScoreTable): string =>
  markdownTable(
    head,
    rows.map(({ depth, isGroup, cells: [first = '', ...cells] }) => [
      `${'&emsp;'.repeat(depth)}${isGroup ? `**${marked(first)}**` : marked(first)}`,
      ...cells.map(marked),
    ]),
    nWordColumns,
  );

/** @param rows already marked */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  nWordColumns: number,
): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, i) => (i < nWordColumns ? '---' : '--:'));
  return [line(head.map(marked)), line(rule), ...rows.map(line)].join('\n');
}

/** Text that stays text, also in a cell. */
export const marked = (text: string): string =>
  printable(text)
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll(/[\\`*_[\]{}|#~!$]/g, '\\$&');
