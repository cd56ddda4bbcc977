// The panel in which blocks are chosen: it follows the newest analysis of its model, asks what a choice costs, and writes.
import { randomUUID } from 'node:crypto';
import { type Disposable, type WebviewPanel, workspace } from 'vscode';
import { UserError } from '../../server/errors';
import type { Plan } from '../../server/protocol/engine';
import type { ChooseBlocksPage, ChoiceState, ChooseBlocksState } from '../../server/protocol/pages/chooseBlocks';
import type { MeasureOptions } from '../../server/recipes/analyze/recipe';
import type { TokenSource } from '../../server/protocol/recipes';
import type { AnalyzeReport, ModelSummary } from '../../server/protocol/reports';
import type { RunEvent, RunSummary } from '../../server/protocol/server';
import { openTexts } from '../texts';
import { modelName } from '../trees/modelNodes';
import { openPage } from './page';
import type { PanelHost } from './panelHost';
import { analyzeRecipe, fullMeasure } from './analyzeRecipe';
import { grown } from './grown';
import { openPruning } from './pruning';
import { openQuestions } from './questions';

const noChoice: ChoiceState = { drop: { blocks: [], attention: [], mlp: [] }, protected: [], method: 'blockInfluence' };

export function fillChooseBlocks(
  panel: WebviewPanel,
  folder: string,
  remembered: ChoiceState | null,
  host: PanelHost,
): Disposable {
  const { context, connection, settings, log, dist, panels } = host;
  const texts = openTexts(context, settings);
  const choiceKey = `choice ${folder}`;
  let choice = remembered ?? context.workspaceState.get<ChoiceState>(choiceKey) ?? noChoice;
  let model: ModelSummary | null = null;
  let analysis: Partial<AnalyzeReport> | null = null;
  let run: RunSummary | null = null;
  let offered: Plan | null = null;
  let following: Disposable | null = null;
  const questions = openQuestions(connection, () => run?.runId ?? null);
  panel.title = `Choose Blocks: ${modelName(folder)}`;

  const page = openPage<ChooseBlocksPage>(
    panel,
    'chooseBlocks',
    { dist, log, connection },
    {
      async 'page/open'() {
        await inspected();
        await findAnalysis();
        return { page: 'chooseBlocks', state: state() };
      },
      async 'choose/keep'(params) {
        choice = params.choice;
        await context.workspaceState.update(choiceKey, choice);
        return null;
      },
      'choose/ask': ({ question, drop }) =>
        questions.loss(question, drop, (estimate) => page.notify('choose/estimate', { question, estimate })),
      'choose/speed': ({ drop }) => questions.speed(drop),
      'choose/analyze': ({ measure }) => analyze(measure),
      async 'choose/text'() {
        if (await texts.choose(folder)) await offer();
        return null;
      },
      'choose/prune': ({ drop, repair }) => pruning.start(drop, repair),
      'choose/saveRecipe': ({ drop, repair }) => pruning.saveRecipe(drop, repair),
      async 'run/cancel'({ runId }) {
        await connection.request('runs/cancel', { runId });
        return null;
      },
      async 'run/resume'({ runId }) {
        await connection.request('runs/resume', { runId });
        return null;
      },
      'run/open'({ runId }) {
        panels.run({ runId, kind: 'analyze' });
        return null;
      },
      'model/try'(params) {
        panels.try([folder, params.folder]);
        return null;
      },
    },
  );

  function state(): ChooseBlocksState {
    const file = texts.known(folder);
    return {
      model: model!,
      analysis,
      run,
      source: analysis?.source || !file ? null : texts.source(file, model!),
      connection: connection.state,
      choice,
      recipesFolder: workspace.workspaceFolders?.[0]?.uri.fsPath ?? null,
      offer: { measure: fullMeasure(model!), plan: offered, textName: file && texts.nameOf(file) },
      pruning: pruning.state,
      measuresSpeed: analysis !== null,
    };
  }
  const pruning = openPruning(folder, repairSource, (told) => page.notify('choose/pruning', told), host);
  const tellState = () => model && page.notifyState('choose/state', state);

  async function inspected(): Promise<ModelSummary> {
    model ??= await connectedRequest();
    return model;
  }
  /** A panel that a reload brought back asks before the window is connected. */
  async function connectedRequest(): Promise<ModelSummary> {
    await connection.ready();
    return connection.request('models/inspect', { folder });
  }

  /** The newest analysis of the model, running or done. */
  async function findAnalysis(): Promise<void> {
    const runs = await connection.request('runs/list', {});
    pruning.restore(runs);
    const [newest] = runs
      .filter((it) => it.kind === 'analyze' && it.model === folder && it.state !== 'cancelled')
      .sort((a, b) => b.createdAtEpochMs - a.createdAtEpochMs);
    if (newest) await followAnalysis(newest);
    else await offer();
  }

  async function followAnalysis(newest: RunSummary): Promise<void> {
    run = newest;
    analysis = null;
    if (newest.state === 'done') {
      const { report } = await connection.request('runs/get', { runId: newest.runId });
      if (report?.kind === 'analyze') analysis = report;
    }
    following?.dispose();
    following = connection.follow(newest.runId, (events) => void heardOfAnalysis(newest.runId, events));
  }

  async function heardOfAnalysis(runId: string, events: readonly RunEvent[]): Promise<void> {
    if (run?.runId !== runId) return;
    // The whole report, once it is there, needs no growing from what came before it.
    const whole = run.state === 'done';
    for (const told of events) {
      if (told.event.kind === 'partial' && !whole) analysis = { ...analysis, ...told.event.report };
      run = grown(run, told);
    }
    if (events.some(({ event }) => event.kind === 'reported')) {
      const got = await connection.request('runs/get', { runId }).catch(() => null);
      if (got?.report?.kind === 'analyze' && run?.runId === runId) {
        analysis = got.report;
        run = got.run;
      }
    }
    tellState();
  }

  async function analyze(measure: MeasureOptions): Promise<{ runId: string } | null> {
    const file = texts.known(folder) ?? (await texts.choose(folder));
    if (!file) return null;
    const runId = randomUUID();
    const started = await connection.request('runs/start', { runId, recipe: recipeOf(file, model!, measure) });
    await followAnalysis(started);
    tellState();
    return { runId };
  }

  const recipeOf = (file: string, known: ModelSummary, measure: MeasureOptions) =>
    analyzeRecipe(known, texts.source(file, known), measure, settings.compute());

  /** What an analysis would cost, as far as it can be said. */
  async function offer(): Promise<void> {
    const file = texts.known(folder);
    offered = null;
    if (file && model)
      offered = await connection
        .request('plan/make', { recipe: recipeOf(file, model, fullMeasure(model)) })
        // How long it takes is known once something has run on this device.
        .then((plan) => (plan.estimatedSeconds === null ? null : { ...plan, estimatedSeconds: plan.estimatedSeconds }))
        .catch((error: unknown) => {
          log.info(`no plan for ${folder}: ${error instanceof Error ? error.message : error}`);
          return null;
        });
    tellState();
  }

  function repairSource(): TokenSource {
    const file = texts.known(folder);
    if (!file) throw new UserError('usage', 'A repair needs a text; analyze the model with one first.');
    return texts.source(file, model!);
  }

  const listening = [
    connection.onState((now) => {
      if (now.state === 'connected' && model && !run) void findAnalysis().catch((error) => log.warn(String(error)));
      tellState();
    }),
    connection.on('runs/changed', ({ runs, deleted }) => {
      const fresh = runs.find(
        (it) => it.kind === 'analyze' && it.model === folder && it.createdAtEpochMs > (run?.createdAtEpochMs ?? 0),
      );
      if (fresh) void followAnalysis(fresh).then(tellState);
      else if (run && deleted.includes(run.runId)) {
        following?.dispose();
        following = null;
        run = null;
        analysis = null;
        void offer();
      }
      const mine = runs.find((it) => it.runId === run?.runId);
      if (mine && mine.lastSeq >= (run?.lastSeq ?? 0)) {
        run = mine;
        tellState();
      }
    }),
  ];
  return {
    dispose() {
      following?.dispose();
      for (const each of [...listening, pruning, page]) each.dispose();
    },
  };
}
