// The details of a row: every metric with its standard error, the items whose answer changed, and the test of that change.
import { html, nothing, type TemplateResult } from 'lit';
import { metricOf } from '../../server/shared/metrics';
import { counted, plain } from '../../server/shared/numbers';
import { scoreText } from '../../server/shared/scores';
import { comparisonOf, scoreOf } from './cell';
import type { Column } from './columns';
import type { Row } from './table';
import { type TableView, variantsOf } from './view';

export function detailsOf(row: Row, view: TableView): TemplateResult {
  const width = 4 + 3 * view.columns.length;
  return html`
    <tr class="details"><td colspan=${width}>
      <dl>${view.columns.map((column) => html`<dt><bdi>${column.name}</bdi></dt><dd>${valuesOf(row, column)}</dd>`)}</dl>
      <ul>${variantsOf(view).map((column, i) => changesOf(row, column, i))}</ul>
    </td></tr>`;
}

function valuesOf(row: Row, column: Column): string {
  const metrics = row.task?.metrics ?? [row.metric];
  const known = metrics.flatMap((metric) => {
    const score = scoreOf(column, row.key, metric);
    if (!score) return [];
    const error = score.stderr === null ? '' : `, standard error ${scoreText(metric, score.stderr, score.value)}`;
    return [`${metricOf(metric).label} ${scoreText(metric, score.value)}${error}`];
  });
  return known.length > 0 ? known.join('; ') : row.kind === 'mean' ? 'the mean of the tasks above' : 'no score';
}

function changesOf({ key, metric, cells }: Row, column: Column, i: number) {
  const difference = cells[i]?.difference;
  if (difference?.state === 'differs')
    return html`<li><bdi>${column.name}</bdi> cannot be compared here: ${difference.mismatches
      .slice(0, 3)
      .map(({ base, variant }) => `original ${base}, this ${variant}`)
      .join('; ')}</li>`;
  const comparison = comparisonOf(column, key, metric);
  if (!comparison) return nothing;
  const { flipped, mcnemarP, significant } = comparison;
  const items = flipped
    ? `${counted(flipped.toWrong + flipped.toRight, 'question')} changed: ${flipped.toWrong} from right to wrong, ${flipped.toRight} from wrong to right`
    : 'compared by the documents that both scored';
  const chance = mcnemarP === null ? '' : `; by chance alone so or more so with p = ${probability(mcnemarP)} (McNemar)`;
  const holm =
    mcnemarP === null ? '' : significant ? ', significant among all tasks' : ', not significant among all tasks';
  return html`<li><bdi>${column.name}</bdi>: ${items}${chance}${holm}.</li>`;
}

const probability = (p: number): string => (p < 0.001 ? p.toExponential(0).replace('e-', 'e−') : plain(p, 3));
