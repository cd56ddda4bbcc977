// An evaluation as one HTML file: charts within, no script, nothing loaded, light and dark by the reader's system.
import type { EvaluateReport } from '../protocol';
import { escaped } from './escaped';
import type { NamedChart } from './evaluationCharts';
import { evaluationParts, type ScoreTable } from './evaluationParts';
import { darkSheet } from './looks';

export function reportHtml(report: EvaluateReport, charts: readonly NamedChart[]): string {
  const { title, settings, warnings, scores, legend, generation, effort } = evaluationParts(report);
  const body = [
    `<h1>${escaped(title)}</h1>`,
    ...warnings.map((warning) => `<p class="warning">⚠ ${escaped(warning)}</p>`),
    '<h2>Scores</h2>',
    scoresHtml(scores, (row) => !isDeep(row)),
    ...legend.map((line) => `<p class="quiet">${escaped(line)}</p>`),
    ...(charts.length > 0 ? ['<h2>Charts</h2>'] : []),
    ...charts.map(figureHtml),
    ...(scores.rows.some(isDeep)
      ? [`<details><summary>Scores of single subjects</summary>${scoresHtml(scores, isDeep)}</details>`]
      : []),
    ...(generation ? ['<h2>What they write</h2>', tableHtml(generation.head, generation.rows)] : []),
    '<h2>Settings</h2>',
    `<dl>${settings.map(([name, value]) => `<dt>${escaped(name)}</dt><dd>${escaped(value)}</dd>`).join('')}</dl>`,
    `<p class="quiet">${escaped(effort)}.</p>`,
  ];
  return [
    '<!doctype html>',
    '<html lang="en">',
    '<head>',
    '<meta charset="utf-8">',
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">`,
    '<meta name="viewport" content="width=device-width">',
    `<title>${escaped(title)}</title>`,
    `<style>${sheet}${darkSheet}</style>`,
    '</head>',
    `<body><main>${body.join('\n')}</main></body>`,
    '</html>',
    '',
  ].join('\n');
}

/** A long chart is folded. The page's sheet does what the chart's own would do. */
function figureHtml({ title, caption, svg }: NamedChart): string {
  const drawn = svg.replace(`<style>${darkSheet}</style>`, '');
  const height = Number(/ height="(\d+)"/.exec(svg)?.[1] ?? 0);
  const figure = `<figure>${drawn}<figcaption class="quiet">${escaped(caption)}</figcaption></figure>`;
  return height > foldedAbovePx
    ? `<details><summary>${escaped(title)}</summary>${figure}</details>`
    : `<h3>${escaped(title)}</h3>${figure}`;
}

const foldedAbovePx = 900;

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

const tableHtml = (head: readonly string[], rows: readonly (readonly string[])[]) =>
  `<div class="wide"><table><thead><tr>${head.map((text) => `<th scope="col">${escaped(text)}</th>`).join('')}</tr></thead>` +
  `<tbody>${rows.map((row) => `<tr>${row.map((text) => `<td>${escaped(text)}</td>`).join('')}</tr>`).join('\n')}</tbody></table></div>`;

const sheet = `
:root{color-scheme:light dark;--fore:#3b3b3b;--quiet:#6a6a6a;--line:#e5e5e5;--back:#ffffff;--warn:#fdf6dd;--warn-line:#b89500}
@media (prefers-color-scheme: dark){:root{--fore:#cccccc;--quiet:#9d9d9d;--line:#333333;--back:#1f1f1f;--warn:#352a05;--warn-line:#b89500}}
body{margin:0;background:var(--back);color:var(--fore);font:13px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:24px 16px}
h1{font-size:20px}h2{font-size:12px;text-transform:uppercase;letter-spacing:.04em;margin:28px 0 8px}h3{font-size:13px;margin:20px 0 4px}
.quiet{color:var(--quiet);font-size:12px}.wide{overflow-x:auto}
.warning{background:var(--warn);border:1px solid var(--warn-line);padding:6px 10px;margin:6px 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:2px 0 2px 14px;text-align:left;vertical-align:top}th:first-child{padding-left:0}
thead th{color:var(--quiet);font-weight:400;vertical-align:bottom;border-bottom:1px solid var(--line)}
tbody th{font-weight:400;white-space:nowrap}.num{text-align:right;white-space:nowrap}thead .num{white-space:normal;min-width:5em}.sure,.group th{font-weight:600}.second{color:var(--quiet)}
tbody th.depth1{padding-left:16px}tbody th.depth2{padding-left:32px}tbody th.depth3{padding-left:48px}
dl{display:grid;grid-template-columns:auto 1fr;gap:2px 16px}dt{color:var(--quiet)}dd{margin:0}
figure{margin:0 0 8px}svg{max-width:100%;height:auto;display:block}details{margin:20px 0 4px}summary{font-weight:600;cursor:pointer}
`;
