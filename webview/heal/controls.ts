// The head of the page: how the run stands, and the buttons for what can be done with it.
import { html, nothing, type TemplateResult } from 'lit';
import { button } from '../components/controls';
import { type IconName, icon } from '../components/icons';
import { type RunStyle, runStyles } from '../components/runState';
import type { HealActions } from './actions';
import type { Phase, RunView } from './view';

/** A healing's phases beyond the states of any run. */
const phases: Record<Phase, RunStyle> = {
  ...runStyles,
  preparing: { ...runStyles.running, label: 'Preparing' },
  diverged: { ...runStyles.failed, label: 'Diverged' },
  done: { ...runStyles.done, label: 'Finished' },
};

export const labelOf = ({ phase, healing }: RunView): string =>
  healing.run.state === 'queued' ? runStyles.queued.label : phases[phase].label;

export function status(view: RunView, act: HealActions): TemplateResult {
  const { icon: name, kind } = phases[view.phase];
  const isOff = view.state.host.connection.state !== 'connected';
  return html`
    <span class="state" id="run-state">${icon(name, kind)}<span>${labelOf(view)}</span></span>
    <span class="row controls" role="toolbar" aria-label="Run">${controls[view.phase].map((control) =>
      control(view, act, isOff),
    )}</span>`;
}

/** `isOff`: there is no server that could do it. */
type Control = (view: RunView, act: HealActions, isOff: boolean) => TemplateResult | typeof nothing;

const cancel: Control = (_, act, isOff) =>
  button({ id: 'cancel', label: 'Cancel', disabled: isOff, onPress: act.cancel });

const isStopping = ({ healing }: RunView) => healing.asked === 'stopAndSave';

const stop: Control = (view, act, isOff) =>
  button({
    id: 'stop',
    label: isStopping(view) ? 'Stopping after this step' : withIcon('debug-stop', 'Stop and Save'),
    title: 'End now, and keep the best adapter',
    disabled: isOff || isStopping(view),
    onPress: () => act.control('stopAndSave'),
  });

const pause: Control = (view, act, isOff) => {
  const isPausing = view.healing.asked === 'pause';
  return button({
    id: 'pause',
    label: isPausing ? 'Pausing' : withIcon('debug-pause', 'Pause'),
    disabled: isOff || isStopping(view) || isPausing,
    onPress: () => act.control('pause'),
  });
};

const goOn: Control = (view, act, isOff) =>
  button({
    id: 'continue',
    appearance: 'primary',
    label: withIcon('debug-continue', 'Resume'),
    disabled: isOff || isStopping(view) || view.healing.asked === 'continue',
    onPress: () => act.control('continue'),
  });

/** Only where there is an adapter that was not merged yet. */
const merge: Control = ({ phase, healing, state }, act, isOff) => {
  const { report, merging } = healing;
  const merges = merging?.run.state;
  if (!report || report.bestStep === 0 || merges === 'done') return nothing;
  return button({
    id: 'merge',
    appearance: phase === 'done' ? 'primary' : 'secondary',
    label: 'Merge into Model…',
    disabled: isOff || state.busy || merges === 'running' || merges === 'queued',
    onPress: act.merge,
  });
};

const resume: Control = (view, act, isOff) =>
  button({
    id: 'resume',
    appearance: 'primary',
    label: savedStep(view) > 0 ? `Resume from Step ${savedStep(view)}` : 'Run Again',
    title: view.healing.run.title,
    disabled: isOff,
    onPress: act.resume,
  });

const controls: Record<Phase, readonly Control[]> = {
  preparing: [cancel],
  running: [pause, stop],
  paused: [goOn, stop],
  done: [merge],
  diverged: [merge],
  failed: [resume],
  cancelled: [resume],
  interrupted: [resume],
};

const withIcon = (name: IconName, text: string) => html`${icon(name, 's')} ${text}`;

/** After how many steps the run was saved last, by its recipe; 0: never. */
export const savedStep = ({ healing, curve }: RunView): number => {
  const every = healing.recipe.loop.saveEverySteps;
  return healing.adapter ? Math.floor(curve.nDone / every) * every : 0;
};
