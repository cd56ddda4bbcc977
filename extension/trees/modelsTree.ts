// The models of the workspace: variants under the model they were made from, blocks under a model that was analysed.
import { basename } from 'node:path';
import { EventEmitter, type TreeDataProvider, TreeItem, TreeItemCollapsibleState, Uri } from 'vscode';
import type { AnalyzeReport, FoundModel } from '../../server/protocol';
import type { Library } from '../library';
import { barLevel, modelDescription, signed } from './labels';

export type ModelNode =
  | { readonly kind: 'model'; readonly model: FoundModel }
  | { readonly kind: 'block'; readonly model: FoundModel; readonly block: number; readonly analysis: AnalyzeReport };

export function modelsTree(library: Library, media: Uri): TreeDataProvider<ModelNode> {
  const changed = new EventEmitter<void>();
  library.onChange(() => changed.fire());
  const childrenOf = (parent: string | null): ModelNode[] =>
    library.models.filter(({ parentFolder }) => parentFolder === parent).map((model) => ({ kind: 'model', model }));
  return {
    onDidChangeTreeData: changed.event,
    async getChildren(node) {
      if (!node) return childrenOf(null);
      if (node.kind === 'block') return [];
      const { model } = node;
      const analysis = await library.analysisOf(model.summary.folder).catch(() => null);
      const blocks = analysis ? analysis.model.nBlocks : 0;
      return [
        ...childrenOf(model.summary.folder),
        ...Array.from(
          { length: blocks },
          (_, block): ModelNode => ({ kind: 'block', model, block, analysis: analysis! }),
        ),
      ];
    },
    getTreeItem: (node) => (node.kind === 'model' ? modelItem(node.model, library) : blockItem(node, media)),
  };
}

function modelItem(model: FoundModel, library: Library): TreeItem {
  const { summary, analysisRunId } = model;
  const hasVariants = library.models.some(({ parentFolder }) => parentFolder === summary.folder);
  const collapsible = analysisRunId || hasVariants ? TreeItemCollapsibleState.Expanded : TreeItemCollapsibleState.None;
  const item = new TreeItem(
    basename(summary.folder) || summary.name,
    hasVariants ? collapsible : collapsedIf(analysisRunId),
  );
  item.id = summary.folder;
  item.description = modelDescription(model);
  item.contextValue = 'model';
  item.resourceUri = Uri.file(summary.folder);
  item.iconPath = undefined;
  item.tooltip = `${summary.folder}\n${summary.family}, ${summary.dtype}, ${(summary.nParameters / 1e6).toFixed(1)} M parameters`;
  item.command = { command: 'espalier.pruneModel', title: 'Choose Blocks', arguments: [{ kind: 'model', model }] };
  return item;
}

const collapsedIf = (some: unknown) => (some ? TreeItemCollapsibleState.Collapsed : TreeItemCollapsibleState.None);

function blockItem({ model, block, analysis }: Extract<ModelNode, { kind: 'block' }>, media: Uri): TreeItem {
  const item = new TreeItem(`Block ${block}`, TreeItemCollapsibleState.None);
  item.id = `${model.summary.folder}#${block}`;
  item.contextValue = 'block';
  const removal = analysis.removals?.blocks[block];
  if (removal) {
    item.description = `${signed(removal.costNats)} nats without it`;
    const bar = (theme: 'light' | 'dark') => Uri.joinPath(media, 'bars', theme, `${barLevel(removal)}.svg`);
    item.iconPath = { light: bar('light'), dark: bar('dark') };
    return item;
  }
  const [name, scores] = Object.entries(analysis.methods).find(([, method]) => method.of === 'block') ?? [];
  if (scores) item.description = `${(scores.scores as number[])[block]!.toPrecision(3)} by ${name}`;
  return item;
}
