// A run as a row of the tree view: an icon for its state, and in words its progress or how it ended; pure.
import type { RunSummary } from '../../server/protocol/server';
import { percent, taken } from './labels';
import { clock } from '../../server/shared/numbers';
import { secondsLeftByShare } from '../../server/shared/secondsLeft';

export interface RunRow {
  readonly id: string;
  readonly label: string;
  readonly description: string;
  readonly tooltip: string;
  /** A product icon and the colour that goes with it. */
  readonly icon: { readonly name: string; readonly color: string | null };
  /** `run.` and the state, and `.heal` where it can be paused: which actions a row has. One elsewhere can only be looked at. */
  readonly contextValue: string;
}

/** All but generations: their text is shown in the try panel. */
export const shownRuns = (runs: readonly RunSummary[]): RunSummary[] => runs.filter(({ kind }) => kind !== 'generate');

/** It is not over: it waits, runs or is paused. */
export const isActive = ({ state }: RunSummary): boolean => ['queued', 'running', 'paused'].includes(state);

export function runRow(run: RunSummary, nowEpochMs: number): RunRow {
  const description = runDescription(run, nowEpochMs);
  const { runId, title, model, createdAtEpochMs } = run;
  const step = run.state === 'running' || run.state === 'paused' ? `${run.step}\n` : '';
  return {
    id: runId,
    label: title,
    description,
    tooltip: `${title}\n${step}${description}\n${model}\nasked ${new Date(createdAtEpochMs).toLocaleString()}`,
    icon: icons[run.state],
    contextValue: contextValueOf(run),
  };
}

function contextValueOf(run: RunSummary): string {
  if (run.host !== null && isActive(run)) return 'run.elsewhere';
  return run.kind === 'heal' ? `run.${run.state}.heal` : `run.${run.state}`;
}

export const runDescription = (run: RunSummary, nowEpochMs: number): string =>
  run.host === null ? ownDescription(run, nowEpochMs) : `${ownDescription(run, nowEpochMs)} on ${run.host}`;

function ownDescription(run: RunSummary, nowEpochMs: number): string {
  if (run.state === 'queued') return 'queued';
  if (run.state === 'running') {
    const left = secondsLeftByShare(run, nowEpochMs);
    return `${percent(run.fraction)}${left === null ? '' : `, ${clock(left)} left`}`;
  }
  if (run.state === 'paused') return `paused at ${percent(run.fraction)}`;
  if (run.state === 'failed') return `failed: ${run.message}`;
  const { startedAtEpochMs: began, endedAtEpochMs: ended } = run;
  const took = began !== null && ended !== null ? taken((ended - began) / 1000) : null;
  if (run.state === 'done') return took ?? 'done';
  return took === null ? run.state : `${run.state} after ${took}`;
}

const icons: Record<RunSummary['state'], RunRow['icon']> = {
  queued: { name: 'history', color: null },
  running: { name: 'sync~spin', color: null },
  paused: { name: 'debug-pause', color: null },
  done: { name: 'pass', color: 'testing.iconPassed' },
  failed: { name: 'error', color: 'testing.iconFailed' },
  cancelled: { name: 'circle-slash', color: null },
  interrupted: { name: 'debug-disconnect', color: null },
};
