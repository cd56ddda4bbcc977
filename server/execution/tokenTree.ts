// Token sequences as a tree of what they share, cut into trees that fit a row and stems that are computed once. Pure.

/** Scores `continuation` after `context`; the model sees all of it but the last token. Neither is empty. */
export interface TokenRequest {
  readonly context: readonly number[];
  readonly continuation: readonly number[];
}

/** A stretch of tokens that the same requests pass, and what comes behind it. */
export interface Branch {
  readonly depth: number; // of its first token
  readonly ids: Int32Array;
  /** Requests that end with it. */
  readonly ends: readonly number[];
  readonly children: readonly Branch[];
  /** With all that comes behind it. */
  readonly nTokens: number;
}

/** A branch, or nothing, at the end of a path from the root. */
export interface Tree {
  readonly path: readonly number[];
  readonly branch: Branch | null;
  /** Requests that end with the path. */
  readonly ends: readonly number[];
}

/** Trees whose paths begin with the tokens of the stem; these are not laid out again. */
export interface Plot {
  readonly stem: Tree | null;
  readonly trees: Tree[];
}

/** What the model sees of all requests; those of equal tokens are one. null: there are none. */
export function tokenTree(requests: readonly TokenRequest[]): Branch | null {
  if (requests.length === 0) return null;
  const sequences = requests.map(({ context, continuation }) => {
    const sequence = new Int32Array(context.length + continuation.length - 1);
    sequence.set(context);
    sequence.set(continuation.slice(0, -1), context.length);
    return sequence;
  });
  return branchOf(
    sequences,
    [...sequences.keys()].sort((a, b) => compare(sequences[a]!, sequences[b]!)),
    0,
  );
}

/** @param order requests that agree in the first `depth` tokens, sorted by their tokens */
function branchOf(sequences: readonly Int32Array[], order: readonly number[], depth: number): Branch {
  const first = sequences[order[0]!]!;
  const last = sequences[order.at(-1)!]!;
  let end = depth;
  while (end < first.length && end < last.length && first[end] === last[end]) end++;
  const ends = order.filter((request) => sequences[request]!.length === end);
  const children: Branch[] = [];
  for (let at = ends.length; at < order.length; ) {
    const id = sequences[order[at]!]![end];
    let next = at;
    while (next < order.length && sequences[order[next]!]![end] === id) next++;
    children.push(branchOf(sequences, order.slice(at, next), end));
    at = next;
  }
  const ids = first.slice(depth, end);
  return { depth, ids, ends, children, nTokens: ids.length + children.reduce((n, child) => n + child.nTokens, 0) };
}

export interface CutOptions {
  /** Trees that share a row are no longer. */
  readonly rowTokens: number;
  /** A tree may be so long before it gets a stem. */
  readonly largestRowTokens: number;
}

/** Of a shared beginning: shorter ones are computed again by all. */
const shortestStemTokens = 64;

/** Plots that together have all of a tree; the first one has no stem. */
export function plotsOf(root: Branch, options: CutOptions): Plot[] {
  const forest: Plot = { stem: null, trees: [] };
  const plots = [forest];
  cut({ branch: root, path: [], ends: [] }, forest, plots, options);
  return plots.filter(({ stem, trees }) => stem !== null || trees.length > 0);
}

function cut(
  { branch, path, ends }: Tree & { readonly branch: Branch },
  plot: Plot,
  plots: Plot[],
  options: CutOptions,
): void {
  const nShared = path.length - stemLength(plot);
  const nTokens = nShared + branch.nTokens;
  const isLong = nShared + branch.ids.length >= shortestStemTokens || branch.children.length === 0;
  if (nTokens <= options.rowTokens || (isLong && nTokens <= options.largestRowTokens)) {
    plot.trees.push({ path, branch, ends });
    return;
  }
  if (ends.length > 0) plot.trees.push({ path, branch: null, ends });
  const longer = [...path, ...branch.ids];
  const stem = { path: longer, branch: null, ends: branch.ends };
  if (!isLong && stem.ends.length > 0) plot.trees.push(stem);
  const home = isLong ? { stem, trees: [] } : plot; // a short beginning is cheaper computed again than lent
  if (isLong) plots.push(home);
  for (const child of branch.children) cut({ branch: child, path: longer, ends: [] }, home, plots, options);
}

export const stemLength = ({ stem }: Plot): number => stem?.path.length ?? 0;

/** The tokens of a tree that are not in the stem of its plot. */
export const treeLength = ({ path, branch }: Tree, plot: Plot): number =>
  path.length - stemLength(plot) + (branch?.nTokens ?? 0);

function compare(a: Int32Array, b: Int32Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
