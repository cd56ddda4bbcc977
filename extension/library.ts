// The models and runs that the window knows. They are fetched when the server connects and when something changes; trees,
// menus and panels read them here.
import { commands, type Disposable, EventEmitter, type LogOutputChannel } from 'vscode';
import type { AnalyzeReport } from '../server/recipes/analyze/recipe';
import type { BrokenModel, FoundModel, RunSummary, ServerNotifications } from '../server/protocol/server';
import type { Connection } from './connection';
import { asGiven, type ModelRoot, worthMending } from './trees/modelNodes';

export interface Library extends Disposable {
  readonly models: readonly FoundModel[];
  /** In the workspace and the folders of the settings. */
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

/** `hidden` says of a folder whether its model is left out of all lists. */
export function openLibrary(
  connection: Connection,
  roots: () => readonly ModelRoot[],
  hidden: (folder: string) => boolean,
  log: LogOutputChannel,
): Library {
  const changed = new EventEmitter<void>();
  const modelsChanged = new EventEmitter<void>();
  const analyses = openAnalyses(connection, log);
  let timer: NodeJS.Timeout | null = null;
  const library: { -readonly [Name in keyof Library]: Library[Name] } = {
    models: [],
    broken: [],
    runs: [],
    known: false,
    onChange: changed.event,
    onModels: modelsChanged.event,
    refresh: () =>
      refresh().catch((error) => log.warn(`models and runs could not be read: ${error?.message ?? error}`)),
    refreshSoon() {
      if (timer) clearTimeout(timer);
      timer = setTimeout(() => void library.refresh(), refreshAfterMs);
    },
    model: (folder) => library.models.find(({ summary }) => summary.folder === folder),
    analysisOf: (folder) => analyses.of(folder, library.model(folder)?.analysisRunId ?? null),
    dispose() {
      if (timer) clearTimeout(timer);
      for (const each of [...listening, changed, modelsChanged]) each.dispose();
    },
  };

  async function refresh(): Promise<void> {
    if (connection.state.state !== 'connected') return;
    const found = await connection.request('models/find', { folders: [] });
    library.runs = newestFirst(await connection.request('runs/list', {}));
    library.models = found.models.filter(({ summary }) => !hidden(summary.folder));
    library.broken = worthMending(found.broken, roots()).filter(({ folder }) => !hidden(folder));
    if (found.cut) log.warn(found.cut);
    library.known = true;
    await showInMenus(library.models, roots());
    changed.fire();
    modelsChanged.fire();
  }

  const listening = [
    connection.onState(({ state }) => {
      if (state === 'connected') library.refreshSoon();
      changed.fire();
    }),
    connection.on('runs/changed', (change) => {
      if (mayChangeModels(library.runs, change)) library.refreshSoon();
      library.runs = withChange(library.runs, change);
      changed.fire();
    }),
  ];
  return library;
}

type RunsChange = ServerNotifications['runs/changed'];

/** Newest first; pure. */
export function withChange(runs: readonly RunSummary[], { runs: some, deleted }: RunsChange): RunSummary[] {
  const gone = new Set([...deleted, ...some.map(({ runId }) => runId)]);
  return newestFirst([...runs.filter(({ runId }) => !gone.has(runId)), ...some]);
}

/** Whether a run is newly done or deleted: it may have written a model, or been an analysis; pure. */
export function mayChangeModels(runs: readonly RunSummary[], { runs: some, deleted }: RunsChange): boolean {
  const done = new Set(runs.flatMap(({ runId, state }) => (state === 'done' ? [runId] : [])));
  return deleted.length > 0 || some.some(({ runId, state }) => state === 'done' && !done.has(runId));
}

const newestFirst = (runs: readonly RunSummary[]): RunSummary[] =>
  [...runs].sort((a, b) => b.createdAtEpochMs - a.createdAtEpochMs);

/** Reports of analyses, each fetched once. */
function openAnalyses({ request }: Connection, log: LogOutputChannel) {
  const known = new Map<string, AnalyzeReport>();
  return {
    async of(folder: string, runId: string | null): Promise<AnalyzeReport | null> {
      if (!runId) return null;
      const report = known.get(runId);
      if (report) return report;
      // The run may have been deleted meanwhile.
      const details = await request('runs/get', { runId }).catch((error: unknown) => {
        log.info(`no report of ${folder}: ${error instanceof Error ? error.message : error}`);
        return null;
      });
      if (details?.report?.kind !== 'analyze') return null;
      known.set(runId, details.report);
      return details.report;
    },
  };
}

/** The Explorer offers our commands on what belongs to a model, and nowhere else. */
async function showInMenus(models: readonly FoundModel[], roots: readonly ModelRoot[]): Promise<void> {
  const folders = models.map(({ summary }) => asGiven(summary.folder, roots));
  await commands.executeCommand('setContext', 'espalier.modelFolders', folders);
}
