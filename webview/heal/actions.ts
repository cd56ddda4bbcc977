// What a person can do on the page of a healing, for a run and before one. Each function changes the state (state.ts) or
// asks the host.
import type { RunControl } from '../../server/protocol/engine';
import type { HealPage, HealSettings, HealView } from '../../server/protocol/pages/heal';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import { pictureOf } from '../components/chart';
import { hideTip } from '../components/tooltip';
import type { Host } from '../host';
import type { PageStore } from '../pageStore';
import { requestsOf } from '../requests';
import { csvOf } from './csv';
import type { Curve } from './curve';
import { pictureOption } from './lossChart';
import { type Action, type PageState, runIdOf } from './state';
import { type RunView, runViewOf } from './view';

export interface ActionWiring {
  readonly host: Host<HealPage>;
  readonly store: PageStore<PageState, Action>;
  curve(): Curve;
}

export type HealActions = ReturnType<typeof actionsOn>;

export const actionsOn = (wiring: ActionWiring) => ({
  ...chartActions(wiring),
  ...runActions(wiring),
  ...formActions(wiring),
});

/** Of an exported picture. */
const picturePx = { width: 1000, height: 560 };

function chartActions({ host, store, curve }: ActionWiring) {
  const { dispatch } = store;
  const { write } = requestsOf(dispatch);
  const now = (): RunView | null => {
    const { shown } = store.state.host;
    return shown.kind === 'run' ? runViewOf(store.state, shown.healing, curve()) : null;
  };
  const view = (changes: Partial<HealView>) => {
    dispatch({ type: 'view', changes });
    host.ask('heal/keep', { view: store.state.host.view }).catch(() => {});
  };
  return {
    /** The run as it is now, which may be newer than what is drawn; null: there is only a form. */
    now,
    view,
    zoom: (zoom: PageState['zoom']) => dispatch({ type: 'zoom', zoom }),
    drag: (drag: PageState['drag']) => dispatch({ type: 'drag', drag }),
    cross(step: number | null, pinned = false) {
      if (step === null) hideTip();
      dispatch({ type: 'cross', cross: step === null ? null : { step, pinned } });
    },
    menu: () => dispatch({ type: 'menu' }),
    exportAs(kind: 'csv' | 'png' | 'svg') {
      const run = now();
      if (!run) return;
      const { width, height } = picturePx;
      const content =
        kind === 'csv'
          ? csvOf(run)
          : pictureOf((colours, w, h) => pictureOption(run, colours, w, h), kind, width, height);
      write(host.ask('heal/export', { kind, content }));
    },
    overlay(id: string, shown: boolean) {
      const others = store.state.host.view.overlays.filter((other) => other !== id);
      view({ overlays: shown ? [...others, id] : others });
    },
  };
}

function runActions({ host, store }: ActionWiring) {
  const { send } = requestsOf(store.dispatch);
  const runId = () => runIdOf(store.state.host) ?? '';
  return {
    control: (action: RunControl) => send(host.ask('heal/control', { action })),
    cancel: () => send(host.ask('run/cancel', { runId: runId() })),
    resume: () => send(host.ask('run/resume', { runId: runId() })),
    merge: () => send(host.ask('heal/merge', {}), 'busy'),
    openRun: (id: string) => send(host.ask('run/open', { runId: id })),
    openLog: () => send(host.ask('log/open', {})),
    restart: () => send(host.ask('server/restart', {})),
  };
}

function formActions({ host, store }: ActionWiring) {
  const { send, sendQuietly, write } = requestsOf(store.dispatch);
  const settings = (): HealSettings => {
    const { shown } = store.state.host;
    return shown.kind === 'form' ? shown.form.settings : settingsIn(shown.healing.recipe);
  };
  const isForm = () => store.state.host.shown.kind === 'form';
  return {
    settings(changes: Partial<HealSettings>) {
      if (!isForm()) return;
      store.dispatch({ type: 'settings', changes });
      sendQuietly(host.ask('heal/settings', { settings: settings() }));
    },
    chooseText: () => send(host.ask('heal/text', {})),
    start: () => send(host.ask('heal/start', { settings: settings() }), 'busy'),
    /** The form again, with these settings changed. */
    again: (changes: Partial<HealSettings>) =>
      send(host.ask('heal/again', { settings: { ...settings(), ...changes } })),
    saveRecipe: () => write(host.ask('heal/saveRecipe', { settings: isForm() ? settings() : null })),
  };
}

export const settingsIn = (recipe: HealRecipe): HealSettings => ({
  weights: recipe.compute.weights ?? null,
  rank: recipe.adapter.rank,
  alpha: recipe.adapter.alpha,
  targets: recipe.adapter.targets,
  learningRate: recipe.optimizer.learningRate,
  schedule: recipe.optimizer.schedule,
  warmupSteps: recipe.optimizer.warmupSteps,
  steps: recipe.loop.steps,
  microBatchSequences: recipe.loop.microBatchSequences,
  tokens: recipe.data.tokens,
  objective: recipe.objective.kind,
});
