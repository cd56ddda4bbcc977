// Notices above the numbers: there is no analysis yet, one runs or has failed, the connection is lost, or blocks cost more
// than they look. Each notice offers what can be done.
import { html, nothing, type TemplateResult } from 'lit';
import { blockRanges } from '../../server/shared/dropSets';
import type { PlanEstimate } from '../../server/protocol/engine';
import type { MeasuredLoss } from '../../server/protocol/reports';
import { notFinite } from '../../server/shared/finite';
import { clock, correlation, cost, counted, duration, ordinal, share } from '../../server/shared/numbers';
import { matricesAs } from '../../server/shared/weightWidths';
import { memoryNeeded } from '../planMemory';
import { connectionNotice } from '../components/connectionNotice';
import { button, link, progressBar } from '../components/controls';
import { icon } from '../components/icons';
import { secondsLeft, stepInWords } from '../components/runState';
import { weightsField } from '../components/weightsField';
import type { Actions } from './actions';
import { isFiniteLoss } from './measured';
import { isConnected } from './state';
import type { View } from './view';

export function notices(view: View, act: Actions): TemplateResult {
  return html`
    ${connectionNotice(view.state.host.connection, act)}
    ${view.phase === 'empty' ? empty(view, act) : nothing}
    ${view.phase === 'running' ? running(view, act) : nothing}
    ${view.phase === 'failed' || view.phase === 'cancelled' || view.phase === 'interrupted' ? ended(view, act) : nothing}
    ${surpriseNote(view, act)}
    <p class="sr" role="status">${statusOf(view)}</p>`;
}

function empty({ state, nBlocks }: View, act: Actions): TemplateResult {
  const { model, offer, source } = state.host;
  const off = !isConnected(state) || state.busy !== null;
  const sequences =
    source?.kind === 'text' && source.sequences
      ? `${counted(source.sequences, 'sequence')} of ${source.tokens} tokens`
      : 'sequences of a text';
  const single = offer?.measure.removals === 'none' ? '' : ` and then leaves out each of the ${nBlocks} blocks in turn`;
  const plan = offer?.plan;
  return html`
    <section class="card" id="empty" aria-label="Not measured yet">
      <p><bdi>${model.name}</bdi> has not been measured yet.</p>
      <p class="quiet">
        Measuring reads ${sequences}${offer?.textName ? html` of <bdi>${offer.textName}</bdi>` : nothing} once${single}.
        ${plan ? `${planInWords(plan)}.` : nothing}
        Nothing is written to the model folder.
      </p>
      <div class="row">
        ${button({ id: 'analyze', appearance: 'primary', label: 'Measure Blocks', disabled: off, onPress: act.analyze })}
        ${button({ label: 'Choose Text…', disabled: off, onPress: act.chooseText })}
        ${offer ? weightsField(offer.weights ?? null, act.setWeights) : nothing}
      </div>
    </section>`;
}

/** The time is not known while nothing has measured how fast the device is. */
const planInWords = (plan: PlanEstimate): string =>
  `${plan.estimatedSeconds === null ? 'It takes' : `About ${duration(plan.estimatedSeconds)},`} ${memoryNeeded(plan)}${matricesAs(plan)}`;

function running(view: View, act: Actions): TemplateResult {
  const run = view.state.host.run!;
  const fraction = run.state === 'running' ? run.fraction : 0;
  const left = secondsLeft(run, view.state.host.offer?.plan);
  const step = run.state === 'running' ? stepInWords(run.step) : '';
  const text =
    run.state === 'queued'
      ? 'Waiting for another run.'
      : `${share(fraction, 0)} of ${step}${left === null ? '' : `, about ${clock(left)} left`}. Bars appear below as they are ready.`;
  return html`
    <section class="card" id="running" aria-label="Measuring">
      <p>Measuring <bdi>${view.state.host.model.name}</bdi></p>
      <ul class="stages">${stages(view).map(stageLine)}</ul>
      <div>${progressBar(fraction, 'Measuring')}<p class="small quiet">${text}</p></div>
      <div class="row">${button({ id: 'cancel-analysis', label: 'Cancel', onPress: () => act.cancelRun(run.runId) })}</div>
    </section>`;
}

const stageLine = ({ name, state, note }: Stage) => html`
  <li class=${state === 'waits' ? 'quiet' : ''}>
    <span>${state === 'done' ? icon('check') : state === 'now' ? icon('sync', 'spin') : nothing}</span>
    <span>${name}</span><span class="quiet">${note}</span>
  </li>`;

interface Stage {
  name: string;
  state: 'done' | 'now' | 'waits';
  note: string;
}

/**
 * The stages of an analysis in order. A stage whose numbers are in the report is done; the engine reports the progress of
 * the next one.
 */
