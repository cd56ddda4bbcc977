// All runs of a data folder in memory, active or not, and what clients see of them.
import { UserError } from '../errors';
import type { RunEvent, RunSummary } from '../protocol/server';
import type { Attempt } from './attempt';
import type { Job } from './deviceQueue';
import { isActive, type RunLife } from './runLife';
import type { StoredRun } from './storedRun';

export interface Run extends StoredRun {
  life: RunLife;
  /** Its events while it is active; otherwise they are read from disk. */
  events: RunEvent[] | null;
  job: Job | null;
  attempt: Attempt | null;
  /** Whether the next attempt continues an earlier one. */
  resumes: boolean;
  /** Frees its device for the next run. */
  free: (() => void) | null;
}

export const newRun = (stored: StoredRun, life: RunLife): Run => ({
  ...stored,
  life,
  events: null,
  job: null,
  attempt: null,
  resumes: false,
  free: null,
});

export type RunTable = ReturnType<typeof openRunTable>;

export function openRunTable() {
  const runs = new Map<string, Run>();
  /** Of what cannot be made a run of again: what is shown, and why. */
  const lost = new Map<string, RunSummary & { state: 'failed' }>();
  const active = () => [...runs.values()].filter((run) => isActive(run.record.state));
  return {
    add: (run: Run): void => void runs.set(run.runId, run),
    addLost: (summary: RunSummary & { state: 'failed' }): void => void lost.set(summary.runId, summary),
    isLost: (runId: string): boolean => lost.has(runId),
    remove(runId: string): void {
      runs.delete(runId);
      lost.delete(runId);
    },
    get: (runId: string): Run | undefined => runs.get(runId),
    /** Throws UserError: `notFound`, or `badData` for one that is lost. */
    find(runId: string): Run {
      const run = runs.get(runId);
      const unread = lost.get(runId);
      if (unread) throw new UserError('badData', unread.message);
      if (!run) throw new UserError('notFound', `There is no run ${runId}; it may have been deleted.`);
      return run;
    },
    active,
    nActive: (): number => active().length,
    summaries: (): RunSummary[] => [...lost.values(), ...[...runs.values()].map(summaryOf)],
    /** The newest analysis of a model that is done or on its way; null: none. */
    newestAnalysisOf(folder: string): string | null {
      const isUseful = ({ recipe, record }: Run) =>
        recipe.kind === 'analyze' &&
        record.model === folder &&
        (record.state.state === 'done' || isActive(record.state));
      return [...runs.values()].findLast(isUseful)?.runId ?? null;
    },
  };
}

export const summaryOf = ({ runId, recipe, record }: Run): RunSummary => ({
  runId,
  kind: recipe.kind,
  title: record.title,
  model: record.model,
  createdAtEpochMs: record.createdAtEpochMs,
  startedAtEpochMs: record.startedAtEpochMs,
  endedAtEpochMs: record.endedAtEpochMs,
  lastSeq: record.lastSeq,
  ...record.state,
});
