// Requests laid out so that nothing is computed twice: token sequences become a tree of what they share, its long stems are
// computed once and their keys and values lent to all that grows from them, and what is left is packed in rows. Pure.

/** Scores `continuation` after `context`; the model sees all of it but the last token. */
export interface TokenRequest {
  readonly context: readonly number[];
  readonly continuation: readonly number[];
}

/** Tokens of one or many trees, a token behind the one that it follows. B rows of T slots; padding has position -1. */
export interface PackedBatch {
  readonly batch: number; // B
  readonly tokens: number; // T
  readonly ids: Int32Array; // [B T]
  /** Counted in the sequence that a token belongs to, [B T]. */
  readonly positions: Int32Array;
  /** Slot, in the same row, of the token before; -1: the last one of the stem, or none. [B T] */
  readonly parents: Int32Array;
  readonly targets: readonly Target[];
}

/** What is asked of one slot: how likely each of these tokens is next. */
export interface Target {
  /** In [0, B T). */
  readonly slot: number;
  readonly ids: number[];
  /** By id: the requests that ask. */
  readonly requests: number[][];
}

/** Batches that grow from one stem: pieces of a chain, each of one row, which see all pieces before. */
export interface Bundle {
  readonly stem: readonly PackedBatch[];
  readonly batches: readonly PackedBatch[];
}

export interface PackingOptions {
  /** Rows are filled up to so many tokens. */
  readonly rowTokens: number;
  /** A tree may be so long before it gets a stem. */
  readonly largestRowTokens: number;
  readonly batchTokens: number;
}

/** Of a shared beginning: shorter ones are computed again by all. */
const shortestStemTokens = 64;

/** Lays out all requests; those of equal tokens are one. */
export function packRequests(requests: readonly TokenRequest[], options: PackingOptions): Bundle[] {
  if (requests.length === 0) return [];
  const sequences = requests.map(({ context, continuation }) =>
    Int32Array.from([...context, ...continuation.slice(0, -1)]),
  );
  const order = [...sequences.keys()].sort((a, b) => compare(sequences[a]!, sequences[b]!));
  const forest: Plot = { stem: null, trees: [] };
  const plots = [forest];
  split({ branch: branchOf(sequences, order, 0), path: [], ends: [] }, forest, plots, options);
  return plots
    .filter(({ stem, trees }) => stem !== null || trees.length > 0)
    .map((plot) => layOut(plot, requests, options));
}

/** A stretch of tokens that the same requests pass, and what comes behind it. */
interface Branch {
  readonly depth: number; // of its first token
  readonly ids: Int32Array;
  /** Requests that end with it. */
  readonly ends: readonly number[];
  readonly children: readonly Branch[];
  /** With all that comes behind it. */
  readonly nTokens: number;
}

/** A branch, or nothing, at the end of a path from the root. */
interface Tree {
  readonly path: readonly number[];
  readonly branch: Branch | null;
  /** Requests that end with the path. */
  readonly ends: readonly number[];
}

/** Trees whose paths begin with the tokens of the stem; these are not laid out again. */
interface Plot {
  readonly stem: Tree | null;
  readonly trees: Tree[];
}

/** @param order requests [all agree in the first `depth` tokens], sorted by their tokens */
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

/** Cuts a tree into such that fit a row, and stems with plots of their own. */
function split({ branch, path, ends }: Tree, plot: Plot, plots: Plot[], options: PackingOptions): void {
  if (!branch) return;
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
  for (const child of branch.children) split({ branch: child, path: longer, ends: [] }, home, plots, options);
}

const stemLength = ({ stem }: Plot) => stem?.path.length ?? 0;
const treeLength = ({ path, branch }: Tree, plot: Plot) => path.length - stemLength(plot) + (branch?.nTokens ?? 0);

/** Where a token came to lie. */
interface Place {
  readonly row: Row;
  readonly slot: number;
}

/** One row while it is filled. */
interface Row {
  readonly ids: number[];
  readonly positions: number[];
  readonly parents: number[];
  /** By slot and id: the requests that ask. */
  readonly asked: Map<number, Map<number, number[]>>;
}

const emptyRow = (): Row => ({ ids: [], positions: [], parents: [], asked: new Map() });

