// The table of blocks. Each row has the block's name in the middle, a bar to the left for the method's score and a bar to
// the right for the measured cost, so that a block whose cost the method mispredicts looks lopsided. Rows are blocks and,
// where they are opened, their sublayers. The table is one tab stop.
import { html, nothing, svg, type TemplateResult } from 'lit';
import type { MeasuredLoss } from '../../server/protocol/reports';
import { notFinite } from '../../server/shared/finite';
import { cost as costText, costWithInterval, loss, ordinal, plain } from '../../server/shared/numbers';
import { normalQuantile } from '../../server/shared/statistics';
import { type Sublayer, sublayerNames } from '../../server/shared/sublayers';
import { dropdown, tool } from '../components/controls';
import { icon } from '../components/icons';
import { hideTip, showTip } from '../components/tooltip';
import type { Actions } from './actions';
import { isDropped, isRow, type Row } from './choice';
import { headInBlocks } from './facts';
import { isFiniteLoss } from './measured';
import type { ScoredMethod } from './methods';
import { visibleRows } from './state';
import type { View } from './view';

export function blockTable(view: View, act: Actions): TemplateResult {
  const { method, methods, state, nBlocks } = view;
  const rows = visibleRows(state);
  const measured = view.removals.some(Boolean);
  const head = Math.round(headInBlocks(state.host.model));
  return html`
    <table
      id="blocks" role="treegrid" aria-multiselectable="true" aria-label="Blocks" aria-rowcount=${rows.length + 3}
      @keydown=${(event: KeyboardEvent) => act.keyOnRow(event)}
    >
      <colgroup>
        <col class="value"><col><col class="name-column"><col><col class="cost"><col class="rank"><col class="lock">
      </colgroup>
      <thead>
        <tr>
          <th class="num method" colspan="2">${
            method
              ? dropdown({
                  id: 'method',
                  label: 'Method',
                  choices: methods.map((it) => ({ value: it.name, label: methodTitle(it) })),
                  value: method.name,
                  onChange: act.showMethod,
                })
              : nothing
          }</th>
          <th class="name-column">Drop</th>
          <th class="heading" colspan="2">${
            measured ? html`<span class="strong">Loss added without it</span><br />measured, nats` : nothing
          }</th>
          <th class="rank">${
            method && nBlocks > 1
              ? html`<span class="nowrap">Rank by method</span
                  ><span class="ends"><span>1 least</span><span>most ${nBlocks}</span></span>`
              : nothing
          }</th>
          <th class="lock"></th>
        </tr>
      </thead>
      <tbody>
        ${end('embed', method ? 'faint line: median' : '', measured ? 'bars end at 4 × median' : '')}
        ${rows.map((row) => (row.sublayer === null ? blockRow(view, act, row.block) : sublayerRow(view, act, row.block, row.sublayer)))}
        ${end('head', '', `costs as much time as ${head === 1 ? '1 block' : `${head} blocks`}`)}
      </tbody>
    </table>
    <p class="small quiet hint">
      Space drops a block, Shift with arrows or a click takes a range, P protects, → shows attention and MLP.
    </p>`;
}

const methodTitle = ({ label, shownPer }: ScoredMethod): string => (shownPer === 1 ? label : `${label}, 10³`);

const end = (name: string, left: string, right: string) => html`
  <tr class="end">
    <td colspan="2" class="num quiet small">${left}</td>
    <td class="name-column">${name}</td>
    <td colspan="4" class="quiet small">${right}</td>
  </tr>`;

function blockRow(view: View, act: Actions, block: number): TemplateResult {
  const { method, choice, barEnds, state, nBlocks } = view;
  const row: Row = { block, sublayer: null };
  const [dropped, kept] = [isDropped(choice.drop, row), choice.protected.includes(block)];
  const surprising = view.surprises.includes(block);
  const removal = view.removals[block]!;
  const score = method?.scores[block];
  const text = describe(view, block);
  const classes = [
    dropped ? 'dropped' : '',
    surprising ? 'surprise' : '',
    state.preview.includes(block) ? 'preview' : '',
    choice.drop.attention.includes(block) || choice.drop.mlp.includes(block) ? 'halved' : '',
  ];
  return html`
    <tr
      class=${classes.filter(Boolean).join(' ')} data-block=${block} tabindex=${isRow(state.current, row) ? 0 : -1}
      aria-selected=${dropped} aria-expanded=${state.allOpen || state.open.has(block)} aria-level="1"
      aria-label=${text.replaceAll('\n', '. ')}
      @mousemove=${(event: MouseEvent) => showTip(text, event)} @mouseleave=${hideTip}
      @focus=${() => act.currentIs(row)}
    >
      <td class="value num">${score === undefined ? '' : plain(score / method!.shownPer, method!.digits)}</td>
      <td>${score === undefined ? nothing : valueBar('left', score, method!.errors[block] ?? null, barEnds.score)}</td>
      <td class="name-column" @click=${(event: MouseEvent) => act.pick(event, row)}>
        <span>${kept ? icon('lock') : html`<span class="box"></span>`}<span class="name">${block}</span></span>
      </td>
      <td>${costBar(removal, barEnds.cost)}</td>
      <td class="cost num">${
        surprising ? html`${icon('warning', 'warn')}<span class="sr">Costs more than it looks. </span> ` : nothing
      }<span class=${surprising ? 'strong' : ''}>${removal ? costOf(removal) : ''}</span></td>
      <td class="rank">${method && nBlocks > 1 ? strip(view, block) : nothing}</td>
      <td class="lock">${protectButton(block, kept, act)}</td>
    </tr>`;
}

