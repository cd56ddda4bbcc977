// The bar at the foot of the page: what the choice costs, and the buttons to prune or to save a recipe.
import { html, nothing, svg, type TemplateResult } from 'lit';
import type { WritingRun } from '../../server/protocol/pages/page';
import type { ModelSummary } from '../../server/protocol/reports';
import { dropSetInWords, isEmpty, keyOf, nDropped } from '../../server/shared/dropSets';
import { notFinite, perplexityOf } from '../../server/shared/finite';
import {
  costWithInterval,
  counted,
  loss as lossText,
  parameters,
  perplexity,
  plain,
  share,
  signedShare,
  size,
  speedUp,
} from '../../server/shared/numbers';
import { normalQuantile } from '../../server/shared/statistics';
import { button, checkbox, link, messageLine, progressBar } from '../components/controls';
import { icon } from '../components/icons';
import { stepInWords } from '../components/runState';
import type { Actions } from './actions';
import { isFiniteLoss } from './measured';
import { canAsk, isConnected } from './state';
import { greedySetOf } from './suggestions';
import { betterSet, type View } from './view';

export function choiceBar(view: View, act: Actions): TemplateResult {
  const { state, choice, facts } = view;
  const { model, analysis } = state.host;
  const exact = `${plain(facts.nParameters, 0)} of ${plain(model.nParameters, 0)}`;
  const ofOriginal = analysis?.perplexity === undefined ? '' : `from ${perplexity(analysis.perplexity)}`;
  return html`
    <footer id="choice" aria-label="Present choice">
      <div>
        <dl id="facts">
          ${fact('Drop', html`<b class="drop" title=${dropSetInWords(choice.drop)}>${dropSetInWords(choice.drop)}</b>`, dropNote(view))}
          ${fact('Parameters', html`<b title=${exact}>${parameters(facts.nParameters)}</b>`, parametersNote(view))}
          ${fact(`Size, ${dtypeName(model)}`, html`<b>${size(facts.sizeBytes)}</b>`, fromText(`from ${size(model.sizeBytes)}`))}
          ${speed(view, act)} ${lossFact(view)}
          ${fact('Perplexity', perplexityValue(view), fromText(ofOriginal))}
        </dl>
        ${better(view, act)} ${outcome(view, act)}
        <div class="row buttons">${buttons(view, act)}</div>
        <p class="sr" role="status">${inWords(view)}</p>
      </div>
    </footer>`;
}

const fact = (name: string | TemplateResult, value: unknown, note: unknown = nothing) =>
  html`<div><dt>${name}</dt><dd>${value}${note}</dd></div>`;

const fromText = (text: string) => html`<span class="small quiet from">${text}</span>`;
const dtypeName = ({ dtype }: ModelSummary) => dtype.toUpperCase();

function dropNote({ choice, nBlocks, mlpWidth, state }: View) {
  const nSublayers = choice.drop.attention.length + choice.drop.mlp.length;
  const parts = [
    `${choice.drop.blocks.length} of ${nBlocks} blocks`,
    nSublayers > 0 ? counted(nSublayers, 'sublayer') : '',
    mlpWidth === null ? '' : `MLP width ${mlpWidth} of ${state.host.model.mlpWidth}`,
  ];
  return fromText(parts.filter(Boolean).join(', '));
}

function parametersNote({ facts, state }: View) {
  const nBefore = state.host.model.nParameters;
  const parts = [`from ${parameters(nBefore)}`];
  if (facts.nParameters < nBefore) parts.push(signedShare(facts.nParameters / nBefore - 1));
  if (facts.nParametersZeroed > 0) parts.push(`${parameters(facts.nParametersZeroed)} zeroed`);
  return fromText(parts.join(', '));
}

function speed({ state, facts, choice }: View, act: Actions) {
  const measured = state.speed?.key === keyOf(choice.drop) ? state.speed : null;
  if (measured?.state === 'measured')
    return fact('Speed-up', html`<b>${speedUp(measured.ratio)}</b>`, html`<span class="small quiet">measured</span>`);
  const offer = state.host.measuresSpeed && !isEmpty(choice.drop) && canAsk(state);
  const note =
    measured?.state === 'measuring'
      ? html`${icon('sync', 'spin')} measuring`
      : html`estimated ${offer ? link('measure', act.measureSpeed) : nothing}`;
  return fact(
    'Speed-up',
    html`<b>${speedUp(facts.speedUp)}</b>`,
    html`<span class="small quiet" title=${measured?.message ?? ''}>${note}</span>`,
  );
}

