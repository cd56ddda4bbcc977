// What the panel of an evaluation shows: a form, or the table of a run with the variants of other runs beside it. What
// belongs to the place is fetched and followed here.
import type { Disposable } from 'vscode';
import type { EvaluationState, EvaluationView } from '../../../server/protocol/pages/evaluate';
import type { ModelSummary } from '../../../server/protocol/reports';
import type { Connection } from '../../connection';
import { openShownRun } from '../../followRun';
import { baseFirst } from '../../lineage';
import type { PanelHost } from '../pages';
import { openRemembered } from '../remembered';
import { type KeptEvaluationForm, openEvaluationForm } from './form';
import { type EvaluationPlace, type PlaceEvent, reducePlace } from './place';
import { defaultEvaluationView } from './recipe';
import { type FollowedEvaluation, followEvaluation, followOnly } from './run';

/** What is shown, all of it followed. */
interface Shown {
  readonly place: EvaluationPlace;
  readonly models: ModelSummary[];
  /** null: the form is shown. */
  readonly run: FollowedEvaluation | null;
  readonly beside: readonly FollowedEvaluation[];
}

export interface ShownEvaluation extends Disposable {
  readonly form: KeptEvaluationForm;
  readonly now: Shown;
  /** null until something was fetched. */
  state(): EvaluationState | null;
  /** Fetches what the place names, as far as it is not there. */
  load(): Promise<EvaluationState>;
  /** Another place, where the event changes it; null: it does not. */
  move(event: PlaceEvent): Promise<EvaluationState | null>;
  keepView(view: EvaluationView): Promise<void>;
}

export function openShownEvaluation(place: EvaluationPlace, host: PanelHost, changed: () => void): ShownEvaluation {
  const { connection, library, settings } = host;
  const memory = host.context.workspaceState;
  const form = openEvaluationForm(memory, settings, connection, changed);
  const view = openRemembered<EvaluationView>(memory, 'evaluation view', defaultEvaluationView);
  const follow = (runId: string) => followEvaluation(runId, connection, changed);
  const shownRun = openShownRun(follow);
  let now: Omit<Shown, 'run'> = { place, models: [], beside: [] };

  function state(): EvaluationState {
    const { models } = now;
    const { run } = shownRun;
    const shown: EvaluationState['shown'] = run
      ? { kind: 'run', evaluation: run.state, beside: now.beside.map((other) => other.state) }
      : { kind: 'form', form: form.state };
    return { models, view: view.value, connection: connection.state, shown };
  }

  async function load(): Promise<EvaluationState> {
    if (!library.known) await library.refresh();
    const { runId } = now.place;
    await shownRun.show(runId);
    const beside = await followOnly(now.place.beside, now.beside, follow);
    const folders = shownRun.run?.state.recipe.models ?? baseFirst(now.place.folders, library.models);
    now = { ...now, beside, place: { folders, runId, beside: beside.map((other) => other.state.run.runId) } };
    now = { ...now, models: await inspectAll(folders, runId !== null, connection) };
    if (!runId) void form.plan(folders);
    return state();
  }

  return {
    form,
    get now() {
      return { ...now, run: shownRun.run };
    },
    state: () => (now.models.length > 0 || shownRun.run ? state() : null),
    load,
    async move(event) {
      const next = reducePlace(now.place, event);
      if (next === now.place) return null;
      if (next.runId !== now.place.runId) {
        shownRun.dispose();
        form.forgetPlan();
      }
      now = { ...now, place: next };
      return load();
    },
    keepView: view.keep,
    dispose() {
      for (const each of [shownRun, ...now.beside]) each.dispose();
    },
  };
}

/** `ofRun`: a run may outlive its models, and its report still knows what they were. */
async function inspectAll(
  folders: readonly string[],
  ofRun: boolean,
  connection: Pick<Connection, 'request'>,
): Promise<ModelSummary[]> {
  const models: ModelSummary[] = [];
  for (const folder of folders) {
    const model = await connection.request('models/inspect', { folder }).catch((error) => {
      if (ofRun) return null;
      throw error;
    });
    if (model) models.push(model);
  }
  return models;
}
