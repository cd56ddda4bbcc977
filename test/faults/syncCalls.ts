// biome-ignore-all lint/suspicious/noExplicitAny: calls of all shapes are passed on.
// Node's synchronous file calls, each made of the system's own: a file that is read as a whole is opened, read and closed, and
// each of these can fail. What lies outside of the watched folder goes to Node as it is.
import { dirname, join } from 'node:path';
import type { Journal } from './journal';
import type { CallKind } from './kinds';
import { type AnyCall as Call, type Gate, placeOf, realFs as real } from './system';

export interface Watched {
  readonly gate: Gate;
  readonly isInside: (path: unknown) => path is string;
  readonly journal: Journal;
}

interface Opened {
  readonly path: string;
  /** In the journal; null: a folder. */
  readonly file: number | null;
  readonly writes: boolean;
  readonly appends: boolean;
  position: number;
}

export type SyncCalls = ReturnType<typeof syncCalls>;

export function syncCalls(watched: Watched) {
  const opened = new Map<number, Opened>();
  const calls = { ...fileCalls(watched, opened), ...folderCalls(watched), ...lookCalls(watched) };
  return { ...calls, ...wholeCalls(watched, calls), isWatched: (fd: unknown) => opened.has(fd as number) };
}

function meaningOf(flags: string | number) {
  const { O_WRONLY, O_RDWR, O_CREAT, O_TRUNC, O_APPEND } = real.constants;
  const has = (bits: number, letters: RegExp) =>
    typeof flags === 'number' ? (flags & bits) !== 0 : letters.test(flags);
  return {
    writes: has(O_WRONLY | O_RDWR, /[wa+]/),
    creates: has(O_CREAT, /^[wa]/),
    truncates: has(O_TRUNC, /^w/),
    appends: has(O_APPEND, /^a/),
  };
}

/** Calls on one open file. */
function fileCalls({ gate, isInside, journal }: Watched, opened: Map<number, Opened>) {
  const pass = (fd: number, kind: CallKind, syscall: string) => gate(kind, { syscall, at: opened.get(fd)!.path });
  return {
    openSync(given: string, flags: string | number = 'r', mode?: number): number {
      if (!isInside(given)) return real.openSync(given, flags, mode);
      const { writes, creates, truncates, appends } = meaningOf(flags);
      const isNew = creates && !real.existsSync(given);
      gate(isNew ? 'create' : 'open', { syscall: 'open', path: given, at: placeOf(given) });
      const fd = real.openSync(given, flags, mode);
      const path = real.realpathSync.native(placeOf(given));
      const file = real.fstatSync(fd).isFile() ? journal.fileAt(path, isNew) : null;
      if (file !== null && truncates && !isNew) journal.add({ op: 'resize', file, sizeBytes: 0 });
      opened.set(fd, { path, file, writes, appends, position: 0 });
      return fd;
    },
    closeSync(fd: number): any {
      const known = opened.get(fd);
      if (!known) return real.closeSync(fd);
      opened.delete(fd);
      real.closeSync(fd);
      // Closed whatever the system has to say of what was written, as a network disk may. Of what was read it has nothing to say.
      if (known.writes) gate('close', { syscall: 'close', at: known.path });
    },
    readSync(fd: number, buffer: Uint8Array, offset: any = 0, length?: number, position?: number | null): number {
      const known = opened.get(fd);
      if (!known) return (real.readSync as Call)(fd, buffer, offset, length, position);
      const wanted = length ?? buffer.byteLength - offset;
      const n = pass(fd, 'read', 'read') === 'short' ? Math.ceil(wanted / 2) : wanted;
      return real.readSync(fd, buffer, offset, n, position ?? null);
    },
    writeSync(
      fd: number,
      data: Uint8Array | string,
      offset: any = 0,
      length?: number,
      position?: number | null,
    ): number {
      const known = opened.get(fd);
      if (!known) return (real.writeSync as Call)(fd, data, offset, length, position);
      const all = typeof data === 'string' ? Buffer.from(data) : data;
      const wanted = length ?? all.byteLength - offset;
      const n = pass(fd, 'write', 'write') === 'short' ? Math.ceil(wanted / 2) : wanted;
      const at = known.appends ? real.fstatSync(fd).size : (position ?? known.position);
      const done = real.writeSync(fd, all, offset, n, known.appends ? null : at);
      if (known.file !== null && journal.isKept)
        journal.add({
          op: 'write',
          file: known.file,
          offset: at,
          bytes: Uint8Array.from(all.subarray(offset, offset + done)),
        });
      if (position === undefined || position === null) known.position = at + done;
      return done;
    },
    fsyncSync: (fd: number): void => sync(fd, real.fsyncSync),
    fdatasyncSync: (fd: number): void => sync(fd, real.fdatasyncSync),
    ftruncateSync(fd: number, sizeBytes = 0): any {
      const known = opened.get(fd);
      if (!known) return real.ftruncateSync(fd, sizeBytes);
      pass(fd, 'truncate', 'ftruncate');
      real.ftruncateSync(fd, sizeBytes);
      journal.add({ op: 'resize', file: known.file!, sizeBytes });
    },
    fstatSync(fd: number, ...rest: any[]) {
      if (opened.has(fd)) pass(fd, 'stat', 'fstat');
      return (real.fstatSync as Call)(fd, ...rest);
    },
    fchmodSync(fd: number, mode: number): any {
      if (opened.has(fd)) pass(fd, 'change', 'fchmod');
      real.fchmodSync(fd, mode);
    },
  };

  /** Nothing is brought to the disk: the journal says that it would be there. */
  function sync(fd: number, really: (fd: number) => void): any {
    const known = opened.get(fd);
    if (!known) return really(fd);
    pass(fd, 'fsync', 'fsync');
    journal.add(known.file === null ? { op: 'syncFolder', path: known.path } : { op: 'sync', file: known.file });
  }
}

