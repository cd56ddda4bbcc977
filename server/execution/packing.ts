// Requests laid out so that nothing is computed twice: what they share is a radix tree (tokenTree.ts). Long shared prefixes
// are computed once; their keys and values are reused by every sequence that continues them. The rest is packed in rows. Pure.
import {
  type RadixNode,
  type PrefixGroup,
  prefixGroups,
  prefixLength,
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
  /** Slot, in the same row, of the token before; -1: the last one of the prefix, or none. [B T] */
  readonly parents: Int32Array;
  readonly scoredTokens: ScoredTokens;
  /** Slots with a scored token. */
  readonly nTargets: number;
}

/** Tokens whose log-likelihood is wanted, slot after slot and id after id. */
export interface ScoredTokens {
  /** In [0, B T). */
  readonly slots: Int32Array;
  readonly ids: Int32Array;
  readonly requests: Int32Array;
}

/** A prefix and the batches that continue it. The prefix is a chain of pieces, each of one row, which see all pieces before. */
export interface PrefixBatches {
  readonly prefix: readonly PackedBatch[];
  readonly batches: readonly PackedBatch[];
}

export interface PackingOptions {
  /** Rows are filled up to so many tokens; of several lengths the one that costs least is taken. */
  readonly rowTokens: readonly number[];
  /** A tree may be so long before it gets a prefix. */
  readonly largestRowTokens: number;
  readonly batchTokens: number;
  /** Of a batch of B rows of T tokens behind P others. Default: its tokens. */
  costOf?(batch: number, tokens: number, nPast: number): number;
}

export function packRequests(requests: readonly TokenRequest[], options: PackingOptions): PrefixBatches[] {
  const root = tokenTree(requests);
  if (!root) return [];
  const { costOf = (batch, tokens) => batch * tokens } = options;
  const ways = options.rowTokens.map((rowTokens) => {
    const groups = prefixGroups(root, { ...options, rowTokens }).map((it) =>
      arrange(it, rowTokens, options.batchTokens),
    );
    const costs = groups.flatMap(({ rows, nPast }) => rows.map((some) => costOf(some.length, some[0]!.tokens, nPast)));
    return { groups, cost: costs.reduce((sum, cost) => sum + cost, 0) };
  });
  const { groups } = ways.reduce((best, way) => (way.cost < best.cost ? way : best));
  return groups.map((arranged) => layOut(arranged, requests, options.batchTokens));
}

/** A prefix group with its trees in rows, and its rows in batches; all rows of a batch are as long as the first. */
interface Arranged {
  readonly group: PrefixGroup;
  readonly nPast: number;
  readonly rows: readonly (readonly { readonly trees: readonly Tree[]; readonly tokens: number }[])[];
}

function arrange(group: PrefixGroup, rowTokens: number, batchTokens: number): Arranged {
  const longestFirst = group.trees
    .map((tree) => ({ tree, nTokens: treeLength(tree, group) }))
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
  return { group, nPast: prefixLength(group), rows };
}

/** Few lengths, so that few graphs are compiled. */
const roundedUp = (tokens: number) => (tokens <= 256 ? 32 * Math.ceil(tokens / 32) : 64 * Math.ceil(tokens / 64));

function layOut({ group, rows }: Arranged, requests: readonly TokenRequest[], pieceTokens: number): PrefixBatches {
  const prefixPlaces: Place[] = [];
  const pieces: Draft[] = [];
  const { path: prefix = [], ends = [] } = group.prefix ?? {};
  for (let at = 0; at < prefix.length; at += pieceTokens) {
    const piece = draft(1, roundedUp(Math.min(pieceTokens, prefix.length - at)));
    pieces.push(piece);
    for (let i = at; i < Math.min(at + pieceTokens, prefix.length); i++)
      prefixPlaces.push(write(piece, i - at, prefix[i]!, i, i === at ? -1 : i - at - 1));
  }
  for (const request of ends) scoreTokens(requests, request, prefixPlaces);
  const batches = rows.map((some) => {
    const batch = draft(some.length, some[0]!.tokens);
    for (const [b, { trees }] of some.entries()) layOutSubtrees(trees, batch, b, prefixPlaces, requests);
    return batch;
  });
  return { prefix: pieces.map(finished), batches: batches.map(finished) };
}

/** A batch while it is filled. */
interface Draft extends Omit<PackedBatch, 'scoredTokens' | 'nTargets'> {
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

/** Puts the parts of trees that are not in the prefix into row `b`. */
function layOutSubtrees(
  trees: readonly Tree[],
  batch: Draft,
  b: number,
  prefix: readonly Place[],
  requests: readonly TokenRequest[],
): void {
  const start = b * batch.tokens;
  let next = start;
  for (const tree of trees) {
    const places = [...prefix];
    const appendTokens = (ids: ArrayLike<number>, from: number) => {
      for (let i = from; i < ids.length; i++) {
        const before = places.length > prefix.length ? places.at(-1)!.slot - start : -1;
        places.push(write(batch, next++, ids[i]!, places.length, before));
      }
    };
    const visit = ({ ids, depth, ends, children }: RadixNode) => {
      places.length = depth;
      appendTokens(ids, 0);
      for (const request of ends) scoreTokens(requests, request, places);
      for (const child of children) visit(child);
    };
    appendTokens(tree.path, prefix.length);
    for (const request of tree.ends) scoreTokens(requests, request, places);
    if (tree.node) visit(tree.node);
  }
}

/** Notes the tokens of a request's continuation where they are predicted. */
function scoreTokens(requests: readonly TokenRequest[], request: number, places: readonly Place[]): void {
  const { context, continuation } = requests[request]!;
  for (const [i, id] of continuation.entries()) {
    const { batch, slot } = places[context.length - 1 + i]!;
    batch.asked.push({ slot, id, request });
  }
}

function finished({ asked, ...batch }: Draft): PackedBatch {
  asked.sort((a, b) => a.slot - b.slot || a.id - b.id || a.request - b.request);
  const scoredTokens = {
    slots: Int32Array.from(asked, ({ slot }) => slot),
    ids: Int32Array.from(asked, ({ id }) => id),
    requests: Int32Array.from(asked, ({ request }) => request),
  };
  return { ...batch, scoredTokens, nTargets: new Set(scoredTokens.slots).size };
}
