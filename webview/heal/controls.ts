// How the run stands, and the ways on, in the head of the page.
import { html, type TemplateResult } from 'lit';
import { type RunStyle, runStyles } from '../components/runState';
import { button, type IconName, icon } from '../components/controls';
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
  const look = phases[view.phase];
  return html`
    <span class="state" id="run-state">${icon(look.icon, look.kind)}<span>${labelOf(view)}</span></span>
    <span class="row controls" role="toolbar" aria-label="Run">${controls(view, act)}</span>`;
}

function controls(view: RunView, act: HealActions): TemplateResult[] {
  const { phase, healing, state } = view;
  const off = state.host.connection.state !== 'connected';
  const { asked, run, report, merging } = healing;
  const stopping = asked === 'stopAndSave';
  const words = (name: IconName, text: string) => html`${icon(name, 's')} ${text}`;
  const stop = button({
    id: 'stop',
    label: stopping ? 'Stopping after this step' : words('debug-stop', 'Stop and Save'),
    title: 'End now, and keep the best adapter',
    disabled: off || stopping,
    onPress: () => act.control('stopAndSave'),
  });
  switch (phase) {
    case 'preparing':
      return [button({ id: 'cancel', label: 'Cancel', disabled: off, onPress: act.cancel })];
    case 'running': {
      const pausing = asked === 'pause';
      const label = pausing ? 'Pausing' : words('debug-pause', 'Pause');
      return [
        button({ id: 'pause', label, disabled: off || stopping || pausing, onPress: () => act.control('pause') }),
        stop,
      ];
    }
    case 'paused':
      return [
        button({
          id: 'continue',
          appearance: 'primary',
          label: words('debug-continue', 'Resume'),
          disabled: off || stopping || asked === 'continue',
          onPress: () => act.control('continue'),
        }),
        stop,
      ];
    case 'done':
    case 'diverged':
      return report && report.bestStep > 0 && merging?.run.state !== 'done'
        ? [
            button({
              id: 'merge',
              appearance: phase === 'done' ? 'primary' : 'secondary',
              label: 'Merge into Model…',
              disabled: off || state.busy || merging?.run.state === 'running' || merging?.run.state === 'queued',
              onPress: act.merge,
            }),
          ]
        : [];
    default:
      return [
        button({
          id: 'resume',
          appearance: 'primary',
          label: savedStep(view) > 0 ? `Resume from Step ${savedStep(view)}` : 'Run Again',
          title: run.title,
          disabled: off,
          onPress: act.resume,
        }),
      ];
  }
}

/** After how many steps the run was saved last, by its recipe; 0: never. */
export const savedStep = ({ healing, curve }: RunView): number => {
  const every = healing.recipe.loop.saveEverySteps;
  return healing.adapter ? Math.floor(curve.nDone / every) * every : 0;
};
