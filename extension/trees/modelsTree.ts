// The tree view of models.
import { EventEmitter, ThemeIcon, type TreeDataProvider, type TreeItem, TreeItemCollapsibleState, Uri } from 'vscode';
import { treeRow } from '../editorText';
import type { Library } from '../library';
import { childNodes, type ModelNode, type ModelRoot, type RowFacts, rowFacts, topNodes } from './modelNodes';

export function modelsTree(
  library: Library,
  roots: () => readonly ModelRoot[],
  media: Uri,
): TreeDataProvider<ModelNode> {
  const changed = new EventEmitter<void>();
  library.onModels(() => changed.fire());
  return {
    onDidChangeTreeData: changed.event,
    async getChildren(node) {
      if (!node) return topNodes(library.models, roots(), library.broken);
      const analysis = node.kind === 'model' ? await library.analysisOf(node.model.summary.folder) : null;
      return [...childNodes(node, library.models, analysis)];
    },
    getTreeItem(node) {
      const facts = rowFacts(node, library.models);
      const item = treeRow(facts, states[facts.opens]);
      item.id = facts.id;
      item.contextValue = node.kind;
      item.iconPath = iconOf(facts.icon, media);
      if (node.kind === 'model')
        item.command = { command: 'espalier.pruneModel', title: 'Choose Blocks', arguments: [node] };
      return item;
    },
  };
}

const states: Record<RowFacts['opens'], TreeItemCollapsibleState> = {
  never: TreeItemCollapsibleState.None,
  collapsed: TreeItemCollapsibleState.Collapsed,
  expanded: TreeItemCollapsibleState.Expanded,
};

function iconOf(icon: RowFacts['icon'], media: Uri): TreeItem['iconPath'] {
  if (typeof icon === 'string') return new ThemeIcon(icon);
  const bar = (theme: 'light' | 'dark') => Uri.joinPath(media, 'bars', theme, `${icon}.svg`);
  return { light: bar('light'), dark: bar('dark') };
}