/** Calls that change folders. */
function folderCalls({ gate, isInside, journal }: Watched) {
  const calls = {
    renameSync(from: string, to: string): any {
      if (!isInside(from)) return real.renameSync(from, to);
      gate('rename', { syscall: 'rename', path: from, dest: to, at: placeOf(to) });
      real.renameSync(from, to);
      journal.add({ op: 'rename', from: placeOf(from), to: placeOf(to) });
    },
    linkSync(from: string, to: string): any {
      if (!isInside(to)) return real.linkSync(from, to);
      gate('change', { syscall: 'link', path: from, dest: to, at: placeOf(to) });
      real.linkSync(from, to);
      journal.linked(placeOf(from), placeOf(to));
    },
    symlinkSync(target: string, path: string): any {
      if (!isInside(path)) return real.symlinkSync(target, path);
      gate('change', { syscall: 'symlink', path: target, dest: path, at: placeOf(path) });
      real.symlinkSync(target, path);
    },
    unlinkSync(path: string): any {
      if (!isInside(path)) return real.unlinkSync(path);
      gate('unlink', { syscall: 'unlink', path, at: placeOf(path) });
      real.unlinkSync(path);
      journal.add({ op: 'unlink', path: placeOf(path) });
    },
    rmdirSync(path: string): any {
      if (!isInside(path)) return real.rmdirSync(path);
      gate('unlink', { syscall: 'rmdir', path, at: placeOf(path) });
      real.rmdirSync(path);
      journal.add({ op: 'rmdir', path: placeOf(path) });
    },
    rmSync(path: string, options: { recursive?: boolean; force?: boolean } = {}): any {
      if (!isInside(path)) return real.rmSync(path, options);
      const stats = real.lstatSync(path, { throwIfNoEntry: false });
      if (!stats && options.force) return;
      if (!stats?.isDirectory() || !options.recursive) return calls.unlinkSync(path);
      for (const name of real.readdirSync(path)) calls.rmSync(join(path, name), options);
      calls.rmdirSync(path);
    },
    mkdirSync(path: string, options: any = {}): string | undefined {
      if (!isInside(path)) return real.mkdirSync(path, options);
      const { recursive = false, mode } = typeof options === 'object' ? options : { mode: options };
      if (recursive && real.existsSync(path) && real.statSync(path).isDirectory()) return undefined;
      const above = recursive ? calls.mkdirSync(dirname(path), options) : undefined;
      gate('mkdir', { syscall: 'mkdir', path, at: placeOf(path) });
      real.mkdirSync(path, { mode });
      journal.add({ op: 'mkdir', path: placeOf(path) });
      return above ?? path;
    },
    mkdtempSync(prefix: string, options?: object): string {
      if (!isInside(prefix)) return real.mkdtempSync(prefix, options);
      gate('mkdir', { syscall: 'mkdtemp', path: `${prefix}XXXXXX`, at: placeOf(prefix) });
      const path = real.mkdtempSync(prefix);
      journal.add({ op: 'mkdir', path: placeOf(path) });
      return path;
    },
    truncateSync(path: string, sizeBytes = 0): any {
      if (!isInside(path)) return real.truncateSync(path, sizeBytes);
      gate('truncate', { syscall: 'open', path, at: placeOf(path) });
      real.truncateSync(path, sizeBytes);
      journal.add({ op: 'resize', file: journal.fileAt(placeOf(path), false), sizeBytes });
    },
  };
  return calls;
}

