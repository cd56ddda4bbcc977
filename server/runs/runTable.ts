// All runs of a data folder in memory, active or not, and what clients see of them.
import { UserError } from '../errors';
import type { RunEvent, RunSummary } from '../protocol/server';
import type { Attempt } from './attempt';
import type { Job } from './deviceQueue';
import type { LogTail } from './eventLog';
import { isActive, type RunLife } from './runLife';
import type { StoredRun } from './storedRun';

export interface Run extends StoredRun {
  life: RunLife;
  /** Its events while it is active; otherwise they are read from disk. */
  events: RunEvent[] | null;
  /** What has been read of the log that another server writes. */
  tail: LogTail | null;
  /** Which state.json this is the state of, where it has been looked at. */
  stamp: string | null;
  job: Job | null;
  attempt: Attempt | null;
  /** Whether the next attempt continues an earlier one. */
  resumes: boolean;
  /** A token of the hub for its next attempt, in memory alone. */
  hubToken: string | null;
  /** Frees its device for the next run. */
  free: (() => void) | null;
}

export const newRun = (stored: StoredRun, life: RunLife): Run => ({
  ...stored,
  life,
  events: null,
  tail: null,
  stamp: null,
  job: null,
  attempt: null,
  resumes: false,
  hubToken: null,
  free: null,
});

export type RunTable = ReturnType<typeof openRunTable>;

export function openRunTable() {
  const runs = new Map<string, Run>();
  /** Of what cannot be made a run of again: what is shown, and why. */
  const lost = new Map<string, RunSummary & { state: 'failed' }>();
  const active = () => [...runs.values()].filter(isAtWorkHere);
  return {
    add(run: Run): void {
      runs.set(run.runId, run);
      lost.delete(run.runId);
    },
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
    all: (): Run[] => [...runs.values()],
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

/** It waits or works, and not on another host. */
export const isAtWorkHere = ({ life, record }: Run): boolean => life.state !== 'elsewhere' && isActive(record.state);

export const summaryOf = ({ runId, recipe, record, life }: Run): RunSummary => ({
  runId,
  kind: recipe.kind,
  title: record.title,
  model: record.model,
  createdAtEpochMs: record.createdAtEpochMs,
  startedAtEpochMs: record.startedAtEpochMs,
  endedAtEpochMs: record.endedAtEpochMs,
  lastSeq: record.lastSeq,
  host: life.state === 'elsewhere' ? life.host : null,
  ...record.state,
});
