// The table of scores. A row is a task, and its last column draws the difference of each variant, so that chart and numbers
// stand side by side.
import { html, nothing, type TemplateResult } from 'lit';
import type { EvaluationSort } from '../../server/protocol/pages/evaluate';
import { isShare, metricOf } from '../../server/shared/metrics';
import { plain } from '../../server/shared/numbers';
import { verdictMarks } from '../../server/shared/scores';
import { icon } from '../components/icons';
import type { EvaluateActions } from './actions';
import type { Cell } from './cell';
import type { Column } from './columns';
import { detailsOf } from './details';
import type { ShownRow } from './order';
import { axis, plot, sign } from './plot';
import { leavesOf, nItemsOf, type Row } from './table';
import { type TableView, variantsOf } from './view';
import { differenceText, intervalText, valueText, verdictText } from './words';

export const scores = (view: TableView, act: EvaluateActions): TemplateResult => html`
  <div class="scroll">
    <table id="scores" role="treegrid" @keydown=${act.key}>
      <caption class="sr">Score of each task in percent, difference to base in points with its 95 % interval</caption>
      ${head(view, act)}
      <tbody>${view.shown.map((shown) => line(shown, view, act))}</tbody>
    </table>
  </div>
  ${view.shown.length === 0 ? html`<p class="quiet small" id="nothing-shown" role="status">${nothingShown(view)}</p>` : nothing}`;

function head(view: TableView, act: EvaluateActions): TemplateResult {
  const variants = variantsOf(view);
  const { sort } = view.state.host.view;
  const heading = (by: EvaluationSort['by'], variant: number, text: string, name: string, kind: string) => {
    const mine = sort?.by === by && sort.variant === variant ? sort : null;
    const order = mine ? (mine.descending ? 'descending' : 'ascending') : 'none';
    return html`<th class=${kind} scope="col" aria-sort=${order}>
      <button class="sort" type="button" title="Sort by ${name}" @click=${() => act.sort(by, variant)}
        >${text}<span class="sr"> ${name}</span>${mine ? icon(mine.descending ? 'arrow-down' : 'arrow-up', 's') : nothing}</button></th>`;
  };
  return html`
    <thead>
      <tr>
        <td></td><td class="wide"></td><td></td>
        <th class="num strong" scope="col">Original</th>
        ${variants.map(
          (column) => html`<th class="variant" scope="colgroup" colspan="2" title=${column.model.label}>
            <span class="named">${sign(column)}<bdi>${column.name}</bdi>${removeButton(column, view, act)}</span></th>`,
        )}
        ${variants.length > 0 ? html`<th class="plot">Difference to original, points</th>` : nothing}
      </tr>
      <tr>
        ${heading('task', 0, 'Task', 'by name', '')}<th class="num wide" scope="col">Shots</th><th class="num" scope="col">n</th>
        ${heading('base', 0, '%', 'original', 'num')}
        ${variants.map((column, i) => [
          heading('value', i, '%', column.name, 'num first'),
          heading('difference', i, 'difference', column.name, 'num'),
        ])}
        ${variants.length > 0 ? html`<th class="plot">${axis(view.scale)}</th>` : nothing}
      </tr>
    </thead>`;
}

/** Variants of another run can be taken out again: the last of them has a button. */
function removeButton(column: Column, view: TableView, act: EvaluateActions) {
  const { runId } = column.sheet;
  const last = variantsOf(view).findLast(({ sheet }) => sheet.runId === runId);
  if (runId === view.evaluation.run.runId || column !== last) return nothing;
  return html`<button class="tool close" type="button" title="Take this evaluation out of the table" @click=${() => act.remove({ runId })}>${icon('close', 's')}</button>`;
}