const protectButton = (block: number, kept: boolean, act: Actions) => html`
  <button
    class="tool" type="button" tabindex="-1" aria-pressed=${kept} title="Protect block (P)"
    aria-label="Protect block ${block}" @click=${() => act.protect([block], !kept)}
  >${icon(kept ? 'lock' : 'unlock')}</button>`;

const shortNames: Record<Sublayer, string> = { attention: 'attn', mlp: 'mlp' };

function sublayerRow(view: View, act: Actions, block: number, sublayer: Sublayer): TemplateResult {
  const { choice, state, barEnds, sublayers } = view;
  const row: Row = { block, sublayer };
  const withBlock = choice.drop.blocks.includes(block);
  const gone = state.host.model.droppedSublayers[sublayer].includes(block);
  const [dropped, kept] = [isDropped(choice.drop, row) || gone, choice.protected.includes(block)];
  const removal = sublayers[sublayer].costs[block]!;
  const norm = sublayers[sublayer].norms?.[block];
  const name = sublayerNames[sublayer];
  const label = [
    `${name} of block ${block}`,
    gone ? 'already left out' : withBlock ? 'goes with its block' : dropped ? 'dropped' : '',
    norm === undefined ? '' : `norm of its output over its input ${plain(norm, 2)}`,
    removal ? `loss without it ${inNats(removal)}` : '',
  ];
  return html`
    <tr
      class="part ${dropped ? 'dropped' : ''}" data-block=${block} data-sublayer=${sublayer} aria-level="2"
      tabindex=${isRow(state.current, row) ? 0 : -1} aria-selected=${dropped} aria-disabled=${withBlock || gone || kept}
      aria-label=${label.filter(Boolean).join(', ')} @focus=${() => act.currentIs(row)}
    >
      <td class="value num quiet">${norm === undefined ? '' : plain(norm, 2)}</td>
      <td>${norm === undefined ? nothing : valueBar('left', norm, null, barEnds[sublayer])}</td>
      <td class="name-column" @click=${(event: MouseEvent) => act.pick(event, row)}>
        <span>${kept ? icon('lock') : html`<span class="box ${withBlock || gone ? 'off' : ''}"></span>`}<span class="name quiet">${shortNames[sublayer]}</span></span>
      </td>
      <td>${costBar(removal, barEnds.cost)}</td>
      <td class="cost num">${removal ? costOf(removal) : ''}</td>
      <td class="rank quiet nowrap" colspan="2" title="Norm of the ${name} output over the norm of its input">${
        norm === undefined ? '' : 'norm out / in'
      }</td>
    </tr>`;
}

/** A bar away from the column of names, its 95 % interval, and a cut where the bar is longer than there is room. */
function valueBar(side: 'left' | 'right', value: number, standardError: number | null, scale: number): TemplateResult {
  const at = (part: number) => `${(100 * (side === 'left' ? 1 - part : part)).toFixed(2)}%`;
  const part = scale > 0 ? Math.min(Math.max(value, 0) / scale, 1) : 0;
  const error = scale > 0 && standardError !== null ? (normalQuantile * standardError) / scale : 0;
  const cut = value > scale && scale > 0;
  return html`<svg class="value-bar" width="100%" height="20" aria-hidden="true">
    <line class="guide" x1=${at(0.25)} x2=${at(0.25)} y1="0" y2="20"></line>
    <rect
      class=${side === 'left' ? 'predicted' : 'measured'} x=${side === 'left' ? at(part) : 0} y="5"
      width="${(100 * part).toFixed(2)}%" height="10"
    ></rect>
    ${
      cut
        ? svg`<svg x=${at(0.9)} overflow="visible"><path class="gap" d="M-4 17L0 3M0 17L4 3"></path></svg>`
        : error > 0
          ? svg`<line class="whisker" x1=${at(Math.max(part - error, 0))} x2=${at(Math.min(part + error, 1))} y1="10" y2="10"></line>`
          : nothing
    }
  </svg>`;
}