/** Calls that look, and those that change what is no content. */
function lookCalls({ gate, isInside }: Watched) {
  const through = <N extends keyof typeof real>(kind: CallKind, name: N, syscall: string) =>
    ((path: string, ...rest: unknown[]) => {
      if (isInside(path)) gate(kind, { syscall, path, at: placeOf(path) });
      return (real[name] as Call)(path, ...rest);
    }) as (typeof real)[N];
  const calls = {
    statSync: through('stat', 'statSync', 'stat'),
    lstatSync: through('stat', 'lstatSync', 'lstat'),
    accessSync: through('stat', 'accessSync', 'access'),
    realpathSync: through('stat', 'realpathSync', 'realpath'),
    readlinkSync: through('stat', 'readlinkSync', 'readlink'),
    statfsSync: through('stat', 'statfsSync', 'statfs'),
    readdirSync: through('list', 'readdirSync', 'scandir'),
    opendirSync: through('list', 'opendirSync', 'opendir'),
    utimesSync: through('change', 'utimesSync', 'utime'),
    chmodSync: through('change', 'chmodSync', 'chmod'),
    existsSync(path: string): boolean {
      try {
        calls.accessSync(path);
        return true;
      } catch {
        return false;
      }
    },
  };
  return calls;
}

type Parts = ReturnType<typeof fileCalls>;

/** Calls on a file as a whole. */
function wholeCalls({ isInside }: Watched, { openSync, closeSync, readSync, writeSync, fsyncSync }: Parts) {
  function within<T>(file: string | number, flags: string, mode: number | undefined, work: (fd: number) => T): T {
    if (typeof file === 'number') return work(file);
    const fd = openSync(file, flags, mode);
    let result: T;
    try {
      result = work(fd);
    } catch (error) {
      try {
        closeSync(fd);
      } catch {}
      throw error;
    }
    closeSync(fd);
    return result;
  }
  function writeAll(fd: number, data: string | Uint8Array, flush = false): any {
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    // In two pieces: a disk that becomes full has taken a part.
    const half = Math.ceil(bytes.length / 2);
    for (let done = 0; done < bytes.length; )
      done += writeSync(fd, bytes, done, done < half ? half - done : bytes.length - done);
    if (flush) fsyncSync(fd);
  }
  const asOptions = (options: any) => (typeof options === 'string' ? { encoding: options } : (options ?? {}));
  const writes = (really: Call, usual: string) => (file: string | number, data: any, given?: any) => {
    if (typeof file !== 'number' && !isInside(file)) return really(file, data, given);
    const { flag = usual, mode, flush } = asOptions(given);
    within(file, flag, mode, (fd) => writeAll(fd, data, flush));
  };
  return {
    readFileSync(file: string | number, given?: any): any {
      if (typeof file !== 'number' && !isInside(file)) return real.readFileSync(file, given);
      const { encoding, flag = 'r' } = asOptions(given);
      const bytes = within(file, flag, undefined, (fd) => {
        const parts: Buffer[] = [];
        for (;;) {
          const part = Buffer.alloc(1 << 16);
          const n = readSync(fd, part, 0, part.length, null);
          if (n === 0) return Buffer.concat(parts);
          parts.push(part.subarray(0, n));
        }
      });
      return encoding ? bytes.toString(encoding) : bytes;
    },
    writeFileSync: writes(real.writeFileSync, 'w'),
    appendFileSync: writes(real.appendFileSync, 'a'),
  };
}
