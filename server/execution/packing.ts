// Requests laid out so that nothing is computed twice: what they share is a tree (tokenTree.ts), its long stems are computed
// once and their keys and values lent to all that grows from them, and what is left is packed in rows. Pure.
import {
  type Branch,
  type Plot,
  plotsOf,
  stemLength,
  type TokenRequest,
  tokenTree,
  type Tree,
  treeLength,
} from './tokenTree';

/** Tokens of one or many trees, a token behind the one that it follows. B rows of T slots; padding has position -1. */
export interface PackedBatch {
  readonly batch: number; // B
  readonly tokens: number; // T
  readonly ids: Int32Array; // [B T]
  /** Counted in the sequence that a token belongs to, [B T]. */
  readonly positions: Int32Array;
  /** Slot, in the same row, of the token before; -1: the last one of the stem, or none. [B T] */
  readonly parents: Int32Array;
  readonly asks: ScoredTokens;
  /** Slots that something is asked of. */
  readonly nTargets: number;
}

/** How likely a token is next, slot after slot and id after id. */
export interface ScoredTokens {
  /** In [0, B T). */
  readonly slots: Int32Array;
  readonly ids: Int32Array;
  readonly requests: Int32Array;
}

/** Batches that grow from one stem: pieces of a chain, each of one row, which see all pieces before. */
export interface Bundle {
  readonly stem: readonly PackedBatch[];
  readonly batches: readonly PackedBatch[];
}

export interface PackingOptions {
  /** Rows are filled up to so many tokens; of several lengths the one that costs least is taken. */
  readonly rowTokens: readonly number[];
  /** A tree may be so long before it gets a stem. */
  readonly largestRowTokens: number;
  readonly batchTokens: number;
  /** Of a batch of B rows of T tokens behind P others. Default: its tokens. */
  costOf?(batch: number, tokens: number, nPast: number): number;
}

export function packRequests(requests: readonly TokenRequest[], options: PackingOptions): Bundle[] {
  const root = tokenTree(requests);
  if (!root) return [];
  const { costOf = (batch, tokens) => batch * tokens } = options;
  const ways = options.rowTokens.map((rowTokens) => {
    const plots = plotsOf(root, { ...options, rowTokens }).map((plot) => arrange(plot, rowTokens, options.batchTokens));
    const costs = plots.flatMap(({ rows, nPast }) => rows.map((some) => costOf(some.length, some[0]!.tokens, nPast)));
    return { plots, cost: costs.reduce((sum, cost) => sum + cost, 0) };
  });
  const { plots } = ways.reduce((best, way) => (way.cost < best.cost ? way : best));
  return plots.map((arranged) => layOut(arranged, requests, options.batchTokens));
}

/** A plot with its trees in rows, and its rows in batches; all rows of a batch are as long as the first. */
interface Arranged {
  readonly plot: Plot;
  readonly nPast: number;
  readonly rows: readonly (readonly { readonly trees: readonly Tree[]; readonly tokens: number }[])[];
}

function arrange(plot: Plot, rowTokens: number, batchTokens: number): Arranged {
  const longestFirst = plot.trees
    .map((tree) => ({ tree, nTokens: treeLength(tree, plot) }))
    .sort((a, b) => b.nTokens - a.nTokens);
  // Into the row that is left with the least room; rows by their room.
  const byRoom = Array.from({ length: rowTokens + 1 }, (): Tree[][] => []);
  const full: { trees: Tree[]; nTokens: number }[] = [];
  for (const { tree, nTokens } of longestFirst) {
    if (nTokens > rowTokens) {
      full.push({ trees: [tree], nTokens });
      continue;
    }
    let room = nTokens;
    while (room < rowTokens && byRoom[room]!.length === 0) room++;
    const row = byRoom[room]!.pop() ?? [];
    row.push(tree);
    byRoom[room - nTokens]!.push(row);
  }
  const packed = byRoom.flatMap((rows, room) => rows.map((trees) => ({ trees, nTokens: rowTokens - room })));
  const sorted = [...full, ...packed].sort((a, b) => b.nTokens - a.nTokens);
  const rows: { trees: readonly Tree[]; tokens: number }[][] = [];
  for (let at = 0; at < sorted.length; ) {
    const tokens = roundedUp(sorted[at]!.nTokens);
    const batch = Math.max(1, Math.floor(batchTokens / tokens));
    rows.push(sorted.slice(at, at + batch).map(({ trees }) => ({ trees, tokens })));
    at += batch;
  }
  return { plot, nPast: stemLength(plot), rows };
}

