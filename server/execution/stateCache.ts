// Hidden states that are kept because another path may begin with them: on the device within a budget, the states of the
// original model on disk beyond it.
import { hiddenRows } from '../model/rows';
import type { Scope } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import { type Borrowed, type KnownStates, ownedBy } from './batchStates';
import type { MicroBatch } from './model';
import { openSpillFile } from './spillFile';

/** Sequences of a state: a part of those of one that is kept will do. */
type Sequences = Pick<MicroBatch, 'firstSequence' | 'batch' | 'tokens'>;

export interface StateCache extends KnownStates<Sequences>, Disposable {
  /**
   * Takes a state over, and lends it back. States that are `pinned` stay until the end; others are forgotten, the least
   * recently used first, when there is no room.
   */
  keep(prefix: string, batch: Sequences, state: Tensor, pinned: boolean): Promise<Borrowed>;
  /** Forgets the states that nobody will ask for any more. */
  retain(useful: (prefix: string) => boolean): void;
}

interface Entry {
  readonly sequences: Sequences;
  readonly nBytes: number;
  readonly pinned: boolean;
  /** null: on disk at `offset`. */
  readonly state: Tensor | null;
  readonly offset: number;
  nUsers: number;
}

/** @param budgetBytes the most to hold on the device; pinned states beyond it go to a temporary file. */
export function openStateCache(device: Scope, budgetBytes: number): StateCache {
  const scope = device.scope();
  const file = openSpillFile();
  const entries = openEntries();
  let heldBytes = 0;

  const forget = (prefix: string, entry: Entry) => {
    entries.remove(prefix, entry);
    if (!entry.state) return;
    heldBytes -= entry.nBytes;
    scope.release(entry.state);
  };
  const makeRoom = (nBytes: number) => {
    for (const [prefix, entry] of entries.all()) {
      if (heldBytes + nBytes <= budgetBytes) return;
      if (!entry.pinned && entry.nUsers === 0) forget(prefix, entry);
    }
  };
  const lend = (entry: Entry): Borrowed => ({ state: entry.state!, ...inUse(entry) });
  return {
    has: (prefix, batch) => entries.find(prefix, batch) !== undefined,
    reserve: (prefix, batch) => inUse(entries.used(prefix, batch)),
    async borrow(prefix, batch) {
      const entry = entries.used(prefix, batch);
      if (entry.state && entry.sequences.batch === batch.batch) return lend(entry);
      return ownedBy(scope, await partOf(scope, file.read, entry, batch));
    },
    async keep(prefix, { firstSequence, batch, tokens }, state, pinned) {
      const { nBytes } = state;
      makeRoom(nBytes);
      const common = { sequences: { firstSequence, batch, tokens }, nBytes, pinned, nUsers: 0 };
      scope.adopt(state);
      if (heldBytes + nBytes <= budgetBytes) {
        heldBytes += nBytes;
        return lend(entries.add(prefix, { ...common, state, offset: 0 }));
      }
      if (pinned) entries.add(prefix, { ...common, state: null, offset: file.append(await scope.read(state)) });
      return ownedBy(scope, state);
    },
    retain(useful) {
      for (const [prefix, entry] of entries.all())
        if (!useful(prefix) && entry.nUsers === 0 && !entry.pinned) forget(prefix, entry);
    },
    [Symbol.dispose]() {
      scope[Symbol.dispose]();
      file[Symbol.dispose]();
    },
  };
}

/** Entries by prefix, in the order of their last use. */
function openEntries() {
  const byPrefix = new Map<string, Entry[]>();
  const moveToEnd = (prefix: string, list: Entry[]) => {
    byPrefix.delete(prefix);
    byPrefix.set(prefix, list);
  };
  const find = (prefix: string, { firstSequence, batch }: Sequences) =>
    byPrefix
      .get(prefix)
      ?.find(
        ({ sequences: of }) =>
          of.firstSequence <= firstSequence && firstSequence + batch <= of.firstSequence + of.batch,
      );
  return {
    find,
    used(prefix: string, batch: Sequences): Entry {
      const entry = find(prefix, batch);
      if (!entry) throw new Error(`the cache has no state after "${prefix}"`);
      moveToEnd(prefix, byPrefix.get(prefix)!);
      return entry;
    },
    add(prefix: string, entry: Entry): Entry {
      moveToEnd(prefix, [...(byPrefix.get(prefix) ?? []), entry]);
      return entry;
    },
    remove(prefix: string, entry: Entry) {
      const left = byPrefix.get(prefix)!.filter((other) => other !== entry);
      if (left.length > 0) byPrefix.set(prefix, left);
      else byPrefix.delete(prefix);
    },
    all: () => [...byPrefix].flatMap(([prefix, list]) => list.map((entry) => [prefix, entry] as const)),
  };
}

function inUse(entry: Entry): { release(): void } {
  entry.nUsers++;
  return { release: () => void entry.nUsers-- };
}

/** The rows of some sequences of a state [B*T, D], from the device or from disk. */
async function partOf(
  scope: Scope,
  read: (offset: number, length: number) => Float32Array,
  { sequences, state, offset, nBytes }: Entry,
  { firstSequence, batch, tokens }: Sequences,
): Promise<Tensor> {
  const [first, nRows] = [(firstSequence - sequences.firstSequence) * tokens, batch * tokens];
  const width = nBytes / 4 / (sequences.batch * tokens);
  if (!state) return scope.upload(read(offset + first * width * 4, nRows * width), [nRows, width], 'result');
  const program = await scope.program(hiddenRows, sequences.batch * tokens, width, first, first + nRows);
  return (await scope.run(program, { hidden: state })).rows!;
}
