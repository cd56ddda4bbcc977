// How the state of a run looks, on every page that shows one.
import type { RunSummary } from '../server/protocol/server';
import type { IconName } from './ui';

export interface Look {
  readonly icon: IconName;
  readonly kind: string;
  readonly label: string;
}

export const looks: Record<RunSummary['state'], Look> = {
  queued: { icon: 'sync', kind: '', label: 'Waiting' },
  running: { icon: 'sync', kind: 'spin', label: 'Running' },
  paused: { icon: 'debug-pause', kind: '', label: 'Paused' },
  done: { icon: 'pass', kind: '', label: 'Done' },
  failed: { icon: 'error', kind: 'bad', label: 'Failed' },
  cancelled: { icon: 'info', kind: '', label: 'Cancelled' },
  interrupted: { icon: 'warning', kind: 'warn', label: 'Interrupted' },
};
