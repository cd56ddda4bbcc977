// How a run is shown on every page: the icon and word of its state, its step in words, and the time that is left.
import type { PlanEstimate } from '../../server/protocol/engine';
import type { RunSummary } from '../../server/protocol/server';
import type { IconName } from './icons';

export interface RunStyle {
  readonly icon: IconName;
  readonly kind: string;
  readonly label: string;
}

export const runStyles: Record<RunSummary['state'], RunStyle> = {
  queued: { icon: 'sync', kind: '', label: 'Waiting' },
  running: { icon: 'sync', kind: 'spin', label: 'Running' },
  paused: { icon: 'debug-pause', kind: '', label: 'Paused' },
  done: { icon: 'pass', kind: '', label: 'Done' },
  failed: { icon: 'error', kind: 'bad', label: 'Failed' },
  cancelled: { icon: 'info', kind: '', label: 'Cancelled' },
  interrupted: { icon: 'warning', kind: 'warn', label: 'Interrupted' },
};

/** The engine's name of a step, and how a page shows it. A step without a row is shown as it is. */
const stepWords: Record<string, string> = {
  load: 'reading weights',
  compile: 'preparing',
  write: 'writing',
  analyze: 'hidden states and scores',
  removals: 'losses without single blocks',
  search: 'greedy search',
  suggestions: 'losses of what the methods pick',
  train: 'training',
  'original model': 'loss of the original',
  merge: 'folding the adapter in',
  'what if': 'losses of the sets asked for',
  download: 'what is fetched',
  prove: 'the proof',
  hash: 'reading the files',
  upload: 'what is sent',
};

export const stepInWords = (step: string): string => stepWords[step] ?? step;

/** Seconds left of the run by its plan; the engine's progress is only that of a step. Null where that is not known. */
export function secondsLeft(run: RunSummary, plan: PlanEstimate | null | undefined): number | null {
  if (run.startedAtEpochMs === null || !plan || plan.estimatedSeconds === null) return null;
  const left = plan.estimatedSeconds - (Date.now() - run.startedAtEpochMs) / 1000;
  return left > 1 ? left : null;
}

type State = RunSummary['state'];

/** The run has not ended. */
export const isActive = (state: State): boolean => state === 'queued' || state === 'running' || state === 'paused';
