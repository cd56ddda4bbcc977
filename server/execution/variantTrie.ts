// Many paths through one model as a tree: what two paths have in common at their beginning is computed once. Pure.
import { type Path, type Stage, stageKey } from '../model/path';

/** The state after a stage, reached by all paths that begin alike. */
export interface TrieNode {
  /** Names the whole prefix: equal for two nodes, of whatever tries, exactly when their states are equal. */
  readonly key: string;
  readonly stage: Stage;
  /** null: the node follows the embedding. */
  readonly parent: TrieNode | null;
  readonly children: TrieNode[];
  /** Indices of the paths that end here. */
  readonly ends: number[];
}

/** The nodes of a trie, parents before children and in the order of their blocks. */
export function buildTrie(paths: readonly Path[]): TrieNode[] {
  const nodes = new Map<string, TrieNode>();
  for (const [index, path] of paths.entries()) {
    let parent: TrieNode | null = null;
    for (const stage of path) {
      const key: string = prefixKey(parent?.key ?? emptyPrefix, stage);
      const node: TrieNode = nodes.get(key) ?? { key, stage, parent, children: [], ends: [] };
      if (!nodes.has(key)) parent?.children.push(node);
      nodes.set(key, node);
      parent = node;
    }
    parent?.ends.push(index);
  }
  // A stable sort: within a block, in the order of the paths.
  return [...nodes.values()].sort((a, b) => a.stage.block - b.stage.block);
}

/** The key of the state that enters the first block. */
export const emptyPrefix = '';

export const prefixKey = (prefix: string, stage: Stage): string =>
  prefix === emptyPrefix ? stageKey(stage) : `${prefix} ${stageKey(stage)}`;

/** Passes through a block that a stage costs: a sublayer counts as half. */
export const stageRuns = ({ sublayers }: Stage): number => (sublayers === 'whole' ? 1 : 0.5);
