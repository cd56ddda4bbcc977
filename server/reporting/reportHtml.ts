// An evaluation as one HTML file, with its charts within.
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import { escaped } from './escaped';
import type { NamedChart } from './evaluationCharts';
import { evaluationParts, type ScoreTable } from './evaluationParts';
import { figureHtml, htmlPage, tableHtml } from './htmlPage';

export function reportHtml(report: EvaluateReport, charts: readonly NamedChart[]): string {
  const { title, settings, warnings, scores, legend, generation, effort } = evaluationParts(report);
  const body = [
    `<h1>${escaped(title)}</h1>`,
    ...warnings.map((warning) => `<p class="warning">⚠ ${escaped(warning)}</p>`),
    '<h2>Scores</h2>',
    scoresHtml(scores, (row) => !isDeep(row)),
    ...legend.map((line) => `<p class="quiet">${escaped(line)}</p>`),
    ...(charts.length > 0 ? ['<h2>Charts</h2>'] : []),
    ...charts.map((chart) => figureHtml(chart)),
    ...(scores.rows.some(isDeep)
      ? [`<details><summary>Scores of single subjects</summary>${scoresHtml(scores, isDeep)}</details>`]
      : []),
    ...(generation
      ? ['<h2>What they write</h2>', tableHtml(generation.head, generation.rows, generation.head.length)]
      : []),
    '<h2>Settings</h2>',
    `<dl>${settings.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>`,
    `<p class="quiet">${escaped(effort)}.</p>`,
  ];
  return htmlPage(title, body);
}

type Row = ScoreTable['rows'][number];

/** Single subjects, of which there are many, come folded behind the charts. */
const isDeep = ({ depth }: Row) => depth > 1;

/** Marks stand out by weight as well as by their shape. */
function scoresHtml({ head, nWordColumns, rows: all }: ScoreTable, keep: (row: Row) => boolean): string {
  const rows = all.filter(keep);
  const cell = (text: string, i: number) =>
    `<td class="${i < nWordColumns ? '' : 'num'}${/[▼▲]/.test(text) ? ' sure' : ''}">${escaped(text)}</td>`;
  const lines = rows.map(({ depth, isGroup, isSecond, cells: [first = '', ...cells] }) => {
    const name = `<th scope="row" class="depth${Math.min(depth, 3)}">${escaped(first)}</th>`;
    return `<tr${isGroup ? ' class="group"' : isSecond ? ' class="second"' : ''}>${name}${cells.map((text, i) => cell(text, i + 1)).join('')}</tr>`;
  });
  const heads = head.map((text, i) => `<th scope="col"${i < nWordColumns ? '' : ' class="num"'}>${escaped(text)}</th>`);
  return `<div class="wide"><table><thead><tr>${heads.join('')}</tr></thead><tbody>${lines.join('\n')}</tbody></table></div>`;
}
