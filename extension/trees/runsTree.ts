// What the server has run, runs and will run.
import { EventEmitter, type TreeDataProvider, ThemeColor, ThemeIcon, TreeItem } from 'vscode';
import type { RunSummary } from '../../server/protocol';
import type { Library } from '../library';
import { runDescription } from './labels';

export function runsTree(library: Library): TreeDataProvider<RunSummary> {
  const changed = new EventEmitter<void>();
  library.onChange(() => changed.fire());
  return {
    onDidChangeTreeData: changed.event,
    // Prompts are asked by the dozen and answered where they are asked.
    getChildren: (run) => (run ? [] : library.runs.filter(({ kind }) => kind !== 'generate')),
    getTreeItem(run) {
      const item = new TreeItem(run.title);
      item.id = run.runId;
      item.description = runDescription(run);
      item.iconPath = icons[run.state];
      item.contextValue = `run.${run.state}`;
      item.tooltip = `${run.title}\n${run.model}\n${new Date(run.createdAtEpochMs).toLocaleString()}\n${runDescription(run)}`;
      item.command = { command: 'espalier.openRun', title: 'Open Run', arguments: [run] };
      return item;
    },
  };
}

const icons: Record<RunSummary['state'], ThemeIcon> = {
  queued: new ThemeIcon('clock'),
  running: new ThemeIcon('sync~spin'),
  done: new ThemeIcon('pass', new ThemeColor('testing.iconPassed')),
  failed: new ThemeIcon('error', new ThemeColor('testing.iconFailed')),
  cancelled: new ThemeIcon('circle-slash'),
  interrupted: new ThemeIcon('debug-disconnect'),
};
