// The panel of an evaluation: what its page asks is answered here, and what the page shows is sent when it changes.
import { randomUUID } from 'node:crypto';
import { basename } from 'node:path';
import type { Disposable, WebviewPanel } from 'vscode';
import { setTitle } from '../../editorText';
import { UserError } from '../../../server/errors';
import type { EvaluatePage } from '../../../server/protocol/pages/evaluate';
import type { EvaluateRecipe } from '../../../server/recipes/evaluate/recipe';
import { evaluatedWith } from '../../lineage';
import { pullTasks } from '../../pull';
import { modelName } from '../../trees/modelNodes';
import { exportFile, saveRecipeAs } from '../dialogs';
import { type Answers, openPage } from '../page';
import { definePage, type PanelHost } from '../pages';
import { chooseBenchmarkData, forgetBenchmarkData } from './benchmarkData';
import { openShownEvaluation, type ShownEvaluation } from './shown';
import type { EvaluationPlace, PlaceEvent } from './place';
import { pickVariants } from './variants';

export const evaluatePage = definePage<EvaluatePage>({
  name: 'evaluate',
  title: 'Evaluation',
  ofModel: {
    commands: ['espalier.evaluateModel'],
    place: (folder, { models }) => placeToEvaluate(evaluatedWith(folder, models)),
  },
  key: ({ folders, runId }) => (runId ? `run ${runId}` : `evaluate ${folders.join('\n')}`),
  placeOfRun: ({ kind, model, runId }) => (kind === 'evaluate' ? { folders: [model], runId, beside: [] } : null),
  fill: fillEvaluation,
});

/** The form for an evaluation of these models, the original first. */
export const placeToEvaluate = (folders: string[]): EvaluationPlace => ({ folders, runId: null, beside: [] });

function fillEvaluation(
  panel: WebviewPanel,
  first: EvaluationPlace,
  becomes: (place: EvaluationPlace) => void,
  host: PanelHost,
): Disposable {
  const { connection, log } = host;
  const notify = () => {
    if (evaluation.state()) page.notifyState('evaluate/state', () => evaluation.state()!);
  };
  const evaluation = openShownEvaluation(first, host, notify);
  const titled = () => {
    setTitle(panel, `Evaluation: ${modelName(evaluation.now.place.folders[0] ?? '')}`);
  };
  titled();
  const load = async () => {
    const state = await evaluation.load();
    titled();
    return state;
  };
  const move = async (event: PlaceEvent) => {
    const state = await evaluation.move(event);
    if (!state) return;
    titled();
    becomes(evaluation.now.place);
    page.notify('evaluate/state', state);
  };
  const page = openPage<EvaluatePage>(panel, 'evaluate', host, {
    async 'page/open'() {
      await connection.ready();
      return load();
    },
    ...formAnswers(evaluation, move, host),
    ...runAnswers(evaluation, move, host),
    ...fileAnswers(evaluation, host),
  });
  const listening = [
    connection.onState((now) => {
      if (now.state === 'connected' && evaluation.state()) void load().then(notify, (error) => log.warn(String(error)));
      notify();
    }),
    connection.on('runs/changed', ({ runs, deleted }) => {
      const { runId } = evaluation.now.place;
      if (runId && deleted.includes(runId)) panel.dispose();
      // Data may be there now that the form has said are missing.
      else if (!runId && runs.some(({ kind, state }) => kind === 'pull' && state === 'done')) notify();
    }),
  ];
  return {
    dispose() {
      for (const each of [evaluation, ...listening, page]) each.dispose();
    },
  };
}

type Move = (event: PlaceEvent) => Promise<void>;

async function start(recipe: EvaluateRecipe, move: Move, { connection }: PanelHost): Promise<{ runId: string }> {
  const runId = randomUUID();
  await connection.request('runs/start', { runId, recipe });
  await move({ kind: 'started', runId, models: recipe.models });
  return { runId };
}

function formAnswers(evaluation: ShownEvaluation, move: Move, host: PanelHost) {
  const { form } = evaluation;
  return {
    async 'evaluate/settings'(params) {
      await form.take(params.settings);
      await form.plan(evaluation.now.place.folders);
      return null;
    },
    async 'evaluate/data'({ from }) {
      // The changed setting makes a new connection, which tells the server of the folder; the form plans again after that.
      await (from === 'folder' ? chooseBenchmarkData(host.settings) : forgetBenchmarkData());
      return null;
    },
    async 'evaluate/pull'() {
      await pullTasks(host, form.state.missingData);
      return null;
    },
    async 'evaluate/start'(params) {
      await form.take(params.settings);
      return start(form.recipe(params.settings, evaluation.now.place.folders), move, host);
    },
    async 'evaluate/again'(params) {
      await form.take(params.settings);
      await move({ kind: 'formAsked', beside: evaluation.now.beside.flatMap(({ state }) => state.recipe.models) });
      return null;
    },
  } satisfies Partial<Answers<EvaluatePage>>;
}

function runAnswers(evaluation: ShownEvaluation, move: Move, host: PanelHost) {
  const { connection, library } = host;
  return {
    async 'evaluate/keep'({ view }) {
      await evaluation.keepView(view);
      return null;
    },
    async 'evaluate/addVariant'() {
      const { folders, beside } = evaluation.now.place;
      const shown = evaluation.now.run ? [evaluation.now.run.state.run.runId, ...beside] : null;
      const picked = await pickVariants(folders, shown, library, connection);
      const models = picked.flatMap((it) => (it.kind === 'model' ? [it.folder] : []));
      const runIds = picked.flatMap((it) => (it.kind === 'evaluation' ? [it.runId] : []));
      if (models.length > 0) await move({ kind: 'modelsAdded', folders: models });
      else if (runIds.length > 0) await move({ kind: 'runsAdded', runIds });
      return null;
    },
    async 'evaluate/remove'(params) {
      await move('runId' in params ? { kind: 'runRemoved', ...params } : { kind: 'modelRemoved', ...params });
      return null;
    },
    async 'evaluate/repeat'() {
      const { run } = evaluation.now;
      if (!run) throw new UserError('usage', 'There is no evaluation to repeat; start one first.');
      return start(run.state.recipe, move, host);
    },
    async 'run/cancel'() {
      const { run } = evaluation.now;
      if (run) await connection.request('runs/cancel', { runId: run.state.run.runId });
      return null;
    },
  } satisfies Partial<Answers<EvaluatePage>>;
}

function fileAnswers(evaluation: ShownEvaluation, { connection }: PanelHost) {
  const nameBeside = (base: string) => `${basename(modelName(base))}-evaluation`;
  return {
    async 'evaluate/saveRecipe'({ settings }) {
      const { form, now } = evaluation;
      const { place, run } = now;
      const recipe = settings ? form.recipe(settings, place.folders) : run?.state.recipe;
      const base = recipe?.models[0];
      if (!recipe || base === undefined) return null;
      return saveRecipeAs(nameBeside(base), base, recipe, connection);
    },
    'evaluate/export': ({ kind, content }) => {
      const base = evaluation.now.place.folders[0] ?? '';
      return exportFile(nameBeside(base), kind, content, base);
    },
  } satisfies Partial<Answers<EvaluatePage>>;
}