/** The estimate stands where the measurement will. */
function lossFact(view: View) {
  const { loss, state } = view;
  const { asking, refusal } = state;
  if (loss.kind === 'measured') {
    const added = isEmpty(view.choice.drop)
      ? nothing
      : html`<span>${costWithInterval(loss.costNats, loss.costStandardError)} nats</span>`;
    return fact(
      'Loss, measured',
      html`<b>${lossText(loss.lossNats)}</b> ${added}`,
      gauge(view, loss.costNats, loss.costStandardError),
    );
  }
  if (loss.kind === 'notFinite')
    return fact('Loss, measured', html`<b class="warn">${notFinite}</b>`, fromText(whatStays));
  const partly = asking?.estimate;
  const spinner = icon('sync', 'spin');
  const value = estimateOf(view);
  if (!value)
    return fact(
      asking ? html`Loss, ${spinner} measuring` : 'Loss',
      html`<b class="quiet">–</b>`,
      refusal ? refused(refusal) : fromText(asking ? '' : 'not measured'),
    );
  const sequences = partly ? ` ${partly.nSequences} of ${partly.ofSequences}` : '';
  return fact(
    asking ? html`Loss, estimated; ${spinner} measuring${sequences}` : 'Loss, estimated',
    html`<b class="guess">≈ ${lossText(value.lossNats)}</b>
      <span class="guess">${costWithInterval(value.costNats, value.costStandardError)} nats</span>`,
    refusal && !asking ? refused(refusal) : gauge(view, value.costNats, value.costStandardError, true),
  );
}

const whatStays = 'what stays computes no number';

const refused = (why: string) => html`<span class="small warn refusal" title=${why}>${why}</span>`;

/** The estimate of the sequences that are measured so far; before the first of them the sum of single removals. */
function estimateOf({
  loss,
  state,
}: View): { lossNats: number; costNats: number; costStandardError: number | null } | null {
  const partly = state.asking?.estimate;
  const originalNats = state.host.analysis?.lossNats;
  // The loss of some sequences differs from that of all, but what the drop set adds to it hardly does.
  if (partly && isFiniteLoss(partly) && originalNats !== undefined)
    return {
      lossNats: originalNats + partly.costNats,
      costNats: partly.costNats,
      costStandardError: partly.costStandardError,
    };
  return loss.kind === 'estimated' ? { ...loss, costStandardError: null } : null;
}

function perplexityValue(view: View) {
  if (view.loss.kind === 'measured') return html`<b>${perplexity(perplexityOf(view.loss.lossNats))}</b>`;
  const value = estimateOf(view);
  return value
    ? html`<b class="guess">≈ ${perplexity(perplexityOf(value.lossNats))}</b>`
    : html`<b class="quiet">–</b>`;
}

/** The cost from the original model to the choice, to scale, with the best set of the same size that a search found. */
function gauge(view: View, costNats: number, standardError: number | null, estimated = false) {
  const n = view.choice.drop.blocks.length;
  const best = view.greedy.find(
    ({ drop }) => drop.blocks.length === n && drop.attention.length + drop.mlp.length === 0,
  );
  const most = Math.max(1.4, ...view.greedy.map((it) => it.costNats * 1.5));
  const x = (nats: number) => 4 + (Math.min(Math.max(nats, 0), most) / most) * 136;
  const reach = standardError === null ? 0 : normalQuantile * standardError;
  return html`<svg class="gauge" width="144" height="14" aria-hidden="true">
    <line class="guide" x1="4" x2="140" y1="8" y2="8"></line><line class="original" x1="4" x2="4" y1="2" y2="14"></line>
    ${
      best && greedySetOf(view.greedy, n, view.choice.protected)
        ? svg`<path class="mark" d="M0-4L4 0L0 4L-4 0Z" transform="translate(${x(best.costNats)} 8)"></path>`
        : nothing
    }
    ${reach > 0 ? svg`<line class="interval" x1=${x(costNats - reach)} x2=${x(costNats + reach)} y1="8" y2="8"></line>` : nothing}
    <circle class=${estimated ? 'dot hollow' : 'dot'} cx=${x(costNats)} cy="8" r="4"></circle>
  </svg>`;
}