/** Where each method and the measurement rank the block. */
function strip(view: View, block: number): TemplateResult {
  const { nBlocks, shownMethods, method, costRanks } = view;
  const x = (rank: number) => 4 + ((rank - 1) / (nBlocks - 1)) * 84;
  const others = shownMethods.filter((it) => it.name !== method!.name);
  const measured = costRanks?.[block];
  const apart = view.surprises.includes(block)
    ? [method!.ranks[block]!, measured!]
    : [...shownMethods.map((it) => it.ranks[block]!), ...(measured === undefined ? [] : [measured])];
  const place = (it: ScoredMethod) => `translate(${x(it.ranks[block]!).toFixed(1)} 10)`;
  return html`<svg width="92" height="20" aria-hidden="true">
    <line class="spread" x1=${x(Math.min(...apart))} x2=${x(Math.max(...apart))} y1="10" y2="10"></line>
    ${others.map((it) => svg`<path class="mark" d=${it.shape} transform=${place(it)}></path>`)}
    ${
      measured === undefined
        ? nothing
        : svg`<line class="tick" x1=${x(measured)} x2=${x(measured)} y1="4" y2="16"></line>`
    }
    <path class="mark now" d=${method!.shape} transform=${place(method!)}></path>
  </svg>`;
}

/** All numbers of a block, one fact a line. */
function describe(view: View, block: number): string {
  const { method, costRanks, nBlocks, choice, sublayers, state } = view;
  const removal = view.removals[block]!;
  const kept = choice.protected.includes(block) ? ', protected' : '';
  const dropped = choice.drop.blocks.includes(block) ? ', dropped' : '';
  const rank = costRanks ? `, ${ordinal(costRanks[block]!)} of ${nBlocks}` : '';
  const sublayer = (name: Sublayer) =>
    sublayers[name].costs[block]
      ? `without its ${sublayerNames[name]} ${measuredText(sublayers[name].costs[block]!)}`
      : choice.drop[name].includes(block)
        ? `its ${sublayerNames[name]} is dropped`
        : '';
  const parts = [sublayer('attention'), sublayer('mlp')].filter(Boolean).join(', ');
  return [
    `Block ${block}${kept}${dropped}`,
    method?.scores[block] === undefined
      ? ''
      : `${method.label} ${exactScore(method, block)}, ${ordinal(method.ranks[block]!)} of ${nBlocks}`,
    removal ? `Loss without it ${lossInWords(removal, rank)}` : '',
    parts.charAt(0).toUpperCase() + parts.slice(1),
    removal && state.host.analysis?.source
      ? `± is a 95 % interval over ${sequences(state.host.analysis.source.nSequences)}`
      : '',
  ]
    .filter(Boolean)
    .join('\n');
}

/** One digit more than in the row. */
const exactScore = ({ scores, shownPer, digits }: ScoredMethod, block: number): string =>
  plain(scores[block]! / shownPer, digits + 1);

const measuredText = (loss: MeasuredLoss) =>
  isFiniteLoss(loss) ? costWithInterval(loss.costNats, loss.costStandardError) : notFinite;
const inNats = (loss: MeasuredLoss) => (isFiniteLoss(loss) ? `${measuredText(loss)} nats` : notFinite);
const lossInWords = (removal: MeasuredLoss, rank: string) =>
  isFiniteLoss(removal) ? `${loss(removal.lossNats)} nats (${measuredText(removal)})${rank}` : notFinite;
const costOf = (loss: MeasuredLoss) => (isFiniteLoss(loss) ? costText(loss.costNats) : notFinite);
const costBar = (loss: MeasuredLoss | null, end: number) =>
  loss && isFiniteLoss(loss) ? valueBar('right', loss.costNats, loss.costStandardError, end) : nothing;

const sequences = (n: number) => (n === 1 ? '1 sequence' : `${n} sequences`);

/** The buttons over the table that concern the whole choice. */
export function choiceTools({ state }: View, act: Actions): TemplateResult {
  const { past, future } = state.history;
  return html`
  <span class="row tools" role="toolbar" aria-label="Choice">
    ${tool({
      id: 'sublayers',
      icon: 'layers',
      text: 'Sublayers',
      title: 'Show attention and MLP of every block',
      pressed: state.allOpen,
      onPress: act.openAll,
    })}
    ${tool({ id: 'undo', icon: 'discard', title: 'Undo (Ctrl+Z)', disabled: past.length === 0, onPress: act.undo })}
    ${tool({ id: 'redo', icon: 'redo', title: 'Redo (Ctrl+Shift+Z)', disabled: future.length === 0, onPress: act.redo })}
    ${tool({ id: 'clear', text: 'Clear', title: 'Keep every block', onPress: act.clear })}
  </span>`;
}
