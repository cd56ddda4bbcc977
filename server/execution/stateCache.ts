// Hidden states that are kept because another path may begin with them: on the device within a budget, the states of the
// whole model on disk beyond it.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hiddenRows } from '../model/rows';
import type { Device } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import type { MicroBatch } from './model';

/** A state [B*T, D] that somebody else owns; it lives until it is released. */
export interface Borrowed {
  readonly state: Tensor;
  release(): void;
}

export interface StateCache {
  has(prefix: string, batch: MicroBatch): boolean;
  /** Makes sure that a state which the cache has stays until it is released. */
  reserve(prefix: string, batch: MicroBatch): { release(): void };
  /** The state after a prefix for the windows of a batch; the cache must have it. */
  borrow(prefix: string, batch: MicroBatch): Promise<Borrowed>;
  /**
   * Gives a state to the cache, which owns it from now on and lends it back. States that are `pinned` stay until the end;
   * others are forgotten, the least recently used first, when there is no room.
   */
  keep(prefix: string, batch: MicroBatch, state: Tensor, pinned: boolean): Promise<Borrowed>;
  /** Forgets the states that nobody will ask for any more. */
  retain(useful: (prefix: string) => boolean): void;
  dispose(): void;
}

interface Entry {
  readonly batch: MicroBatch;
  readonly nBytes: number;
  readonly pinned: boolean;
  /** null: on disk at `offset`. */
  readonly state: Tensor | null;
  readonly offset: number;
  nUsers: number;
}

/** @param budgetBytes the most to hold on the device; pinned states beyond it go to a temporary file. */
export function openStateCache(device: Device, budgetBytes: number): StateCache {
  // In the order of their last use.
  const entries = new Map<string, Entry[]>();
  let heldBytes = 0;
  const file = spillFile();

  const find = (prefix: string, { firstWindow, batch }: MicroBatch) =>
    entries
      .get(prefix)
      ?.find(
        (it) => it.batch.firstWindow <= firstWindow && firstWindow + batch <= it.batch.firstWindow + it.batch.batch,
      );
  const forget = (prefix: string, entry: Entry) => {
    const left = entries.get(prefix)!.filter((it) => it !== entry);
    if (left.length > 0) entries.set(prefix, left);
    else entries.delete(prefix);
    if (entry.state) {
      heldBytes -= entry.nBytes;
      entry.state.dispose();
    }
  };
  const makeRoom = (nBytes: number) => {
    for (const [prefix, list] of entries) {
      for (const entry of list) {
        if (heldBytes + nBytes <= budgetBytes) return;
        if (!entry.pinned && entry.nUsers === 0) forget(prefix, entry);
      }
    }
  };
  const lend = (entry: Entry): Borrowed => {
    entry.nUsers++;
    return { state: entry.state!, release: () => void entry.nUsers-- };
  };
  const add = (prefix: string, entry: Entry) => {
    const list = entries.get(prefix) ?? [];
    entries.delete(prefix);
    entries.set(prefix, [...list, entry]);
    return entry;
  };
  const owned = (state: Tensor): Borrowed => ({ state, release: () => state.dispose() });

  return {
    has: (prefix, batch) => find(prefix, batch) !== undefined,
    reserve(prefix, batch) {
      const entry = find(prefix, batch);
      if (!entry) throw new Error(`the cache has no state after "${prefix}" to reserve`);
      entry.nUsers++;
      return { release: () => void entry.nUsers-- };
    },
    async borrow(prefix, batch) {
      const entry = find(prefix, batch);
      if (!entry) throw new Error(`the cache has no state after "${prefix}"`);
      const list = entries.get(prefix)!;
      entries.delete(prefix);
      entries.set(prefix, list);
      const { firstWindow, tokens } = batch;
      const rows = { start: (firstWindow - entry.batch.firstWindow) * tokens, length: batch.batch * tokens };
      if (!entry.state) {
        const width = entry.nBytes / 4 / (entry.batch.batch * tokens);
        const data = file.read(entry.offset + rows.start * width * 4, rows.length * width);
        return owned(await device.upload(data, [rows.length, width], 'result'));
      }
      if (entry.batch.batch === batch.batch) return lend(entry);
      const { start } = rows;
      const [allRows, width] = entry.state.shape as [number, number];
      const key = `hiddenRows ${allRows} ${start}+${rows.length}`;
      const program = await device.program(key, () => hiddenRows(allRows, width, start, start + rows.length));
      return owned((await device.run(program, { hidden: entry.state })).rows!);
    },
    async keep(prefix, batch, state, pinned) {
      const { nBytes } = state;
      makeRoom(nBytes);
      const common = { batch, nBytes, pinned, nUsers: 0 };
      if (heldBytes + nBytes <= budgetBytes) {
        heldBytes += nBytes;
        return lend(add(prefix, { ...common, state, offset: 0 }));
      }
      if (pinned) add(prefix, { ...common, state: null, offset: file.append(await device.read(state)) });
      return owned(state);
    },
    retain(useful) {
      for (const [prefix, list] of [...entries])
        if (!useful(prefix)) for (const entry of list) if (entry.nUsers === 0 && !entry.pinned) forget(prefix, entry);
    },
    dispose() {
      for (const list of entries.values()) for (const { state } of list) state?.dispose();
      entries.clear();
      file.dispose();
    },
  };
}

/** A temporary file of numbers, made when it is first written to. */
function spillFile() {
  let open: { folder: string; handle: number } | null = null;
  let end = 0;
  return {
    append(data: Float32Array): number {
      if (!open) {
        const folder = mkdtempSync(join(tmpdir(), `espalier-states-${process.pid}-`));
        open = { folder, handle: openSync(join(folder, 'states'), 'wx+', 0o600) };
      }
      const at = end;
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
      for (let done = 0; done < bytes.length; )
        done += writeSync(open.handle, bytes, done, bytes.length - done, at + done);
      end += bytes.length;
      return at;
    },
    read(offset: number, length: number): Float32Array {
      const data = new Float32Array(length);
      const bytes = new Uint8Array(data.buffer);
      for (let done = 0; done < bytes.length; ) {
        const n = readSync(open!.handle, bytes, done, bytes.length - done, offset + done);
        if (n === 0) throw new Error('the file of hidden states is shorter than what was written to it');
        done += n;
      }
      return data;
    },
    dispose() {
      if (!open) return;
      closeSync(open.handle);
      rmSync(open.folder, { recursive: true, force: true });
      open = null;
    },
  };
}
