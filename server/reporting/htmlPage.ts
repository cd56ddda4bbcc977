// One HTML file that stands alone: charts within, no script, nothing loaded, light and dark by the reader's system.
import { escaped } from './escaped';
import type { NamedChart } from './evaluationCharts';
import { darkSheet } from '../shared/styles';

/** @param body HTML already */
export const htmlPage = (title: string, body: readonly string[]): string =>
  [
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

/** A long chart is folded. The page's sheet does what the chart's own would do. */
export function figureHtml({ title, caption, svg }: NamedChart, foldedAbovePx = 900): string {
  const drawn = svg.replace(`<style>${darkSheet}</style>`, '');
  const height = Number(/ height="(\d+)"/.exec(svg)?.[1] ?? 0);
  const figure = `<figure>${drawn}<figcaption class="quiet">${escaped(caption)}</figcaption></figure>`;
  return height > foldedAbovePx
    ? `<details><summary>${escaped(title)}</summary>${figure}</details>`
    : `<h3>${escaped(title)}</h3>${figure}`;
}

/** The first columns are words, the rest figures. */
export function tableHtml(head: readonly string[], rows: readonly (readonly string[])[], nWordColumns: number): string {
  const kind = (i: number) => (i < nWordColumns ? '' : ' class="num"');
  const heads = head.map((text, i) => `<th scope="col"${kind(i)}>${escaped(text)}</th>`).join('');
  const lines = rows.map((row) => `<tr>${row.map((text, i) => `<td${kind(i)}>${escaped(text)}</td>`).join('')}</tr>`);
  return `<div class="wide"><table><thead><tr>${heads}</tr></thead><tbody>${lines.join('\n')}</tbody></table></div>`;
}

const sheet = `
:root{color-scheme:light dark;--fore:#3b3b3b;--quiet:#6a6a6a;--line:#e5e5e5;--back:#ffffff;--warn:#fdf6dd;--warn-line:#b89500}
@media (prefers-color-scheme: dark){:root{--fore:#cccccc;--quiet:#9d9d9d;--line:#333333;--back:#1f1f1f;--warn:#352a05;--warn-line:#b89500}}
body{margin:0;background:var(--back);color:var(--fore);font:13px/1.5 system-ui,sans-serif}
main{max-width:1100px;margin:0 auto;padding:24px 16px}
h1{font-size:20px}h2{font-size:12px;text-transform:uppercase;letter-spacing:.04em;margin:28px 0 8px}h3{font-size:13px;margin:20px 0 4px}
.quiet{color:var(--quiet);font-size:12px}.wide{overflow-x:auto}
.warning{background:var(--warn);border:1px solid var(--warn-line);padding:6px 10px;margin:6px 0}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
th,td{padding:2px 0 2px 14px;text-align:left;vertical-align:top}th:first-child,td:first-child{padding-left:0}
thead th{color:var(--quiet);font-weight:400;vertical-align:bottom;border-bottom:1px solid var(--line)}
tbody th{font-weight:400;white-space:nowrap}.num{text-align:right;white-space:nowrap}thead .num{white-space:normal;min-width:5em}.sure,.group th{font-weight:600}.second{color:var(--quiet)}
tbody th.depth1{padding-left:16px}tbody th.depth2{padding-left:32px}tbody th.depth3{padding-left:48px}
dl{display:grid;grid-template-columns:auto 1fr;gap:2px 16px}dt{color:var(--quiet)}dd{margin:0}
figure{margin:0 0 8px}svg{max-width:100%;height:auto;display:block}details{margin:20px 0 4px}summary{font-weight:600;cursor:pointer}
`;
