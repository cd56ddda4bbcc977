// One item: nothing but the name while all is quiet, the run with its share and time left, and what is wrong with the server.
import { type Disposable, StatusBarAlignment, ThemeColor, window } from 'vscode';
import type { ConnectionState, RunSummary } from '../server/protocol';
import type { Connection } from './connection';
import type { Library } from './library';
import { duration, percent, secondsLeft } from './trees/labels';

export interface StatusText {
  readonly text: string;
  readonly tooltip: string;
  readonly level: 'quiet' | 'warning' | 'error';
  readonly command: 'espalier.openRun' | 'espalier.restartServer' | 'espalier.showLog' | 'espalier.models.focus';
}

/** Pure: what the item says. */
export function statusText(connection: ConnectionState, runs: readonly RunSummary[], nowEpochMs: number): StatusText {
  const quiet = { level: 'quiet' as const };
  if (connection.state === 'failed')
    return {
      text: '$(error) Espalier',
      tooltip: connection.message,
      level: 'error',
      command: 'espalier.restartServer',
    };
  if (connection.state === 'reconnecting')
    return {
      text: '$(sync~spin) Espalier: reconnecting',
      tooltip: 'The compute server is out of reach; runs go on there.',
      level: 'warning',
      command: 'espalier.showLog',
    };
  if (connection.state === 'starting')
    return {
      ...quiet,
      text: '$(loading~spin) Espalier',
      tooltip: 'Starting the compute server',
      command: 'espalier.showLog',
    };
  if (connection.state === 'stopped')
    return {
      ...quiet,
      text: '$(circle-slash) Espalier',
      tooltip: 'The compute server is not running',
      command: 'espalier.restartServer',
    };
  const running = runs.find((run) => run.state === 'running' && run.kind !== 'generate');
  if (running?.state === 'running') {
    const left = secondsLeft(running, nowEpochMs);
    const verb = running.title.split(' ')[0];
    const time = left === null ? '' : ` ${duration(left)}`;
    return {
      ...quiet,
      text: `$(sync~spin) ${verb} ${percent(running.fraction)}${time}`,
      tooltip: `${running.title}: ${running.step}`,
      command: 'espalier.openRun',
    };
  }
  return { ...quiet, text: 'Espalier', tooltip: 'Models and runs', command: 'espalier.models.focus' };
}

export function showStatus(connection: Connection, library: Library): Disposable {
  const item = window.createStatusBarItem('espalier.status', StatusBarAlignment.Left);
  item.name = 'Espalier';
  const backgrounds = {
    quiet: undefined,
    warning: 'statusBarItem.warningBackground',
    error: 'statusBarItem.errorBackground',
  };
  const update = () => {
    const { text, tooltip, level, command } = statusText(connection.state, library.runs, Date.now());
    item.text = text;
    item.tooltip = tooltip;
    item.backgroundColor = backgrounds[level] ? new ThemeColor(backgrounds[level]) : undefined;
    const running = library.runs.find((run) => run.state === 'running');
    item.command = command === 'espalier.openRun' ? { command, title: 'Open Run', arguments: [running] } : command;
  };
  update();
  item.show();
  const listening = [connection.onState(update), library.onChange(update)];
  return {
    dispose() {
      for (const each of listening) each.dispose();
      item.dispose();
    },
  };
}
