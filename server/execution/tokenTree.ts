// Token sequences as a radix tree of what they share, cut into trees that fit a row and prefixes that are computed once. Pure.

/** Scores `continuation` after `context`; the model sees all of it but the last token. Neither is empty. */
export interface TokenRequest {
  readonly context: readonly number[];
  readonly continuation: readonly number[];
}

/** A node of the radix tree: tokens that the same requests share, and what follows them. */
export interface RadixNode {
  readonly depth: number; // of its first token
  readonly ids: Int32Array;
  /** Requests that end with it. */
  readonly ends: readonly number[];
  readonly children: readonly RadixNode[];
  /** With all that comes behind it. */
  readonly nTokens: number;
}

/** A node with all below it, or none, at the end of a path from the root. */
export interface Tree {
  readonly path: readonly number[];
  readonly node: RadixNode | null;
  /** Requests that end with the path. */
  readonly ends: readonly number[];
}

/** Trees whose paths begin with the tokens of the prefix; these are not laid out again. */
export interface PrefixGroup {
  readonly prefix: Tree | null;
  readonly trees: Tree[];
}

/** What the model sees of all requests; those of equal tokens are one. null: there are none. */
export function tokenTree(requests: readonly TokenRequest[]): RadixNode | null {
  if (requests.length === 0) return null;
  const sequences = requests.map(({ context, continuation }) => {
    const sequence = new Int32Array(context.length + continuation.length - 1);
    sequence.set(context);
    sequence.set(continuation.slice(0, -1), context.length);
    return sequence;
  });
  return radixNode(
    sequences,
    [...sequences.keys()].sort((a, b) => compare(sequences[a]!, sequences[b]!)),
    0,
  );
}

/** @param order requests that agree in the first `depth` tokens, sorted by their tokens */
function radixNode(sequences: readonly Int32Array[], order: readonly number[], depth: number): RadixNode {
  const first = sequences[order[0]!]!;
  const last = sequences[order.at(-1)!]!;
  let end = depth;
  while (end < first.length && end < last.length && first[end] === last[end]) end++;
  const ends = order.filter((request) => sequences[request]!.length === end);
  const children: RadixNode[] = [];
  for (let at = ends.length; at < order.length; ) {
    const id = sequences[order[at]!]![end];
    let next = at;
    while (next < order.length && sequences[order[next]!]![end] === id) next++;
    children.push(radixNode(sequences, order.slice(at, next), end));
    at = next;
  }
  const ids = first.slice(depth, end);
  return { depth, ids, ends, children, nTokens: ids.length + children.reduce((n, child) => n + child.nTokens, 0) };
}

export interface CutOptions {
  /** Trees that share a row are no longer. */
  readonly rowTokens: number;
  /** A tree may be so long before it gets a prefix. */
  readonly largestRowTokens: number;
}

/** Of a shared beginning: shorter ones are computed again by all. */
const shortestPrefixTokens = 64;

/** Groups that together have all of a tree; the first one has no prefix. */
export function prefixGroups(root: RadixNode, options: CutOptions): PrefixGroup[] {
  const forest: PrefixGroup = { prefix: null, trees: [] };
  const groups = [forest];
  cut({ node: root, path: [], ends: [] }, forest, groups, options);
  return groups.filter(({ prefix, trees }) => prefix !== null || trees.length > 0);
}

function cut(
  { node, path, ends }: Tree & { readonly node: RadixNode },
  group: PrefixGroup,
  groups: PrefixGroup[],
  options: CutOptions,
): void {
  const nShared = path.length - prefixLength(group);
  const nTokens = nShared + node.nTokens;
  const isLong = nShared + node.ids.length >= shortestPrefixTokens || node.children.length === 0;
  if (nTokens <= options.rowTokens || (isLong && nTokens <= options.largestRowTokens)) {
    group.trees.push({ path, node, ends });
    return;
  }
  if (ends.length > 0) group.trees.push({ path, node: null, ends });
  const longer = [...path, ...node.ids];
  const prefix = { path: longer, node: null, ends: node.ends };
  if (!isLong && prefix.ends.length > 0) group.trees.push(prefix);
  const home = isLong ? { prefix, trees: [] } : group; // a short beginning is cheaper computed again than lent
  if (isLong) groups.push(home);
  for (const child of node.children) cut({ node: child, path: longer, ends: [] }, home, groups, options);
}

export const prefixLength = ({ prefix }: PrefixGroup): number => prefix?.path.length ?? 0;

/** The tokens of a tree that are not in the prefix of its group. */
export const treeLength = ({ path, node }: Tree, group: PrefixGroup): number =>
  path.length - prefixLength(group) + (node?.nTokens ?? 0);

function compare(a: Int32Array, b: Int32Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
