// What the item in the status bar says: the name alone while all is quiet, the run that is going on with its share and time
// left, and what is wrong with the server.
import type { ConnectionState } from '../server/protocol/pages/page';
import type { RunSummary } from '../server/protocol/server';
import { percent, secondsLeft } from './trees/labels';
import { shownRuns } from './trees/runRows';
import { clock } from '../server/shared/numbers';

export interface StatusText {
  readonly text: string;
  readonly tooltip: string;
  readonly level: 'quiet' | 'warning' | 'error';
  readonly click:
    | { readonly does: 'openRun'; readonly run: RunSummary }
    | { readonly does: 'restartServer' | 'showLog' | 'models.focus' };
}

export function statusText(
  connection: ConnectionState,
  runs: readonly RunSummary[],
  trusted: boolean,
  nowEpochMs: number,
): StatusText {
  const shown = shownRuns(runs);
  const running = shown.find(({ state }) => state === 'running') ?? shown.find(({ state }) => state === 'paused');
  const nQueued = shown.filter(({ state }) => state === 'queued').length;
  const waiting = nQueued > 0 ? `${nQueued} more ${nQueued === 1 ? 'waits' : 'wait'}.` : '';
  const showModels = { does: 'models.focus' } as const;
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
      return trusted
        ? {
            text: '$(circle-slash) Espalier',
            tooltip: 'The compute server is stopped. Click to start it.',
            level: 'quiet',
            click: { does: 'restartServer' },
          }
        : {
            text: 'Espalier',
            tooltip: 'Espalier computes only in folders that you trust.',
            level: 'quiet',
            click: showModels,
          };
    case 'connected': {
      if (running?.state !== 'running' && running?.state !== 'paused')
        return { text: 'Espalier', tooltip: waiting || 'Nothing is running.', level: 'quiet', click: showModels };
      const left = secondsLeft(running, nowEpochMs);
      const verb = running.title.split(' ')[0];
      if (running.state === 'paused')
        return {
          text: `$(debug-pause) Espalier: ${verb} paused at ${percent(running.fraction)}`,
          tooltip: [`${running.title} is paused and keeps its memory.`, waiting].filter(Boolean).join(' '),
          level: 'quiet',
          click: { does: 'openRun', run: running },
        };
      return {
        text: `$(sync~spin) Espalier: ${verb} ${percent(running.fraction)}${left === null ? '' : `, ${clock(left)} left`}`,
        tooltip: [`${running.title}: ${running.step}.`, waiting].filter(Boolean).join(' '),
        level: 'quiet',
        click: { does: 'openRun', run: running },
      };
    }
  }
}
