// The one item in the status bar, kept true.
import { type Disposable, StatusBarAlignment, ThemeColor, window, workspace } from 'vscode';
import type { Connection } from './connection';
import type { DeviceList } from './deviceList';
import type { Library } from './library';
import { showInStatus } from './editorText';
import { type StatusText, statusText } from './statusText';

export function showStatus(connection: Connection, library: Library, devices: DeviceList): Disposable {
  const item = window.createStatusBarItem('espalier.status', StatusBarAlignment.Left);
  item.name = 'Espalier';
  const update = () => {
    const facts = { trusted: workspace.isTrusted, device: devices.chosen(), nowEpochMs: Date.now() };
    const { text, tooltip, level, click } = statusText(connection.state, library.runs, facts);
    showInStatus(item, text, tooltip);
    item.backgroundColor = backgrounds[level] ? new ThemeColor(backgrounds[level]) : undefined;
    const command = `espalier.${click.does}`;
    item.command = click.does === 'openRun' ? { command, title: 'Open Run', arguments: [click.run] } : command;
  };
  update();
  item.show();
  const listening = [
    connection.onState(update),
    library.onChange(update),
    devices.onChange(update),
    workspace.onDidGrantWorkspaceTrust(update),
  ];
  return {
    dispose() {
      for (const each of listening) each.dispose();
      item.dispose();
    },
  };
}

const backgrounds: Record<StatusText['level'], string | null> = {
  quiet: null,
  warning: 'statusBarItem.warningBackground',
  error: 'statusBarItem.errorBackground',
};
