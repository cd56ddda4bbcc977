// What the item in the status bar says: the name alone while all is quiet, the run that is going on with its share and time
// left, and what is wrong with the server.
import type { ConnectionState } from '../server/protocol/pages/page';
import type { DeviceChoice } from '../server/protocol/devices';
import type { RunSummary } from '../server/protocol/server';
import { deviceTitles } from '../server/shared/deviceTitles';
import { clock } from '../server/shared/numbers';
import { secondsLeftByShare } from '../server/shared/secondsLeft';
import { percent } from './trees/labels';
import { shownRuns } from './trees/runRows';

export interface StatusText {
  readonly text: string;
  readonly tooltip: string;
  readonly level: 'quiet' | 'warning' | 'error';
  readonly click:
    | { readonly does: 'openRun'; readonly run: RunSummary }
    | { readonly does: 'restartServer' | 'showLog' | 'models.focus' };
}

export interface StatusFacts {
  readonly trusted: boolean;
  /** What runs compute on, and why; null: not known yet. */
  readonly device: DeviceChoice | null;
  readonly nowEpochMs: number;
}

export function statusText(
  connection: ConnectionState,
  runs: readonly RunSummary[],
  { trusted, device, nowEpochMs }: StatusFacts,
): StatusText {
  switch (connection.state) {
    case 'failed':
      return {
        text: '$(error) Espalier: no server',
        tooltip: `${connection.message} Click to restart the compute server.`,
        level: 'error',
        click: { does: 'restartServer' },
      };
    case 'reconnecting':
      return {
        text: '$(sync~spin) Espalier: reconnecting',
        tooltip: 'The compute server is out of reach; what it runs goes on.',
        level: 'warning',
        click: { does: 'showLog' },
      };
    case 'starting':
      return {
        text: '$(loading~spin) Espalier',
        tooltip: 'Reaching the compute server',
        level: 'quiet',
        click: { does: 'showLog' },
      };
    case 'stopped':
      return trusted ? stopped : untrusted;
    case 'connected':
      return whenConnected(shownRuns(runs), device, nowEpochMs);
  }
}

const stopped: StatusText = {
  text: '$(circle-slash) Espalier',
  tooltip: 'The compute server is stopped. Click to start it.',
  level: 'quiet',
  click: { does: 'restartServer' },
};

const untrusted: StatusText = {
  text: 'Espalier',
  tooltip: 'Espalier computes only in folders that you trust.',
  level: 'quiet',
  click: { does: 'models.focus' },
};

/** The run that is going on, or else the one that is paused. */
function whenConnected(runs: readonly RunSummary[], device: DeviceChoice | null, nowEpochMs: number): StatusText {
  const nQueued = runs.filter(({ state }) => state === 'queued').length;
  const waiting = nQueued > 0 ? `${nQueued} more ${nQueued === 1 ? 'waits' : 'wait'}.` : '';
  const run = runs.find(({ state }) => state === 'running') ?? runs.find(({ state }) => state === 'paused');
  if (run?.state !== 'running' && run?.state !== 'paused')
    return {
      text: device ? `Espalier: ${deviceTitles[device.device]}` : 'Espalier',
      tooltip: [waiting || 'Nothing is running.', device?.reason].filter(Boolean).join(' '),
      level: 'quiet',
      click: { does: 'models.focus' },
    };
  const verb = run.title.split(' ')[0];
  const left = secondsLeftByShare(run, nowEpochMs);
  const [text, fact] =
    run.state === 'paused'
      ? [
          `$(debug-pause) Espalier: ${verb} paused at ${percent(run.fraction)}`,
          `${run.title} is paused and keeps its memory.`,
        ]
      : [
          `$(sync~spin) Espalier: ${verb} ${percent(run.fraction)}${left === null ? '' : `, ${clock(left)} left`}`,
          `${run.title}: ${run.step}.`,
        ];
  return {
    text,
    tooltip: [fact, waiting].filter(Boolean).join(' '),
    level: 'quiet',
    click: { does: 'openRun', run },
  };
}
