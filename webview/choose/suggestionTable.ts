// The table of methods and suggestions: how well each method predicts the measured losses of this model, and what its pick
// costs for each number of blocks. A click on a number chooses that drop set.
import { html, nothing, type TemplateResult } from 'lit';
import { dropSetInWords, keyOf } from '../../server/shared/dropSets';
import { notFinite } from '../../server/shared/finite';
import { correlation, cost, counted, duration, nameInWords, plain } from '../../server/shared/numbers';
import { link, tool } from '../components/controls';
import { hideTip, showTip } from '../components/tooltip';
import type { Actions } from './actions';
import { isKnown, type LossOfChoice } from './measured';
import { canAsk } from './state';
import type { SuggestionCell, SuggestionRow } from './suggestions';
import { countsShown, type View } from './view';

export function suggestionTable(view: View, act: Actions): TemplateResult {
  const { counts, suggestions, mostCount, method } = view;
  const last = counts.at(-1) ?? 1;
  const hasLosses = suggestions.some(({ cells }) => cells.some((cell) => cell && cell.loss.kind !== 'unknown'));
  return html`
    <section aria-labelledby="methods-title">
      <div class="row heading">
        <h2 id="methods-title">Methods and suggestions</h2><span class="grow"></span>
        ${tool({ icon: 'chevron-left', title: 'Fewer blocks', disabled: counts[0] === 1, onPress: () => act.showCounts(-countsShown) })}
        <span class="quiet small">${counts[0]}–${last}</span>
        ${tool({ icon: 'chevron-right', title: 'More blocks', disabled: last >= mostCount, onPress: () => act.showCounts(countsShown) })}
      </div>
      <table id="methods" class="grid">
        <caption class="sr">Loss added in nats by what each method picks, by number of blocks</caption>
        <thead>
          <tr>
            <th scope="col">Method</th>
            <th scope="col" class="num" title="Spearman rank correlation of the method with the measured loss of single removals">ρ</th>
            ${counts.map((n, i) => html`<th scope="col" class="num">${i === 0 ? `n = ${n}` : n}</th>`)}
          </tr>
        </thead>
        <tbody>${suggestions.map((row) => suggestionRow(view, act, row, row.kind === 'method' && row.name === method?.name))}</tbody>
      </table>
      ${lost(view)}
      ${
        hasLosses
          ? html`<p class="small quiet note-below">
              Loss added in nats when a method picks the blocks; click to take them. Underlined: least for that count.
              ≈ sum of single removals, not yet measured. ${measureAll(view, act)}
            </p>`
          : html`<p class="small quiet note-below">
              What each method picks; click to take the blocks. Losses are shown once they are measured.
            </p>`
      }
    </section>`;
}

/** Methods that nothing can be chosen by. */
function lost({ state }: View) {
  const methods = state.host.analysis?.notFinite ?? [];
  if (methods.length === 0) return nothing;
  const named = methods.map(({ method, block }) => `${nameInWords(method).toLowerCase()} (block ${block})`);
  return html`<p class="small warn note-below">Scores that are ${notFinite}, and choose nothing: ${named.join(', ')}.</p>`;
}

function suggestionRow(view: View, act: Actions, row: SuggestionRow, now: boolean): TemplateResult {
  return html`
    <tr class=${now ? 'now' : ''}>
      <th scope="row">
        <span class="method-mark ${now ? 'is-now' : row.kind === 'removals' ? 'is-measured' : ''}" aria-hidden="true">${row.mark}</span>${
          row.kind === 'method' ? link(row.label, () => act.showMethod(row.name), 'Show in the bars') : row.label
        }
      </th>
      <td class="num quiet">${row.correlation === null ? '' : correlation(row.correlation)}</td>
      ${row.cells.map(
        (cell, i) => html`<td class="n">${cell ? takeButton(view, act, row, cell, view.counts[i]!) : noPick}</td>`,
      )}
    </tr>`;
}

const noPick = html`<span class="quiet" title="Not possible around the protected blocks">–</span>`;

const lossless = (loss: LossOfChoice): string => (loss.kind === 'notFinite' ? notFinite : '…');

function takeButton(view: View, act: Actions, row: SuggestionRow, { drop, loss, least }: SuggestionCell, n: number) {
  const pressed = keyOf(drop) === keyOf(view.choice.drop);
  const costNats = 'costNats' in loss ? loss.costNats : null;
  const measured = isKnown(loss);
  const text =
    costNats === null
      ? lossless(loss)
      : measured
        ? plain(costNats, costNats < 10 ? 3 : 2)
        : `≈${plain(costNats, costNats < 10 ? 2 : 1)}`;
  const inWords =
    costNats === null
      ? measured
        ? `loss ${notFinite}`
        : ''
      : `${measured ? 'measured' : 'estimated'} ${cost(costNats)} nats`;
  const tip = [`${row.label}, n = ${n}`, dropSetInWords(drop), inWords].filter(Boolean).join('\n');
  return html`<button
    class="take ${measured ? (least ? 'best' : '') : 'guess'}" type="button" aria-pressed=${pressed}
    aria-label="${row.label}, ${counted(n, 'block')}: ${dropSetInWords(drop)}${inWords ? `, ${inWords}` : ''}"
    @click=${() => act.take(drop)}
    @mousemove=${(event: MouseEvent) => {
      showTip(tip, event);
      act.preview(drop.blocks);
    }}
    @mouseleave=${() => {
      hideTip();
      act.preview([]);
    }}
  >${text}</button>`;
}

function measureAll(view: View, act: Actions) {
  const { state, unmeasured, phase } = view;
  if (state.queue)
    return html`<span>Measuring, ${counted(state.queue.length, 'set')} left. </span>${link('Stop', act.stopMeasuring)}`;
  if (unmeasured.length === 0 || phase !== 'ready' || !canAsk(state)) return nothing;
  const times = state.answerTimesMs;
  const mean = times.reduce((a, b) => a + b, 0) / times.length;
  const seconds = times.length > 0 ? `, ${duration((mean * unmeasured.length) / 1000)}` : '';
  return link(`Measure all${seconds}`, () => act.measureAll(unmeasured));
}