function line({ row, depth, open }: ShownRow, view: TableView, act: EvaluateActions): TemplateResult {
  const { current, detailed } = view.state;
  const variants = variantsOf(view);
  const first = current !== null && view.shown.some((it) => it.row.key === current) ? current : view.shown[0]?.row.key;
  const n = nItemsOf(row);
  const isDetailed = detailed.includes(row.key);
  return html`
    <tr
      class="${row.kind} depth-${Math.min(depth, 2)}" data-row=${row.key} tabindex=${row.key === first ? 0 : -1}
      aria-level=${depth + 1} aria-expanded=${open ?? nothing} @focus=${() => act.current(row.key)} @click=${() => act.details(row.key)}
    >
      <th scope="row"><span class="name">
        ${
          open === null
            ? nothing
            : html`<button
              class="twist" type="button" tabindex="-1" aria-label="${open ? 'Close' : 'Open'} ${row.title}"
              @click=${(event: Event) => {
                event.stopPropagation();
                act.open(row.key, !open);
              }}
            >${icon(open ? 'chevron-down' : 'chevron-right')}</button>`
        }<bdi>${row.title}</bdi>${aside(row)}${cannotShow(row)}</span></th>
      <td class="num quiet wide">${row.nFewShot ?? ''}</td>
      <td class="num quiet">${n ?? ''}</td>
      <td class="num">${valueText(row, row.base)}</td>
      ${row.cells.map((cell) => cells(row, cell))}
      ${variants.length === 0 ? nothing : html`<td class="plot">${isShare(row.metric) ? plot(row, variants, view.scale) : times(row, variants)}</td>`}
    </tr>
    ${isDetailed ? detailsOf(row, view) : nothing}`;
}

function cells(row: Row, { value, difference }: Cell): TemplateResult {
  const verdict = difference.state === 'known' ? difference.verdict : null;
  const sure = difference.state === 'known' && difference.sure;
  const differs = difference.state === 'differs';
  return html`
    <td class="num first">${valueText(row, value)}</td>
    <td class="num differ ${difference.state === 'known' ? '' : 'quiet'}"
      >${differs ? icon('warning', 's warn') : nothing}<span class=${sure ? 'strong' : ''}>${differenceText(row, difference, value)}</span
      ><span class="half"> ${intervalText(row, difference)}</span
      >${
        differs
          ? nothing
          : html`<span class="mark" title=${verdictText(difference) || nothing}>${verdict ? verdictMarks[verdict] : ''}<span class="sr">${verdictText(difference)}</span></span>`
      }</td>`;
}

/** Behind a title: how many tasks a group has, and the metric where it is no share of right answers. */
function aside(row: Row) {
  if (row.kind === 'group') {
    const n = leavesOf(row.children).length;
    return html` <span class="small quiet">${n === 1 ? '1 task' : `${n} ${row.key.startsWith('mmlu') ? 'subjects' : 'tasks'}`}</span>`;
  }
  return isShare(row.metric) ? nothing : html` <span class="small quiet">${metricOf(row.metric).label}</span>`;
}

function cannotShow({ base, chance, kind }: Row) {
  if (kind !== 'task' || chance === null || base.state !== 'known' || base.value > chance) return nothing;
  const why = `The original scores ${plain(base.value, 1)} %, chance is ${plain(chance, 1)} %: this task cannot show a loss`;
  return html` <span title=${why}>${icon('info', 's')}<span class="sr">base is not above chance</span></span>`;
}

/** Instead of the plot, whose scale is points: a perplexity as a multiple of that of the original. */
function times({ base, cells: own }: Row, variants: readonly Column[]) {
  if (base.state !== 'known') return nothing;
  const ratios = own.map(({ difference, value }) =>
    difference.state === 'known' && value.state === 'known' ? `× ${plain(value.value / base.value, 2)}` : '–',
  );
  return html`<span class="small quiet">${ratios.map((text, i) => html`${sign(variants[i]!)} ${text} `)}</span>`;
}

function nothingShown({ state, rows }: TableView): string {
  if (rows.length === 0) return 'No score is known yet.';
  const { filter, significant } = state.host.view;
  if (!significant) return `No task is called like “${filter.trim()}”.`;
  return 'No difference is significant after Holm’s correction over the tasks.';
}