function better(view: View, act: Actions) {
  const found = betterSet(view);
  if (!found || view.loss.kind !== 'measured') return nothing;
  const less = plain(view.loss.costNats - found.costNats, 3);
  return html`
    <p id="better" class="small">
      ◇ ${found.label}: ${dropSetInWords(found.drop)} adds ${less} nats less. ${link('Take it', () => act.take(found.drop))}
    </p>`;
}

/** What the last press of a button came to, and the folder once it is written. */
function outcome({ state }: View, act: Actions) {
  const { pruning } = state.host;
  const { message } = state;
  const written = pruning && outcomeOf(pruning);
  return html`
    ${message ? html`<div id="message">${messageLine(message.kind, message.text)}</div>` : nothing}
    ${
      written
        ? html`<div id="pruned">${messageLine(
            written.kind,
            written.text,
            written.kind === 'done' ? button({ id: 'try', label: 'Try It', onPress: act.tryIt }) : nothing,
            written.kind === 'done'
              ? button({ id: 'save-way', label: 'Save the Whole Way…', onPress: act.saveWay })
              : nothing,
            button({ label: 'Open Run', onPress: () => act.openRun(pruning.run.runId) }),
          )}</div>`
        : nothing
    }`;
}

/** Null while it goes on. */
function outcomeOf({ run, out }: WritingRun): { kind: 'done' | 'failed'; text: string } | null {
  switch (run.state) {
    case 'done':
      return { kind: 'done', text: `Written to ${out}.` };
    case 'failed':
      return { kind: 'failed', text: `Pruning failed: ${run.message}` };
    case 'cancelled':
      return { kind: 'failed', text: 'Pruning was cancelled; nothing was written.' };
    case 'interrupted':
      return { kind: 'failed', text: 'Pruning was interrupted; nothing was written.' };
    default:
      return null;
  }
}

function buttons(view: View, act: Actions) {
  const { state, choice, facts, mlpWidth } = view;
  const { pruning } = state.host;
  const run = pruning?.run;
  if (run && (run.state === 'queued' || run.state === 'running')) {
    const fraction = run.state === 'running' ? run.fraction : 0;
    const text =
      run.state === 'running'
        ? `Pruning, ${share(fraction, 0)} of ${stepInWords(run.step)}`
        : 'Pruning waits for another run';
    return html`
      <div id="pruning" class="progress">
        ${progressBar(fraction, 'Pruning')}
        <p class="small quiet">${text}</p>
      </div>
      ${button({ id: 'cancel-prune', label: 'Cancel', onPress: () => act.cancelRun(run.runId) })}`;
  }
  const n = choice.drop.blocks.length;
  const nSublayers = nDropped(choice.drop) - n;
  const what = [
    n > 0 ? counted(n, 'Block') : '',
    nSublayers > 0 ? counted(nSublayers, 'Sublayer') : '',
    mlpWidth === null ? '' : 'Channels',
  ]
    .filter(Boolean)
    .join(', ');
  const empty = isEmpty(choice.drop) && mlpWidth === null;
  const nothingLeft = facts.nBlocksLeft < 1;
  const off = empty || nothingLeft || !isConnected(state) || state.busy !== null;
  return html`
    ${button({
      id: 'prune',
      appearance: 'primary',
      label: empty ? 'Prune' : `Prune ${what}…`,
      disabled: off,
      onPress: act.prune,
      title: nothingLeft ? 'One block has to stay' : undefined,
    })}
    ${button({ id: 'save-recipe', label: 'Save as Recipe', disabled: off, onPress: act.saveRecipe })}
    ${checkbox({ id: 'repair', label: 'Linear repair', checked: state.repair, onChange: act.setRepair, title: repairTitle })}`;
}

const repairTitle =
  'Fits the blocks that stay to what the dropped ones did, by least squares on the same text (ReplaceMe, arXiv:2505.02819)';

/** For screen readers: when the choice changes, and when its loss is known. */
function inWords({ choice, loss, nBlocks }: View): string {
  if (isEmpty(choice.drop)) return `Nothing dropped of ${nBlocks} blocks.`;
  const measured =
    loss.kind === 'measured'
      ? ` Loss ${lossText(loss.lossNats)}, ${costWithInterval(loss.costNats, loss.costStandardError)} nats.`
      : loss.kind === 'notFinite'
        ? ` Loss ${notFinite}: ${whatStays}.`
        : '';
  return `Dropping ${dropSetInWords(choice.drop)}.${measured}`;
}