/** Few lengths, so that few graphs are compiled. */
const roundedUp = (tokens: number) => (tokens <= 256 ? 32 * Math.ceil(tokens / 32) : 64 * Math.ceil(tokens / 64));

function layOut({ plot, rows }: Arranged, requests: readonly TokenRequest[], pieceTokens: number): Bundle {
  const stemPlaces: Place[] = [];
  const pieces: Draft[] = [];
  const { path: stem = [], ends = [] } = plot.stem ?? {};
  for (let at = 0; at < stem.length; at += pieceTokens) {
    const piece = draft(1, roundedUp(Math.min(pieceTokens, stem.length - at)));
    pieces.push(piece);
    for (let i = at; i < Math.min(at + pieceTokens, stem.length); i++)
      stemPlaces.push(write(piece, i - at, stem[i]!, i, i === at ? -1 : i - at - 1));
  }
  for (const request of ends) ask(requests, request, stemPlaces);
  const batches = rows.map((some) => {
    const batch = draft(some.length, some[0]!.tokens);
    for (const [b, { trees }] of some.entries()) plant(trees, batch, b, stemPlaces, requests);
    return batch;
  });
  return { stem: pieces.map(finished), batches: batches.map(finished) };
}

/** A batch while it is filled. */
interface Draft extends Omit<PackedBatch, 'asks' | 'nTargets'> {
  readonly asked: { readonly slot: number; readonly id: number; readonly request: number }[];
}

/** Where a token came to lie. */
interface Place {
  readonly batch: Draft;
  readonly slot: number;
}

const draft = (batch: number, tokens: number): Draft => ({
  batch,
  tokens,
  ids: new Int32Array(batch * tokens),
  positions: new Int32Array(batch * tokens).fill(-1),
  parents: new Int32Array(batch * tokens).fill(-1),
  asked: [],
});

function write(batch: Draft, slot: number, id: number, position: number, parent: number): Place {
  batch.ids[slot] = id;
  batch.positions[slot] = position;
  batch.parents[slot] = parent;
  return { batch, slot };
}

/** Puts the parts of trees that are not in the stem into row `b`. */
function plant(
  trees: readonly Tree[],
  batch: Draft,
  b: number,
  stem: readonly Place[],
  requests: readonly TokenRequest[],
): void {
  const start = b * batch.tokens;
  let next = start;
  for (const tree of trees) {
    const places = [...stem];
    const grow = (ids: ArrayLike<number>, from: number) => {
      for (let i = from; i < ids.length; i++) {
        const before = places.length > stem.length ? places.at(-1)!.slot - start : -1;
        places.push(write(batch, next++, ids[i]!, places.length, before));
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
}

/** ScoredTokens for the tokens of a request's continuation where they are predicted. */
function ask(requests: readonly TokenRequest[], request: number, places: readonly Place[]): void {
  const { context, continuation } = requests[request]!;
  for (const [i, id] of continuation.entries()) {
    const { batch, slot } = places[context.length - 1 + i]!;
    batch.asked.push({ slot, id, request });
  }
}

function finished({ asked, ...batch }: Draft): PackedBatch {
  asked.sort((a, b) => a.slot - b.slot || a.id - b.id || a.request - b.request);
  const asks = {
    slots: Int32Array.from(asked, ({ slot }) => slot),
    ids: Int32Array.from(asked, ({ id }) => id),
    requests: Int32Array.from(asked, ({ request }) => request),
  };
  return { ...batch, asks, nTargets: new Set(asks.slots).size };
}
