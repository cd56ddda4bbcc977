// The panel of an evaluation: a form, then the table of the run that it starts, or of a run that was, with the variants of
// other runs beside it. What the page shows is kept true here.
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import type { Disposable, WebviewPanel } from 'vscode';
import { UserError } from '../../server/errors';
import type { EvaluatePage, EvaluationState, EvaluationView } from '../../server/protocol/pages/evaluate';
import type { EvaluateRecipe } from '../../server/recipes/evaluate/recipe';
import type { ModelSummary } from '../../server/protocol/reports';
import { modelName } from '../trees/modelNodes';
import { askAndWrite, saveRecipeAs } from './asking';
import { chooseBenchmarkData } from './benchmarkData';
import { baseFirst, usualEvaluationView } from './evaluateRecipe';
import { openForm } from './evaluationForm';
import { type FollowedEvaluation, followEvaluation } from './evaluationRun';
import { openPage } from './page';
import type { PanelHost } from './panelHost';
import { pickVariants } from './variants';

const viewKey = 'evaluation view';

/** What the panel shows, and brings back after a reload. */
export interface EvaluationPlace {
  /** The base first; of a run at least its base. */
  readonly folders: readonly string[];
  readonly runId: string | null;
  readonly beside: readonly string[];
}

/** `becomes` hears what the panel shows from now on. */
export function fillEvaluation(
  panel: WebviewPanel,
  initial: EvaluationPlace,
  becomes: (place: EvaluationPlace) => void,
  host: PanelHost,
): Disposable {
  const { context, connection, library, settings, log, dist } = host;
  const memory = context.workspaceState;
  let place = initial;
  let models: ModelSummary[] = [];
  let view: EvaluationView = { ...usualEvaluationView, ...memory.get<EvaluationView>(viewKey) };
  let run: FollowedEvaluation | null = null;
  let beside: FollowedEvaluation[] = [];
  const titled = () => {
    panel.title = `Evaluation: ${modelName(place.folders[0] ?? '')}`;
  };
  titled();

  const page = openPage<EvaluatePage>(
    panel,
    'evaluate',
    { dist, log, connection },
    {
      async 'page/open'() {
        await connection.ready();
        await loaded();
        return { page: 'evaluate', state: state() };
      },
      async 'evaluate/keep'(params) {
        view = params.view;
        await memory.update(viewKey, view);
        return null;
      },
      async 'evaluate/settings'(params) {
        await form.take(params.settings);
        await form.plan(place.folders);
        return null;
      },
      async 'evaluate/data'() {
        // The server hears of the folder with a new connection, and the plan is asked for then.
        await chooseBenchmarkData(settings);
        return null;
      },
      async 'evaluate/addVariant'() {
        const shown = run ? [run.state.run.runId, ...place.beside] : null;
        const folders = run ? run.state.recipe.models : place.folders;
        const picked = await pickVariants(folders, shown, library, connection);
        const chosen = picked.flatMap((it) => (it.kind === 'model' ? [it.folder] : []));
        const runs = picked.flatMap((it) => (it.kind === 'evaluation' ? [it.runId] : []));
        if (chosen.length > 0) await show({ folders: [...folders, ...chosen], runId: null, beside: [] });
        else if (runs.length > 0) await show({ ...place, beside: [...place.beside, ...runs] });
        return null;
      },
      async 'evaluate/remove'(params) {
        if ('runId' in params) await show({ ...place, beside: place.beside.filter((other) => other !== params.runId) });
        else if (place.folders.length > 1)
          await show({ ...place, folders: place.folders.filter((other) => other !== params.folder) });
        return null;
      },
      async 'evaluate/start'(params) {
        await form.take(params.settings);
        return start(form.recipe(params.settings, place.folders));
      },
      async 'evaluate/repeat'() {
        if (!run) throw new UserError('usage', 'There is no evaluation to repeat; start one first.');
        return start(run.state.recipe);
      },
      async 'evaluate/again'(params) {
        await form.take(params.settings);
        const folders = run
          ? [...run.state.recipe.models, ...beside.flatMap(({ state }) => state.recipe.models)]
          : place.folders;
        await show({ folders: [...new Set(folders)], runId: null, beside: [] });
        return null;
      },
      async 'evaluate/saveRecipe'(params) {
        const recipe = params.settings ? form.recipe(params.settings, place.folders) : run?.state.recipe;
        const base = recipe?.models[0];
        if (!recipe || base === undefined) return null;
        return saveRecipeAs(`${basename(modelName(base))}-evaluation`, base, recipe, connection);
      },
      async 'evaluate/export'({ kind, content }) {
        const base = place.folders[0] ?? '';
        const kinds = { [kind.toUpperCase()]: [kind] };
        const name = `${basename(modelName(base))}-evaluation.${kind}`;
        const bytes = new TextEncoder().encode(content);
        const target = await askAndWrite(`Save as ${kind.toUpperCase()}`, name, kinds, bytes, base);
        return target && { file: target.fsPath };
      },
      async 'run/cancel'() {
        if (run) await connection.request('runs/cancel', { runId: run.state.run.runId });
        return null;
      },
    },
  );

  function state(): EvaluationState {
    const shown: EvaluationState['shown'] = run
      ? { kind: 'run', evaluation: run.state, beside: beside.map((other) => other.state) }
      : { kind: 'form', form: form.state };
    return { models, view, connection: connection.state, shown };
  }
  const tellState = () => {
    if (models.length > 0 || run) page.notifyState('evaluate/state', state);
  };

  const form = openForm(memory, settings, connection, tellState);

  async function loaded(): Promise<void> {
    if (!library.known) await library.refresh();
    const { runId } = place;
    if (runId && run?.state.run.runId !== runId) {
      run?.dispose();
      run = await followEvaluation(runId, connection, tellState);
      place = { ...place, folders: run.state.recipe.models };
    }
    await loadBeside();
    const folders = runId ? place.folders : baseFirst(place.folders, library.models);
    place = { ...place, folders };
    const known: ModelSummary[] = [];
    for (const folder of folders) {
      // A run may outlive its models; its report still knows what they were.
      const model = await connection.request('models/inspect', { folder }).catch((error) => {
        if (runId) return null;
        throw error;
      });
      if (model) known.push(model);
    }
    models = known;
    titled();
    if (!runId) void form.plan(folders);
  }

  /** One that is gone by now is left out. */
  async function loadBeside(): Promise<void> {
    const followed: FollowedEvaluation[] = [];
    for (const runId of place.beside) {
      const known = beside.find(({ state }) => state.run.runId === runId);
      const other = known ?? (await followEvaluation(runId, connection, tellState).catch(() => null));
      if (other) followed.push(other);
    }
    for (const other of beside) if (!followed.includes(other)) other.dispose();
    beside = followed;
    place = { ...place, beside: followed.map(({ state }) => state.run.runId) };
  }

  async function show(next: EvaluationPlace): Promise<void> {
    if (next.runId !== place.runId) {
      run?.dispose();
      run = null;
      form.forgetPlan();
    }
    place = next;
    await loaded();
    becomes(place);
    page.notify('evaluate/state', state());
  }

  async function start(recipe: EvaluateRecipe): Promise<{ runId: string }> {
    const runId = randomUUID();
    await connection.request('runs/start', { runId, recipe });
    await show({ folders: recipe.models, runId, beside: [] });
    return { runId };
  }

  const listening = [
    connection.onState((now) => {
      if (now.state === 'connected' && (models.length > 0 || run))
        void loaded().then(tellState, (error) => log.warn(String(error)));
      tellState();
    }),
    connection.on('runs/changed', ({ runs, deleted }) => {
      for (const each of run ? [run, ...beside] : beside) each.heardOf(runs);
      if (place.runId && deleted.includes(place.runId)) panel.dispose();
    }),
  ];
  return {
    dispose() {
      for (const each of [...(run ? [run] : []), ...beside, ...listening, page]) each.dispose();
    },
  };
}
