// The tree view of runs: queued, running and ended, newest first.
import { type Disposable, EventEmitter, ThemeColor, ThemeIcon, type TreeDataProvider, window } from 'vscode';
import type { RunSummary } from '../../server/protocol/server';
import type { Library } from '../library';
import { treeRow } from '../editorText';
import { isActive, runRow, shownRuns } from './runRows';

/** The badge counts the runs that are not over. */
export function showRuns(library: Library): Disposable {
  const view = window.createTreeView('espalier.runs', { treeDataProvider: runsTree(library) });
  const listening = library.onChange(() => {
    const value = shownRuns(library.runs).filter(isActive).length;
    if ((view.badge?.value ?? 0) === value) return;
    view.badge = value > 0 ? { value, tooltip: value === 1 ? '1 run' : `${value} runs` } : undefined;
  });
  return {
    dispose() {
      listening.dispose();
      view.dispose();
    },
  };
}

function runsTree(library: Library): TreeDataProvider<RunSummary> {
  const changed = new EventEmitter<void>();
  library.onChange(() => changed.fire());
  return {
    onDidChangeTreeData: changed.event,
    getChildren: (run) => (run ? [] : shownRuns(library.runs)),
    getTreeItem(run) {
      const row = runRow(run, Date.now());
      const item = treeRow(row);
      item.id = row.id;
      item.contextValue = row.contextValue;
      item.iconPath = new ThemeIcon(row.icon.name, row.icon.color ? new ThemeColor(row.icon.color) : undefined);
      item.command = { command: 'espalier.openRun', title: 'Open Run', arguments: [run] };
      return item;
    },
  };
}
