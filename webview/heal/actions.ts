// What a person can do on the page, for a run and before one.
import type { RunControl } from '../../server/protocol/engine';
import type { HealPage, HealSettings, HealView } from '../../server/protocol/pages/heal';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import { pictureOf } from '../components/chart';
import { type Host, sentenceOf } from '../host';
import { hideTip } from '../components/tooltip';
import type { Curve } from './curve';
import { csvOf } from './csv';
import { pictureOption } from './lossChart';
import { type PageState, type RunView, runViewOf } from './view';

export interface HealActions {
  /** The run as it is now, which may be newer than what is drawn; null: there is only a form. */
  now(): RunView | null;
  view(patch: Partial<HealView>): void;
  zoom(part: PageState['zoom']): void;
  drag(part: PageState['drag']): void;
  cross(step: number | null, pinned?: boolean): void;
  menu(): void;
  exportAs(kind: 'csv' | 'png' | 'svg'): void;
  overlay(runId: string, shown: boolean): void;
  control(action: RunControl): void;
  cancel(): void;
  resume(): void;
  merge(): void;
  openRun(runId: string): void;
  saveRecipe(): void;
  settings(patch: Partial<HealSettings>): void;
  chooseText(): void;
  start(): void;
  /** The form again, with these settings changed. */
  again(patch: Partial<HealSettings>): void;
  openLog(): void;
  restart(): void;
}

export interface ActionWiring {
  readonly host: Host<HealPage>;
  state(): PageState;
  curve(): Curve;
  update(patch: Partial<PageState>): void;
}

/** Of an exported picture. */
const picturePx = { width: 1000, height: 560 };

export function actionsOn({ host, state, curve, update }: ActionWiring): HealActions {
  const tell = (work: Promise<unknown>, patch: Partial<PageState> = {}) => {
    update({ failure: null, ...patch });
    return work.then(
      () => update({ busy: false }),
      (error: unknown) => update({ busy: false, failure: sentenceOf(error) }),
    );
  };
  const show = (view: HealView) => {
    update({ host: { ...state().host, view } });
    host.ask('heal/keep', { view }).catch(() => {});
  };
  const runId = () => {
    const { shown } = state().host;
    return shown.kind === 'run' ? shown.healing.run.runId : '';
  };
  const settings = () => {
    const { shown } = state().host;
    return shown.kind === 'form' ? shown.form.settings : settingsIn(shown.healing.recipe);
  };
  const written = (work: Promise<{ file: string } | null>) =>
    tell(
      work.then((result) => update({ written: result?.file ?? null })),
      { menu: false, written: null },
    );
  const now = () => {
    const { shown } = state().host;
    return shown.kind === 'run' ? runViewOf(state(), shown.healing, curve()) : null;
  };
  return {
    now,
    view(patch) {
      const { view } = state().host;
      // Another unit: the part that was shown has no meaning any more.
      if (patch.by !== undefined && patch.by !== view.by) update({ zoom: null });
      show({ ...view, ...patch });
    },
    zoom: (zoom) => update({ zoom }),
    drag: (drag) => update({ drag }),
    cross(step, pinned = false) {
      const now = state().cross;
      if (step === null) hideTip();
      if ((now?.step ?? null) === step && (now?.pinned ?? false) === pinned) return;
      update({ cross: step === null ? null : { step, pinned } });
    },
    menu: () => update({ menu: !state().menu }),
    exportAs(kind) {
      const view = now();
      if (!view) return;
      const { width, height } = picturePx;
      const content =
        kind === 'csv'
          ? csvOf(view)
          : pictureOf((colours, w, h) => pictureOption(view, colours, w, h), kind, width, height);
      void written(host.ask('heal/export', { kind, content }));
    },
    overlay(id, shown) {
      const { view } = state().host;
      const others = view.overlays.filter((other) => other !== id);
      show({ ...view, overlays: shown ? [...others, id] : others });
    },
    control: (action) => void tell(host.ask('heal/control', { action })),
    cancel: () => void tell(host.ask('run/cancel', { runId: runId() })),
    resume: () => void tell(host.ask('run/resume', { runId: runId() })),
    merge: () => void tell(host.ask('heal/merge', {}), { busy: true }),
    openRun: (id) => void tell(host.ask('run/open', { runId: id })),
    saveRecipe() {
      const { shown } = state().host;
      void written(host.ask('heal/saveRecipe', { settings: shown.kind === 'form' ? shown.form.settings : null }));
    },
    settings(patch) {
      const { host: now } = state();
      if (now.shown.kind !== 'form') return;
      const next = { ...now.shown.form.settings, ...patch };
      update({ host: { ...now, shown: { kind: 'form', form: { ...now.shown.form, settings: next, plan: null } } } });
      host.ask('heal/settings', { settings: next }).catch((error) => update({ failure: sentenceOf(error) }));
    },
    chooseText: () => void tell(host.ask('heal/text', {})),
    start: () => void tell(host.ask('heal/start', { settings: settings() }), { busy: true }),
    again: (patch) => void tell(host.ask('heal/again', { settings: { ...settings(), ...patch } })),
    openLog: () => void tell(host.ask('log/open', {})),
    restart: () => void tell(host.ask('server/restart', {})),
  };
}

export const settingsIn = (recipe: HealRecipe): HealSettings => ({
  rank: recipe.adapter.rank,
  alpha: recipe.adapter.alpha,
  targets: recipe.adapter.targets,
  learningRate: recipe.optimizer.learningRate,
  schedule: recipe.optimizer.schedule,
  warmupSteps: recipe.optimizer.warmupSteps,
  steps: recipe.loop.steps,
  microBatchWindows: recipe.loop.microBatchWindows,
  tokens: recipe.data.tokens,
  objective: recipe.objective.kind,
});
