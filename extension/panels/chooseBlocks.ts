// The panel in which blocks are chosen: it follows the newest analysis of its model, asks what a choice costs, and writes.
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { type Disposable, Uri, type WebviewPanel, commands, window, workspace } from 'vscode';
import { UserError } from '../../server/errors';
import type {
  AnalyzeRecipe,
  AnalyzeReport,
  ChoiceState,
  ChooseBlocksState,
  DropSet,
  MeasureOptions,
  ModelSummary,
  Plan,
  PruneRecipe,
  PruningState,
  RepairOptions,
  RunEvent,
  RunSummary,
} from '../../server/protocol';
import { openTexts } from '../texts';
import { freeName } from '../trees/labels';
import { openPage } from './page';
import type { PanelHost } from './panels';

const noChoice: ChoiceState = { drop: { blocks: [], attention: [], mlp: [] }, protected: [], method: 'blockInfluence' };

export function fillChooseBlocks(
  panel: WebviewPanel,
  folder: string,
  remembered: ChoiceState | null,
  { context, connection, library, settings, log, dist, panels }: PanelHost,
): Disposable {
  const texts = openTexts(context, settings);
  const choiceKey = `choice ${folder}`;
  let choice = remembered ?? context.workspaceState.get<ChoiceState>(choiceKey) ?? noChoice;
  let model: ModelSummary | null = null;
  let analysis: Partial<AnalyzeReport> | null = null;
  let run: RunSummary | null = null;
  let offered: Plan | null = null;
  let pruning: PruningState | null = null;
  const following = new Map<'analysis' | 'pruning', Disposable>();
  panel.title = `Choose Blocks: ${basename(folder)}`;

  const page = openPage(
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
      async 'choose/ask'({ question, drop }) {
        if (!run) throw new UserError('badData', 'There is no analysis of this model to ask yet; analyze it first.');
        const { runId } = run;
        const relay = connection.on('runs/estimate', (told) => {
          if (told.runId === runId && told.question === question)
            page.tell('choose/estimate', { question, estimate: told.estimate });
        });
        try {
          return await connection.request('runs/ask', { runId, question, drop });
        } finally {
          relay.dispose();
        }
      },
      'choose/analyze': ({ measure }) => analyze(measure),
      async 'choose/text'() {
        if (await texts.choose(folder)) await offer();
        return null;
      },
      'choose/prune': ({ drop, repair }) => prune(drop, repair),
      'choose/saveRecipe': ({ drop, repair }) => saveRecipe(drop, repair),
      async 'run/cancel'({ runId }) {
        await connection.request('runs/cancel', { runId });
        return null;
      },
      async 'run/resume'({ runId }) {
        await connection.request('runs/resume', { runId });
        return null;
      },
      'run/open'({ runId }) {
        panels.run(runId);
        return null;
      },
      'model/try'(params) {
        panels.try([folder, params.folder]);
        return null;
      },
      async 'log/open'() {
        await commands.executeCommand('espalier.showLog');
        return null;
      },
      async 'server/restart'() {
        await commands.executeCommand('espalier.restartServer');
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
      pruning,
    };
  }
  const tellState = () => model && page.tellState('choose/state', state);

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
    following.get('analysis')?.dispose();
    following.set(
      'analysis',
      connection.follow(newest.runId, (events) => void heardOfAnalysis(newest.runId, events)),
    );
  }

  async function heardOfAnalysis(runId: string, events: readonly RunEvent[]): Promise<void> {
    if (run?.runId !== runId) return;
    for (const { event, seq } of events) {
      if (event.kind === 'partial' && run.state !== 'done') analysis = { ...analysis, ...event.report };
      if (event.kind === 'state') run = { ...run, ...event.state, lastSeq: seq } as RunSummary;
      if (event.kind === 'progress')
        run = { ...run, state: 'running', step: event.step, fraction: event.fraction } as RunSummary;
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
    const started = await connection.request('runs/start', { runId, recipe: analyzeRecipe(file, measure) });
    await followAnalysis(started);
    tellState();
    return { runId };
  }

  function analyzeRecipe(file: string, measure: MeasureOptions): AnalyzeRecipe {
    return {
      kind: 'analyze',
      model: folder,
      source: texts.source(file, model!),
      methods: ['all'],
      measure,
      stay: true,
      compute: settings.compute(),
    };
  }

  /** What an analysis would cost, as far as it can be said. */
  async function offer(): Promise<void> {
    const file = texts.known(folder);
    offered = null;
    if (file && model)
      offered = await connection
        .request('plan/make', { recipe: analyzeRecipe(file, fullMeasure(model)) })
        // How long it takes is known once something has run on this device.
        .then((plan) => (plan.estimatedSeconds === null ? null : { ...plan, estimatedSeconds: plan.estimatedSeconds }))
        .catch((error: unknown) => {
          log.info(`no plan for ${folder}: ${error instanceof Error ? error.message : error}`);
          return null;
        });
    tellState();
  }

  const pruneRecipe = (drop: DropSet, repair: RepairOptions | null, out: string): PruneRecipe => ({
    kind: 'prune',
    model: folder,
    rule: { kind: 'chosen', ...drop },
    source: repair ? sourceForRepair() : null,
    repair,
    out,
    dtype: null,
    maxShardBytes: null,
    mergekit: null,
    compute: settings.compute(),
  });
  function sourceForRepair() {
    const file = texts.known(folder);
    if (!file) throw new UserError('usage', 'A repair needs a text; analyze the model with one first.');
    return texts.source(file, model!);
  }

  async function prune(drop: DropSet, repair: RepairOptions | null): Promise<{ runId: string } | null> {
    const parent = dirname(folder);
    const taken = (name: string) => existsSync(join(parent, name));
    const name = await window.showInputBox({
      title: `Prune ${basename(folder)}`,
      prompt: `Name of the new folder in ${parent}`,
      value: freeName(basename(folder), taken),
      ignoreFocusOut: true,
      validateInput: (text) => {
        if (text.trim() === '' || /[\\/:*?"<>|]/.test(text) || /^\.+$/.test(text))
          return 'Give a name for a folder, without slashes.';
        return taken(text) ? `${text} is there already; choose another name.` : null;
      },
    });
    if (!name) return null;
    const out = join(parent, name);
    const runId = randomUUID();
    const started = await connection.request('runs/start', { runId, recipe: pruneRecipe(drop, repair, out) });
    followPruning(started, out);
    return { runId };
  }

  function followPruning(started: RunSummary, out: string): void {
    pruning = { run: started, out };
    page.tell('choose/pruning', pruning);
    following.get('pruning')?.dispose();
    const heard = (events: readonly RunEvent[]) => {
      for (const { event, seq } of events) {
        if (event.kind === 'state')
          pruning = { run: { ...pruning!.run, ...event.state, lastSeq: seq } as RunSummary, out };
        if (event.kind === 'progress')
          pruning = {
            run: { ...pruning!.run, state: 'running', step: event.step, fraction: event.fraction } as RunSummary,
            out,
          };
      }
      page.tell('choose/pruning', pruning!);
      if (pruning!.run.state === 'done') void library.refresh();
    };
    following.set('pruning', connection.follow(started.runId, heard));
  }

  async function saveRecipe(drop: DropSet, repair: RepairOptions | null): Promise<{ file: string } | null> {
    const parent = dirname(folder);
    const out = join(
      parent,
      freeName(basename(folder), (name) => existsSync(join(parent, name))),
    );
    const { yaml } = await connection.request('recipes/format', { recipe: pruneRecipe(drop, repair, out) });
    const base = workspace.workspaceFolders?.[0]?.uri ?? Uri.file(parent);
    const target = await window.showSaveDialog({
      title: 'Save as Recipe',
      defaultUri: Uri.joinPath(base, `${basename(out)}.espalier.yaml`),
      filters: { 'Espalier recipe': ['espalier.yaml'] },
    });
    if (!target) return null;
    await workspace.fs.writeFile(target, new TextEncoder().encode(yaml));
    await window.showTextDocument(target, { preview: false });
    return { file: target.fsPath };
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
      for (const each of [...listening, ...following.values(), page]) each.dispose();
    },
  };
}

/** What the panel shows: single removals, and a search and suggestions as far as half of the model, at most eight. */
function fullMeasure({ nBlocks }: ModelSummary): MeasureOptions {
  const count = Math.max(1, Math.min(8, Math.floor(nBlocks / 2)));
  return {
    removals: nBlocks > 1 ? 'sublayers' : 'none',
    greedy: nBlocks > 1 ? { count, of: 'blocks', racingConfidence: 0.95, protected: [] } : null,
    suggestions: nBlocks > 1 ? count : 0,
    whatIf: [],
  };
}
