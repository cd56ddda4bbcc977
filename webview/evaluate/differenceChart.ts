// The chart of the differences below the table, where the page is too narrow for them to be a column of it.
import { html, nothing, type TemplateResult } from 'lit';
import { isShare } from '../../server/shared/metrics';
import { axis, plot, sign } from './plot';
import { type TableView, variantsOf } from './view';
import { differenceText, intervalText } from './words';

export function strip(view: TableView): TemplateResult | typeof nothing {
  const variants = variantsOf(view);
  const shown = view.shown.filter(
    ({ row, depth }) => isShare(row.metric) && (depth === 0 || view.state.host.view.filter !== ''),
  );
  if (variants.length === 0 || shown.length === 0) return nothing;
  const label = shown
    .map(
      ({ row }) =>
        `${row.title}: ${variants
          .map((column, i) => {
            const { difference, value } = row.cells[i]!;
            return `${column.name} ${differenceText(row, difference, value)} ${intervalText(row, difference)}`;
          })
          .join(', ')}`,
    )
    .join('; ');
  return html`
    <figure id="strip" role="img" aria-label="Difference to base in points. ${label}">
      <h2>Difference to base, points</h2>
      <p class="row small quiet">${variants.map((column) => html`<span class="named">${sign(column)}<bdi>${column.name}</bdi></span>`)}</p>
      <table><tbody>
        ${shown.map(({ row }) => html`<tr><th><bdi>${row.title}</bdi></th><td>${plot(row, variants, view.scale)}</td></tr>`)}
        <tr><th></th><td>${axis(view.scale)}</td></tr>
      </tbody></table>
    </figure>`;
}
