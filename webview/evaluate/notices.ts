// Notices above the table: how the run stands, what cannot be compared, and the engine's warnings.
import { html, nothing, type TemplateResult } from 'lit';
import type { ScoredSoFar } from '../../server/protocol/pages/evaluate';
import type { Plan } from '../../server/protocol/engine';
import type { RunSummary } from '../../server/protocol/server';
import { withoutScores } from '../../server/shared/finite';
import { clock, share } from '../../server/shared/numbers';
import { link, progressBar } from '../components/controls';
import { icon } from '../components/icons';
import { isActive, runStyles, secondsLeft, stepInWords } from '../components/runState';
import type { EvaluateActions } from './actions';
import { mismatchNotes } from './mismatchNotes';
import type { TableView } from './view';

export function notices(view: TableView, act: EvaluateActions): TemplateResult {
  const { run, plan } = view.evaluation;
  const { failure, written } = view.state;
  return html`
    ${isActive(run.state) ? progress(run, plan) : nothing}
    ${run.state === 'failed' ? ended(run.message, view, act) : nothing}
    ${run.state === 'interrupted' ? ended('The compute server ended in the middle of the evaluation.', view, act, 'warning') : nothing}
    ${run.state === 'cancelled' ? ended('The evaluation was cancelled.', view, act, 'info') : nothing}
    ${failure ? html`<p class="note error text" role="alert">${icon('error', 'bad')}<span>${failure}</span></p>` : nothing}
    ${written ? html`<p class="small quiet text" role="status">Written to <bdi>${written}</bdi></p>` : nothing}
    ${warningNote(view, act)}
    <p class="sr" role="status">${runStyles[run.state].label}${plan === null && run.state === 'queued' ? ', waits for another run' : ''}</p>`;
}

function progress(run: RunSummary, plan: Plan | null): TemplateResult {
  if (run.state === 'queued')
    return html`<p class="small quiet under-bar" id="progress">Waiting for another run to end.</p>`;
  const fraction = run.state === 'running' || run.state === 'paused' ? run.fraction : 0;
  const step = run.state === 'running' || run.state === 'paused' ? run.step : '';
  const left = secondsLeft(run, plan);
  return html`
    <div id="progress">${progressBar(fraction, 'Evaluation')}
      <p class="small quiet text under-bar">${share(fraction, 0)} <bdi>${stepInWords(step)}</bdi>${left === null ? '' : `, ${clock(left)} left`}</p>
    </div>`;
}

/** The scores of a run that did not finish are shown as well: they are valid. */
const ended = (
  what: string,
  view: TableView,
  act: EvaluateActions,
  kind: 'error' | 'warning' | 'info' = 'error',
) => html`
  <div class="note ${kind === 'error' ? 'error' : kind === 'info' ? 'quiet-note' : ''}" role="alert" id="problem">
    ${icon(kind, kind === 'error' ? 'bad' : kind === 'warning' ? 'warn' : '')}
    <span class="text"><b class="strong">${what}</b>${view.rows.length > 0 ? ' What was scored before stays below.' : ''}</span><span class="grow"></span>
    <span class="nowrap">${link('Evaluate Again', act.repeat)} · ${link('Change Settings', () => act.again({}))} · ${link('Open Log', act.openLog)}</span>
  </div>`;

const warningsOf = (scored: ScoredSoFar | null): string[] => [
  ...(scored?.notFinite ?? []).map(({ model, sentence }) => withoutScores(scored!.models[model]!.label, sentence)),
  ...(scored?.warnings ?? []),
];

/** One sentence, or a list of them. */
function warningNote({ rows, columns, evaluation, state }: TableView, act: EvaluateActions) {
  const mismatches = mismatchNotes(rows, columns);
  const { shown } = state.host;
  const runs = shown.kind === 'run' ? [evaluation, ...shown.beside] : [];
  const warnings = [...new Set(runs.flatMap(({ report, scored }) => warningsOf(report ?? scored)))];
  if (mismatches.length + warnings.length === 0) return nothing;
  const lines = [
    ...mismatches.map(({ lead, rest }) => html`<b class="strong">${lead}</b>${rest}`),
    ...warnings.map((text) => html`${text}`),
  ];
  return html`
    <div class="note" id="mismatch" role="note">${icon('warning', 'warn')}
      ${lines.length === 1 ? html`<span class="text">${lines[0]}</span>` : html`<ul class="text grow-list">${lines.map((text) => html`<li>${text}</li>`)}</ul>`}
      ${
        mismatches.length > 0
          ? html`<span class="grow"></span><span class="nowrap">${link('Evaluate All Alike…', () => act.again({}), 'Evaluates all of these models again, with the settings of the original')}</span>`
          : nothing
      }
    </div>`;
}
