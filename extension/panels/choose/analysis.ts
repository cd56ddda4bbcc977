// The newest analysis of a model: found among the runs, followed while it goes on, replaced when a newer one begins, and
// forgotten when it is deleted.
import type { Disposable } from 'vscode';
import type { AnalyzeReport } from '../../../server/recipes/analyze/recipe';
import type { RunSummary } from '../../../server/protocol/server';
import type { Connection } from '../../connection';
import { openRun, openShownRun, type RunReducer } from '../../followRun';

export interface Analysis {
  readonly run: RunSummary;
  /** What has been measured so far; null: nothing. */
  readonly report: Partial<AnalyzeReport> | null;
}

export const analysisReducer: RunReducer<Analysis> = {
  fetched: ({ run, report }, before) => ({
    run,
    report: report?.kind === 'analyze' ? report : (before?.report ?? null),
  }),
  applied: (state, event) =>
    event.kind === 'partial' ? { ...state, report: { ...state.report, ...event.report } } : state,
};

/** The newest that was not cancelled; null: there is none. */
export function newestAnalysis(runs: readonly RunSummary[], folder: string): RunSummary | null {
  const analyses = runs.filter(
    ({ kind, model, state }) => kind === 'analyze' && model === folder && state !== 'cancelled',
  );
  return analyses.sort((a, b) => b.createdAtEpochMs - a.createdAtEpochMs)[0] ?? null;
}

export interface FollowedAnalysis extends Disposable {
  /** null: there is none, as far as it is known. */
  readonly state: Analysis | null;
  /** Follows the newest that there is; false: there is none. */
  find(): Promise<boolean>;
  follow(run: RunSummary): Promise<void>;
}

interface Listener {
  changed(): void;
  /** The analysis was deleted. */
  deleted(): void;
}

type Server = Pick<Connection, 'request' | 'follow' | 'on' | 'onState'>;

export function openAnalysis(folder: string, connection: Server, listener: Listener): FollowedAnalysis {
  /** The run that is followed, or will be as soon as it is fetched. */
  let wanted: RunSummary | null = null;
  const shown = openShownRun((id) => openRun(id, connection, analysisReducer, { changed: listener.changed }));
  async function follow(run: RunSummary): Promise<void> {
    wanted = run;
    await shown.show(run.runId);
    listener.changed();
  }

  const listening = connection.on('runs/changed', ({ runs, deleted }) => {
    const since = wanted?.createdAtEpochMs ?? 0;
    const newer = runs.find(
      ({ kind, model, createdAtEpochMs }) => kind === 'analyze' && model === folder && createdAtEpochMs > since,
    );
    if (newer) void follow(newer).catch(() => {});
    else if (wanted && deleted.includes(wanted.runId)) {
      shown.dispose();
      wanted = null;
      listener.deleted();
    }
  });
  return {
    get state() {
      return shown.run?.state ?? null;
    },
    async find() {
      const newest = newestAnalysis(await connection.request('runs/list', {}), folder);
      if (newest) await follow(newest);
      return newest !== null;
    },
    follow,
    dispose() {
      shown.dispose();
      listening.dispose();
    },
  };
}
