// The hidden states of one batch while it goes through a trie of paths: each is held until its last use, and no longer.
import type { Tensor } from '../runtime/tensor';
import type { Batch, Model } from './model';
import type { TrieNode } from './variantTrie';

/** A state [B*T, D] that somebody else may own; whoever borrowed it says when it is done with it. */
export interface Borrowed {
  readonly state: Tensor;
  release(): void;
}

/** States that are known from before, by the key of their node. */
export interface KnownStates<B> {
  has(prefix: string, batch: B): boolean;
  /** Makes sure that a state which is known stays until it is released. */
  reserve(prefix: string, batch: B): { release(): void };
  borrow(prefix: string, batch: B): Promise<Borrowed>;
}

/** Who uses states, beside the nodes that follow them. */
export interface StateUses<B> {
  readonly known?: KnownStates<B> | undefined;
  /** The state before the first block. */
  first(): Promise<Tensor>;
  /** Uses of the state after a node (null: before all) by the head, by the backward pass, and after all. */
  more(node: TrieNode | null): number;
}

export interface BatchStates extends Disposable {
  /** False for a node whose state is known, or that only leads to such. */
  runs(node: TrieNode): boolean;
  /** The state after a node, or before all. */
  after(node: TrieNode | null): Promise<Tensor>;
  /** Takes the state after a node in. */
  put(node: TrieNode, state: Borrowed): void;
  /** One use is over: after the last one the state is given back. */
  used(node: TrieNode | null): void;
}

export function openBatchStates<B extends Batch>(
  { device }: Model,
  nodes: readonly TrieNode[],
  batch: B,
  { known, first, more }: StateUses<B>,
): BatchStates {
  const toRun = nodesToRun(nodes, (node) => known?.has(node.key, batch) ?? false);
  const roots = nodes.filter(({ parent }) => parent === null);
  const uses = new Map<TrieNode | null, number>();
  for (const node of [null, ...nodes]) {
    const following = (node?.children ?? roots).filter((child) => toRun.has(child));
    uses.set(node, following.length + more(node));
  }
  const held = new Map<TrieNode | null, Borrowed>();
  // What a batch begins with must not make room for what is added to the known states on its way.
  const reserved = new Map<TrieNode | null, { release(): void }>();
  for (const node of nodes)
    if (known && !toRun.has(node) && uses.get(node)! > 0) reserved.set(node, known.reserve(node.key, batch));

  const forget = (node: TrieNode | null) => {
    for (const each of [held, reserved]) {
      each.get(node)?.release();
      each.delete(node);
    }
  };
  return {
    runs: (node) => toRun.has(node),
    async after(node) {
      const found = held.get(node) ?? (node ? await known!.borrow(node.key, batch) : ownedBy(device, await first()));
      held.set(node, found);
      return found.state;
    },
    put(node, state) {
      held.set(node, state);
      if (uses.get(node) === 0) forget(node);
    },
    used(node) {
      const left = uses.get(node)! - 1;
      uses.set(node, left);
      if (left === 0) forget(node);
    },
    [Symbol.dispose]() {
      for (const node of [...held.keys(), ...reserved.keys()]) forget(node);
    },
  };
}

/** A state that a scope gives back, unless another scope has taken it over. */
export const ownedBy = (scope: Model['device'], state: Tensor): Borrowed => ({
  state,
  release: () => scope.release(state),
});

/** Everything between the ends of paths and what is known. */
export function nodesToRun(nodes: readonly TrieNode[], known: (node: TrieNode) => boolean): Set<TrieNode> {
  const toRun = new Set<TrieNode>();
  for (const end of nodes) {
    if (end.ends.length === 0) continue;
    for (let node: TrieNode | null = end; node && !toRun.has(node) && !known(node); node = node.parent) toRun.add(node);
  }
  return toRun;
}