function layOut(plot: Plot, requests: readonly TokenRequest[], options: PackingOptions): Bundle {
  const stemPlaces: Place[] = [];
  const stemRows: Row[] = [];
  const { path: stem = [], ends = [] } = plot.stem ?? {};
  for (const [position, id] of stem.entries()) {
    if (position % options.batchTokens === 0) stemRows.push(emptyRow());
    stemPlaces.push(
      append(stemRows.at(-1)!, id, position, position % options.batchTokens === 0 ? null : stemPlaces.at(-1)!),
    );
  }
  for (const request of ends) ask(requests, request, stemPlaces);

  const rows: Row[] = [];
  const longestFirst = [...plot.trees].sort((a, b) => treeLength(b, plot) - treeLength(a, plot));
  for (const tree of longestFirst) {
    const nTokens = treeLength(tree, plot);
    let row = rows.find(({ ids }) => ids.length + nTokens <= options.rowTokens);
    if (!row) rows.push((row = emptyRow()));
    plant(tree, row, stemPlaces, requests);
  }
  rows.sort((a, b) => b.ids.length - a.ids.length);
  const batches: PackedBatch[] = [];
  for (let at = 0; at < rows.length; ) {
    const tokens = roundedUp(rows[at]!.ids.length);
    const batch = Math.max(1, Math.floor(options.batchTokens / tokens));
    batches.push(batchOf(rows.slice(at, at + batch), tokens));
    at += batch;
  }
  return { stem: stemRows.map((row) => batchOf([row], roundedUp(row.ids.length))), batches };
}

/** Puts the part of a tree that is not in the stem into a row. */
function plant(tree: Tree, row: Row, stem: readonly Place[], requests: readonly TokenRequest[]): void {
  const places = [...stem];
  const grow = (ids: ArrayLike<number>, from: number) => {
    for (let i = from; i < ids.length; i++) {
      const before = places.length > stem.length ? places.at(-1)! : null;
      places.push(append(row, ids[i]!, places.length, before));
    }
  };
  const climb = ({ ids, depth, ends, children }: Branch) => {
    places.length = depth;
    grow(ids, 0);
    for (const request of ends) ask(requests, request, places);
    for (const child of children) climb(child);
  };
  grow(tree.path, stem.length);
  for (const request of tree.ends) ask(requests, request, places);
  if (tree.branch) climb(tree.branch);
}

function append(row: Row, id: number, position: number, before: Place | null): Place {
  row.ids.push(id);
  row.positions.push(position);
  row.parents.push(before?.slot ?? -1);
  return { row, slot: row.ids.length - 1 };
}

/** Asks for the tokens of a request's continuation where they are predicted. */
function ask(requests: readonly TokenRequest[], request: number, places: readonly Place[]): void {
  const { context, continuation } = requests[request]!;
  for (const [i, id] of continuation.entries()) {
    const { row, slot } = places[context.length - 1 + i]!;
    const bySlot = row.asked.get(slot) ?? new Map<number, number[]>();
    row.asked.set(slot, bySlot.set(id, [...(bySlot.get(id) ?? []), request]));
  }
}

function batchOf(rows: readonly Row[], tokens: number): PackedBatch {
  const filled = (of: (row: Row) => readonly number[], empty: number) => {
    const all = new Int32Array(rows.length * tokens).fill(empty);
    for (const [b, row] of rows.entries()) all.set(of(row), b * tokens);
    return all;
  };
  const targets = rows.flatMap(({ asked }, b) =>
    [...asked]
      .sort(([a], [b]) => a - b)
      .map(([slot, ids]) => ({ slot: b * tokens + slot, ids: [...ids.keys()], requests: [...ids.values()] })),
  );
  return {
    batch: rows.length,
    tokens,
    ids: filled(({ ids }) => ids, 0),
    positions: filled(({ positions }) => positions, -1),
    parents: filled(({ parents }) => parents, -1),
    targets,
  };
}

/** Few lengths, so that few graphs are compiled. */
const roundedUp = (tokens: number) => (tokens <= 256 ? 32 * Math.ceil(tokens / 32) : 64 * Math.ceil(tokens / 64));

function compare(a: Int32Array, b: Int32Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) if (a[i] !== b[i]) return a[i]! - b[i]!;
  return a.length - b.length;
}
