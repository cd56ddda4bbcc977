// Notices below the head of the page: what went wrong or was done, and what can be done next.
import { html, nothing, type TemplateResult } from 'lit';
import { loss, memory, share } from '../../server/shared/numbers';
import { button, link, progressBar } from '../components/controls';
import { icon } from '../components/icons';
import { stepInWords } from '../components/runState';
import type { HealActions } from './actions';
import { savedStep } from './controls';
import type { RunView } from './view';

export function notices(view: RunView, act: HealActions): TemplateResult {
  const { healing, state, phase, curve, nSteps } = view;
  const { run } = healing;
  const fraction = Math.min(1, curve.nDone / Math.max(1, nSteps));
  return html`
    ${progressBar(fraction, 'Steps')}
    ${phase === 'preparing' ? html`<p class="small quiet under-bar">${preparing(healing)}</p>` : nothing}
    ${phase === 'paused' ? html`<p class="small quiet under-bar" id="paused">${paused(view)}</p>` : nothing}
    ${phase === 'diverged' ? diverged(view, act) : nothing}
    ${run.state === 'failed' ? problem(run.message, safe(view), act) : nothing}
    ${phase === 'interrupted' ? problem('The compute server ended in the middle of the run.', safe(view), act, 'warning') : nothing}
    ${phase === 'cancelled' ? html`<p class="small quiet under-bar">${safe(view)}</p>` : nothing}
    ${phase === 'done' && healing.report?.warning ? problem(healing.report.warning, '', act, 'warning') : nothing}
    ${phase === 'done' || phase === 'diverged' ? merged(view, act) : nothing}
    ${state.failure ? html`<p class="note error text" role="alert">${icon('error', 'bad')}<span>${state.failure}</span></p>` : nothing}
    ${state.written ? html`<p class="small quiet text under-bar" role="status">Written to <bdi>${state.written}</bdi></p>` : nothing}`;
}

function preparing({ run, recipe }: RunView['healing']): string {
  if (run.state === 'queued') return 'Waiting for another run to end.';
  return run.state === 'running'
    ? `${share(run.fraction, 0)} of ${stepInWords(run.step)}. ${recipe.dense ? 'Both models are evaluated' : 'The model is evaluated'} before the first step.`
    : '';
}

function paused(view: RunView): string {
  const { curve } = view;
  const memoryBytes = curve.length > 0 ? curve.column('memoryBytes')[curve.length - 1]! : Number.NaN;
  const held = Number.isFinite(memoryBytes) ? ` ${memory(memoryBytes)} stay in memory until you stop.` : '';
  const saved = savedStep(view);
  const disk = saved > 0 ? `Step ${saved} is on disk` : 'Nothing is on disk yet';
  return `Paused after step ${curve.nDone}. ${disk}; you may close the editor.${held}`;
}

function diverged({ healing, curve, state }: RunView, act: HealActions): TemplateResult {
  const { report, recipe } = healing;
  const best = report!.evals.find(({ step }) => step === report!.bestStep);
  const kept =
    report!.bestStep > 0 && best
      ? `The adapter of step ${best.step} (held out ${loss(best.lossNats)} nats) is safe.`
      : 'No step was better than the pruned model, so no adapter is worth keeping.';
  return html`
    <div class="note error" role="alert" id="diverged">${icon('error', 'bad')}<div>
      <p class="text"><b class="strong">${report!.warning ?? `Training diverged at step ${curve.nDone}.`}</b> ${kept}</p>
      <div class="row ways">
        ${button({
          id: 'half',
          appearance: 'primary',
          label: 'Train Again at Half the Learning Rate…',
          disabled: state.host.connection.state !== 'connected',
          onPress: () => act.again({ learningRate: recipe.optimizer.learningRate / 2 }),
        })}
        ${button({ label: 'Open Log', onPress: act.openLog })}
      </div></div>
    </div>`;
}

const problem = (what: string, rest: string, act: HealActions, kind: 'error' | 'warning' = 'error') => html`
  <div class="note ${kind === 'error' ? 'error' : ''}" role="alert" id="problem">
    ${icon(kind, kind === 'error' ? 'bad' : 'warn')}
    <span class="text"><b class="strong">${what}</b> ${rest}</span><span class="grow"></span>
    <span class="nowrap">${link('Change Settings', () => act.again({}))} · ${link('Open Log', act.openLog)}</span>
  </div>`;

function safe(view: RunView): string {
  const step = savedStep(view);
  if (step === 0) return 'Nothing was saved; running again begins anew.';
  return `Step ${step} is on disk, and the run can go on from there.`;
}

function merged({ healing }: RunView, act: HealActions): TemplateResult | typeof nothing {
  const { merging } = healing;
  if (!merging) return nothing;
  const { run, out } = merging;
  const open = link('Open Run', () => act.openRun(run.runId));
  const text =
    run.state === 'done'
      ? html`Merged into <bdi>${out}</bdi>.`
      : run.state === 'failed'
        ? html`Merging failed: ${run.message}`
        : html`Merging into <bdi>${out}</bdi>: ${run.state}.`;
  return html`<p class="small quiet text under-bar" id="merging" role="status">${text} ${open}</p>`;
}
