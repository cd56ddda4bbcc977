// The states of one batch of packed rows on its way through many paths: kept as long as somebody needs them.
import type { Tensor } from '../runtime/tensor';
import { embed, type Model } from './model';
import type { PackedBatch } from './packing';
import { emptyPrefix, type TrieNode } from './variantTrie';

export interface Seat {
  /** The state after a node, or before all. */
  state(node: TrieNode | null): Promise<Tensor>;
  passed(node: TrieNode, hiddenOut: Tensor): void;
  /** Whoever was given a state says so when it is done with it. */
  finished(node: TrieNode): void;
  dispose(): void;
}

export function openSeat(model: Model, trie: readonly TrieNode[], batch: PackedBatch): Seat {
  const held = new Map<string, Tensor>();
  const users = new Map<string, number>([[emptyPrefix, trie.filter(({ parent }) => parent === null).length]]);
  for (const { key, children, ends } of trie)
    users.set(key, children.length + (ends.length > 0 && batch.nTargets > 0 ? 1 : 0));
  const release = (key: string) => {
    held.get(key)?.dispose();
    held.delete(key);
  };
  const finished = (key: string) => {
    const left = users.get(key)! - 1;
    users.set(key, left);
    if (left <= 0) release(key);
  };
  return {
    async state(node) {
      const key = node?.key ?? emptyPrefix;
      const known = held.get(key) ?? (await embed(model, batch.ids));
      held.set(key, known);
      return known;
    },
    passed(node, hiddenOut) {
      held.set(node.key, hiddenOut);
      if (users.get(node.key) === 0) release(node.key);
      finished(node.parent?.key ?? emptyPrefix);
    },
    finished: (node) => finished(node.key),
    dispose() {
      for (const key of [...held.keys()]) release(key);
    },
  };
}