export function stages({ state, removals, sublayers, nBlocks, methods, greedy }: View): Stage[] {
  const { run, offer, analysis } = state.host;
  const measure = offer?.measure;
  const hasSublayers = sublayers.attention.costs.some(Boolean) || measure?.removals === 'sublayers';
  const search = Math.max(greedy.length, measure?.greedy?.count ?? 0);
  const parts = [
    { name: 'Hidden states: influence, angular, magnitude', step: 'analyze', of: 1, there: methods.length > 0 },
    ...((measure?.removals ?? 'blocks') === 'none'
      ? []
      : [{ name: 'Loss without each block', step: 'removals', of: nBlocks, there: removals.every(Boolean) }]),
    ...(hasSublayers
      ? [{ name: 'Sublayers', step: 'removals', of: 2 * nBlocks, there: sublayers.mlp.costs.every(Boolean) }]
      : []),
    ...(search > 0 ? [{ name: 'Greedy search', step: 'search', of: search, there: greedy.length > 0 }] : []),
    ...(measure?.suggestions
      ? [{ name: 'Picks of the methods', step: 'suggestions', of: 1, there: Boolean(analysis?.suggestions) }]
      : []),
  ];
  const running = run?.state === 'running';
  const now = parts.findIndex(({ there }) => !there);
  return parts.map(({ name, step, of, there }, i): Stage => {
    if (there) return { name, state: 'done', note: '' };
    const total = of > 1 ? String(of) : '';
    if (i !== now || !running) return { name, state: 'waits', note: total };
    return { name, state: 'now', note: step === run.step ? progressOf(name, of, run.fraction, hasSublayers) : total };
  });
}

/** Blocks, attention and MLP are thirds of one step. */
function progressOf(name: string, of: number, fraction: number, hasSublayers: boolean): string {
  const part =
    name === 'Sublayers' ? (3 * fraction - 1) / 2 : hasSublayers && name.startsWith('Loss') ? 3 * fraction : fraction;
  const within = Math.max(0, Math.min(1, part));
  return of > 1 ? `${Math.floor(within * of)} of ${of}` : share(within, 0);
}

function ended(view: View, act: Actions): TemplateResult {
  const run = view.state.host.run!;
  const some = view.methods.length > 0 || view.removals.some(Boolean);
  const off = !isConnected(view.state) || view.state.busy !== null;
  const mark = run.state === 'cancelled' ? icon('info') : icon('error', 'bad');
  const [first, rest] =
    run.state === 'failed'
      ? [
          run.message,
          some
            ? 'What was measured before is shown below; no number of the rest is shown.'
            : 'No number is shown. Nothing was written.',
        ]
      : run.state === 'interrupted'
        ? [
            'The compute server ended in the middle of the analysis.',
            'What was measured before is shown; measuring again begins anew.',
          ]
        : ['The analysis was cancelled.', some ? 'What was measured before is shown below.' : 'Nothing was written.'];
  return html`
    <section class="card" id="ended" aria-label="Analysis ended">
      <p class="row top">${mark}<span class="strong text">${first}</span></p>
      <p class="quiet">${rest}</p>
      <div class="row">
        ${button({ id: 'analyze', appearance: 'primary', label: 'Measure Again', disabled: off, onPress: act.analyze })}
        ${button({ label: 'Open Run', onPress: () => act.openRun(run.runId) })}
        ${button({ label: 'Open Log', onPress: act.openLog })}
      </div>
    </section>`;
}

const costInWords = (loss: MeasuredLoss): string => (isFiniteLoss(loss) ? `${cost(loss.costNats)} nats` : notFinite);

function surpriseNote({ surprises, method, nBlocks, costRanks, removals, suggestions }: View, act: Actions) {
  const [block] = surprises;
  if (block === undefined || !method) return nothing;
  const name = method.label.toLowerCase();
  const rho = suggestions.find((row) => row.name === method.name)?.correlation;
  const [head, rest] =
    surprises.length > 1
      ? [
          `Blocks ${blockRanges(surprises)} cost more than they look: `,
          `${name} ranks this model with ρ = ${rho == null ? '–' : correlation(rho)} to the measured loss.`,
        ]
      : [
          `Block ${block} costs more than it looks: `,
          `${ordinal(method.ranks[block]!)} of ${nBlocks} by ${name}, but ${ordinal(costRanks![block]!)} measured (${costInWords(removals[block]!)}).`,
        ];
  return html`<p class="note" id="surprises">
    ${icon('warning', 'warn')}<span><b class="strong">${head}</b>${rest}</span><span class="grow"></span>
    <span class="nowrap">
      ${link('Protect', () => act.protect(surprises, true))} ·
      ${link('Show sublayers', () => act.openBlocks(surprises))}
    </span>
  </p>`;
}

/** For screen readers: when the state changes, not at every step. */
function statusOf({ phase, state }: View): string {
  const what = {
    empty: 'Not measured yet.',
    running: 'Measuring.',
    ready: 'Measured.',
    failed: 'The analysis failed.',
    cancelled: 'The analysis was cancelled.',
    interrupted: 'The analysis was interrupted.',
  }[phase];
  const pruning = state.host.pruning?.run.state;
  return pruning ? `${what} Pruning: ${pruning}.` : what;
}
