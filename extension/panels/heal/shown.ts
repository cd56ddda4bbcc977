// What the panel of a healing shows: a form, then the run that it starts, or a run that was.
import type { Disposable } from 'vscode';
import type { HealPage, HealState, HealView } from '../../../server/protocol/pages/heal';
import type { ModelSummary } from '../../../server/protocol/reports';
import { openShownRun } from '../../followRun';
import { originalOf } from '../../lineage';
import { modelName } from '../../trees/modelNodes';
import type { PanelHost } from '../pages';
import { openRemembered } from '../remembered';
import { openEarlier } from './earlier';
import { type KeptHealForm, openHealForm } from './form';
import { defaultView } from './recipe';
import { type FollowedHealing, followHealing, type HealingListener } from './run';

export interface ShownHealing extends Disposable {
  readonly form: KeptHealForm;
  /** The run that is shown; null: the form. */
  readonly run: FollowedHealing | null;
  /** null until the model was inspected. */
  state(): HealState | null;
  /** Fetches what is shown, as far as it is not there. */
  load(): Promise<HealState>;
  /** Another run, or with null the form. */
  show(runId: string | null): Promise<HealState>;
  keepView(view: HealView): Promise<void>;
}

export function openShownHealing(
  { folder, runId: first }: HealPage['memory'],
  host: PanelHost,
  listener: HealingListener,
): ShownHealing {
  const { connection, library } = host;
  const form = openHealForm(folder, host, listener.changed);
  const earlier = openEarlier(connection);
  let runId = first;
  const shown = openShownRun((id) => followHealing(id, host, listener));
  let model: ModelSummary | null = null;
  const view = openRemembered<HealView>(host.context.workspaceState, 'healing view', defaultView);

  function stateOf(known: ModelSummary): HealState {
    const { run } = shown;
    const original = run ? run.state.recipe.dense : originalOf(folder, library.models);
    return {
      model: known,
      original: original === null ? null : { name: nameOf(original, host), folder: original },
      view: view.value,
      connection: connection.state,
      earlier: earlier.list,
      shown: run ? { kind: 'run', healing: run.state } : { kind: 'form', form: form.state },
    };
  }

  async function load(): Promise<HealState> {
    if (!library.known) await library.refresh();
    await shown.show(runId);
    model ??= await inspect(folder, shown.run, host);
    await earlier.load(model, runId);
    if (!runId) void form.plan();
    return stateOf(model);
  }

  return {
    form,
    get run() {
      return shown.run;
    },
    state: () => model && stateOf(model),
    load,
    show(next) {
      shown.dispose();
      runId = next;
      return load();
    },
    keepView: view.keep,
    dispose: shown.dispose,
  };
}

/** A run may outlive its model; its report still knows what it was. */
const inspect = (folder: string, run: FollowedHealing | null, { connection }: PanelHost): Promise<ModelSummary> =>
  connection.request('models/inspect', { folder }).catch((error) => {
    if (run?.state.report) return run.state.report.model;
    throw error;
  });

const nameOf = (folder: string, { library }: PanelHost): string =>
  library.model(folder)?.summary.name ?? modelName(folder);
