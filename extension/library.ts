// What the window knows of models and runs: asked of the server when it connects and when something changes, and handed on
// to trees, menus and panels.
import { commands, type Disposable, EventEmitter, type LogOutputChannel } from 'vscode';
import type { AnalyzeReport, FoundModel, RunSummary } from '../server/protocol';
import type { Connection } from './connection';

export interface Library extends Disposable {
  readonly models: readonly FoundModel[];
  /** Newest first. */
  readonly runs: readonly RunSummary[];
  /** False until the first answer. */
  readonly known: boolean;
  onChange(listener: () => void): Disposable;
  refresh(): Promise<void>;
  model(folder: string): FoundModel | undefined;
  /** The report of the newest analysis of a model; null: there is none. */
  analysisOf(folder: string): Promise<AnalyzeReport | null>;
}

const refreshAfterMs = 200;

export function openLibrary(connection: Connection, folders: () => string[], log: LogOutputChannel): Library {
  const changed = new EventEmitter<void>();
  const reports = new Map<string, AnalyzeReport>();
  let models: readonly FoundModel[] = [];
  let runs: readonly RunSummary[] = [];
  let known = false;
  let timer: NodeJS.Timeout | null = null;

  async function refresh(): Promise<void> {
    if (connection.state.state !== 'connected') return;
    try {
      const [found, listed] = [
        await connection.request('models/find', { folders: folders() }),
        await connection.request('runs/list', {}),
      ];
      models = found;
      runs = newestFirst(listed);
      known = true;
      await tellMenus(models);
      changed.fire();
    } catch (error) {
      log.warn(`models and runs could not be read: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** Many changes at once are one refresh. */
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
      if (ended) soon(); // a folder may have appeared, or an analysis
    }),
  ];

  return {
    get models() {
      return models;
    },
    get runs() {
      return runs;
    },
    get known() {
      return known;
    },
    onChange: (listener) => changed.event(listener),
    refresh,
    model: (folder) => models.find(({ summary }) => summary.folder === folder),
    async analysisOf(folder) {
      const runId = models.find(({ summary }) => summary.folder === folder)?.analysisRunId;
      if (!runId) return null;
      const { report } = reports.has(runId)
        ? { report: reports.get(runId)! }
        : await connection.request('runs/get', { runId });
      if (report?.kind !== 'analyze') return null;
      reports.set(runId, report);
      return report;
    },
    dispose() {
      if (timer) clearTimeout(timer);
      for (const each of listening) each.dispose();
      changed.dispose();
    },
  };
}

const newestFirst = (runs: readonly RunSummary[]): RunSummary[] =>
  [...runs].sort((a, b) => b.createdAtEpochMs - a.createdAtEpochMs);

const wasDone = (runs: readonly RunSummary[], { runId }: RunSummary): boolean =>
  runs.some((run) => run.runId === runId && run.state === 'done');

/** The Explorer offers our commands on what belongs to a model, and nowhere else. */
async function tellMenus(models: readonly FoundModel[]): Promise<void> {
  const folders = models.map(({ summary }) => summary.folder);
  await commands.executeCommand('setContext', 'espalier.modelFolders', folders);
}
