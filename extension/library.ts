// What the window knows of models and runs: asked of the server when it connects and when something changes, and handed on
// to trees, menus and panels.
import { commands, type Disposable, EventEmitter, type LogOutputChannel } from 'vscode';
import type { AnalyzeReport } from '../server/protocol/reports';
import type { FoundModel, RunSummary } from '../server/protocol/server';
import type { Connection } from './connection';
import { brokenModels } from './brokenModels';
import { asGiven, type BrokenModel, type ModelRoot } from './trees/modelNodes';

export interface Library extends Disposable {
  readonly models: readonly FoundModel[];
  /** In the workspace. */
  readonly broken: readonly BrokenModel[];
  /** Newest first. */
  readonly runs: readonly RunSummary[];
  /** False until the first answer. */
  readonly known: boolean;
  /** Models, runs, or whether they can be known, have changed. */
  onChange(listener: () => void): Disposable;
  onModels(listener: () => void): Disposable;
  refresh(): Promise<void>;
  /** Many changes at once are one refresh. */
  refreshSoon(): void;
  model(folder: string): FoundModel | undefined;
  /** The report of the newest analysis of a model; null: there is none. */
  analysisOf(folder: string): Promise<AnalyzeReport | null>;
}

const refreshAfterMs = 200;

/** `hidden`: of a model's folder, whether the model is none of the person's. */
export function openLibrary(
  connection: Connection,
  roots: () => readonly ModelRoot[],
  hidden: (folder: string) => boolean,
  log: LogOutputChannel,
): Library {
  const changed = new EventEmitter<void>();
  const modelsChanged = new EventEmitter<void>();
  const reports = new Map<string, AnalyzeReport>();
  let models: readonly FoundModel[] = [];
  let broken: readonly BrokenModel[] = [];
  let runs: readonly RunSummary[] = [];
  let known = false;
  let timer: NodeJS.Timeout | null = null;

  async function refresh(): Promise<void> {
    if (connection.state.state !== 'connected') return;
    try {
      const [found, listed] = [
        await connection.request('models/find', { folders: [] }),
        await connection.request('runs/list', {}),
      ];
      models = found.filter(({ summary }) => !hidden(summary.folder));
      runs = newestFirst(listed);
      known = true;
      await tellMenus(models, roots());
      changed.fire();
      modelsChanged.fire();
      const wrong = await brokenModels(found, connection);
      if (wrong.length === 0 && broken.length === 0) return;
      broken = wrong;
      modelsChanged.fire();
    } catch (error) {
      log.warn(`models and runs could not be read: ${error instanceof Error ? error.message : error}`);
    }
  }

  const soon = () => {
    if (timer) clearTimeout(timer);
    timer = setTimeout(() => void refresh(), refreshAfterMs);
  };

  const listening = [
    connection.onState(({ state }) => {
      if (state === 'connected') soon();
      changed.fire();
    }),
    connection.on('runs/changed', ({ runs: some, deleted }) => {
      const ended = some.some((run) => run.state === 'done' && !wasDone(runs, run));
      const others = runs.filter((run) => !deleted.includes(run.runId) && !some.some((it) => it.runId === run.runId));
      runs = newestFirst([...others, ...some]);
      changed.fire();
      if (ended || deleted.length > 0) soon(); // a folder may have appeared, or an analysis
    }),
  ];

  return {
    get models() {
      return models;
    },
    get broken() {
      return broken;
    },
    get runs() {
      return runs;
    },
    get known() {
      return known;
    },
    onChange: (listener) => changed.event(listener),
    onModels: (listener) => modelsChanged.event(listener),
    refresh,
    refreshSoon: soon,
    model: (folder) => models.find(({ summary }) => summary.folder === folder),
    async analysisOf(folder) {
      const runId = models.find(({ summary }) => summary.folder === folder)?.analysisRunId;
      if (!runId) return null;
      const known = reports.get(runId);
      if (known) return known;
      // A run may be gone by now; then nothing is known of the model.
      const got = await connection.request('runs/get', { runId }).catch((error: unknown) => {
        log.info(`no report of ${folder}: ${error instanceof Error ? error.message : error}`);
        return null;
      });
      if (got?.report?.kind !== 'analyze') return null;
      reports.set(runId, got.report);
      return got.report;
    },
    dispose() {
      if (timer) clearTimeout(timer);
      for (const each of listening) each.dispose();
      changed.dispose();
      modelsChanged.dispose();
    },
  };
}

const newestFirst = (runs: readonly RunSummary[]): RunSummary[] =>
  [...runs].sort((a, b) => b.createdAtEpochMs - a.createdAtEpochMs);

const wasDone = (runs: readonly RunSummary[], { runId }: RunSummary): boolean =>
  runs.some((run) => run.runId === runId && run.state === 'done');

/** The Explorer offers our commands on what belongs to a model, and nowhere else. */
async function tellMenus(models: readonly FoundModel[], roots: readonly ModelRoot[]): Promise<void> {
  const folders = models.map(({ summary }) => asGiven(summary.folder, roots));
  await commands.executeCommand('setContext', 'espalier.modelFolders', folders);
}
