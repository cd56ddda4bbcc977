// The time that a run still takes, if the rest takes as long as what is done; pure.
import type { RunSummary } from '../protocol/server';

/** In seconds; null where it cannot be said yet. */
export function secondsLeftByShare(run: RunSummary, nowEpochMs: number): number | null {
  if (run.state !== 'running' || run.startedAtEpochMs === null || run.fraction < 0.02) return null;
  const spent = (nowEpochMs - run.startedAtEpochMs) / 1000;
  return (spent / run.fraction) * (1 - run.fraction);
}
