// The page of a healing: the form before it, then its curve as it grows. Points come in batches and go into columns of
// numbers; the page is drawn from them at most ten times a second.
import { html, nothing, render, type TemplateResult } from 'lit';
import type { HealPage, HealState } from '../../server/protocol/pages/heal';
import { connectionNotice } from '../components/connectionNotice';
import { hideTip } from '../components/tooltip';
import type { Host } from '../host';
import { openPageStore, renderer } from '../pageStore';
import { registerPage } from '../pages';
import { actionsOn, type HealActions } from './actions';
import { comparison, settingsList } from './compare';
import { labelOf, status } from './controls';
import { type Curve, openCurve } from './curve';
import { form } from './form';
import { notices } from './notices';
import { plot } from './plot';
import { lead } from './result';
import { lacks, tokensPerStep } from './settings';
import { smallCharts } from './smallCharts';
import { initialState, nextState, type PageState, runIdOf } from './state';
import { type RunView, runViewOf } from './view';

const pointsEveryMs = 100;

registerPage<HealPage>('heal', mountHeal);

function mountHeal(root: HTMLElement, host: Host<HealPage>, initial: HealState): void {
  let curve = curveOf(initial);
  const draw = () => render(page(store.state, curve, act), root);
  const soon = renderer(draw);
  const drawPoints = atMostEvery(pointsEveryMs, soon);
  const store = openPageStore(initialState(initial), nextState, ({ type }) =>
    type === 'host' ? drawPoints() : soon(),
  );
  const act = actionsOn({ host, store, curve: () => curve });
  const remember = ({ model, shown }: HealState) =>
    host.remember({ page: 'heal', folder: model.folder, runId: runIdOf({ shown }) });

  host.on('heal/state', (next) => {
    const isOther = runIdOf(next) !== runIdOf(store.state.host);
    if (isOther) {
      curve = curveOf(next);
      hideTip();
    }
    store.dispatch({ type: 'host', host: next });
    if (isOther || stateOf(next) !== stateOf(initial)) remember(next);
  });
  host.on('heal/points', (points) => {
    curve.append(points);
    drawPoints();
  });
  remember(initial);
  draw();
  // The crosshair lies in pixels of a chart that has its size only once it is drawn.
  new ResizeObserver(soon).observe(root);
}

const curveOf = ({ shown }: HealState): Curve =>
  openCurve(shown.kind === 'run' ? tokensPerStep(shown.healing.recipe) : 1);

const stateOf = ({ shown }: HealState): string => (shown.kind === 'run' ? shown.healing.run.state : '');

/** Calls at once, then at most once every so many milliseconds, and once more after the last request. */
export function atMostEvery(ms: number, call: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | null = null;
  let due = false;
  const next = () => {
    timer = null;
    if (!due) return;
    due = false;
    run();
  };
  const run = () => {
    call();
    timer = setTimeout(next, ms);
  };
  return () => {
    if (timer === null) run();
    else due = true;
  };
}

function page(state: PageState, curve: Curve, act: HealActions): TemplateResult {
  const { host } = state;
  const { shown, model } = host;
  const view = shown.kind === 'run' ? runViewOf(state, shown.healing, curve) : null;
  return html`
    <div class="panel" id="healing">
      <header class="title">
        <h1>Healing</h1>
        <span class="quiet text" title=${model.folder}>${subtitle(host)}</span>
        ${view ? status(view, act) : nothing}
      </header>
      ${connectionNotice(host.connection, act)}
      ${view ? run(view, act) : shown.kind === 'form' ? form(state, shown.form, act) : nothing}
    </div>`;
}

function subtitle({ model }: HealState): TemplateResult {
  const { prunedFrom, name } = model;
  return prunedFrom && prunedFrom.removedBlocks.length > 0
    ? html`<bdi>${prunedFrom.model}</bdi> ${lacks(prunedFrom.removedBlocks).replace('Without', 'without')}`
    : html`<bdi>${name}</bdi>`;
}

const run = (view: RunView, act: HealActions): TemplateResult => html`
  ${notices(view, act)} ${lead(view)}
  <div class="heal-columns">
    <section aria-label="Loss">${plot(view, act)}${smallCharts(view)}</section>
    <aside>${settingsList(view, act)}${comparison(view, act)}</aside>
  </div>
  <p class="sr" role="status">${labelOf(view)}</p>`;
