// biome-ignore-all lint/suspicious/noExplicitAny: calls of all shapes are passed on.
// Node's file calls with promises and callbacks, made of the synchronous ones: what is failed and written down is the same.
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { type AnyCall as Call, realFs as real, realPromises } from './system';
import type { SyncCalls } from './syncCalls';

type IsInside = (path: unknown) => path is string;

const pathCalls = [
  ...[
    'rename',
    'link',
    'unlink',
    'rmdir',
    'rm',
    'mkdir',
    'truncate',
    'stat',
    'lstat',
    'access',
    'realpath',
    'readlink',
  ],
  ...['statfs', 'readdir', 'opendir', 'utimes', 'chmod', 'readFile', 'writeFile', 'appendFile'],
] as const;

export function promiseCalls(sync: SyncCalls, isInside: IsInside): Record<string, Call> {
  const later =
    (name: string) =>
    async (path: unknown, ...rest: unknown[]) => {
      if (typeof path === 'object' && path !== null && 'fd' in path)
        return (sync as unknown as Record<string, Call>)[`${name}Sync`]!(path.fd, ...rest);
      if (!isInside(path)) return (realPromises as unknown as Record<string, Call>)[name]!(path, ...rest);
      await turn();
      return (sync as unknown as Record<string, Call>)[`${name}Sync`]!(path, ...rest);
    };
  return {
    ...Object.fromEntries(pathCalls.map((name) => [name, later(name)])),
    async symlink(target: string, path: string) {
      if (!isInside(path)) return realPromises.symlink(target, path);
      await turn();
      return sync.symlinkSync(target, path);
    },
    async open(path: string, flags?: string, mode?: number) {
      if (!isInside(path)) return realPromises.open(path, flags, mode);
      await turn();
      return handleOf(sync.openSync(path, flags, mode), sync);
    },
  };
}

/** What programs use of a FileHandle; anything else of it is missing, and would be noticed. */
function handleOf(fd: number, sync: SyncCalls) {
  const later =
    <A extends unknown[], R>(call: (...args: A) => R) =>
    async (...args: A): Promise<R> => {
      await turn();
      return call(...args);
    };
  const close = later(() => sync.closeSync(fd));
  return {
    fd,
    stat: later((...options: any[]) => sync.fstatSync(fd, ...options)),
    sync: later(() => sync.fsyncSync(fd)),
    datasync: later(() => sync.fdatasyncSync(fd)),
    truncate: later((sizeBytes?: number) => sync.ftruncateSync(fd, sizeBytes)),
    chmod: later((mode: number) => sync.fchmodSync(fd, mode)),
    readFile: later((options?: any) => sync.readFileSync(fd, options)),
    writeFile: later((data: any, options?: any) => sync.writeFileSync(fd, data, options)),
    appendFile: later((data: any, options?: any) => sync.appendFileSync(fd, data, options)),
    read: later((given: any, ...rest: any[]) => {
      const { buffer, offset, length, position } =
        given instanceof Uint8Array ? positional(given, rest) : (given as ReturnType<typeof positional>);
      return { bytesRead: sync.readSync(fd, buffer, offset, length, position), buffer };
    }),
    write: later((data: any, ...rest: any[]) => {
      const given = typeof data === 'string' ? [0, undefined, rest[0]] : rest;
      const { buffer, offset, length, position } = positional(data, given);
      return { bytesWritten: sync.writeSync(fd, buffer, offset, length, position), buffer };
    }),
    createReadStream: () => Readable.from(chunks(fd, sync)),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function* chunks(fd: number, sync: SyncCalls): AsyncGenerator<Uint8Array> {
  for (;;) {
    const chunk = Buffer.alloc(1 << 16);
    const n = sync.readSync(fd, chunk, 0, chunk.length, null);
    if (n === 0) return sync.closeSync(fd);
    yield chunk.subarray(0, n);
  }
}

function positional(buffer: Uint8Array, [first, length, position]: any[]) {
  return typeof first === 'object' && first !== null
    ? { buffer, ...first }
    : { buffer, offset: first as number, length: length as number, position: position as number | null };
}

/** What streams use. */
export function callbackCalls(sync: SyncCalls, isInside: IsInside): Record<string, Call> {
  const later =
    (name: 'open' | 'read' | 'close' | 'fstat', isOurs: (first: unknown) => boolean) =>
    (...all: any[]) => {
      if (!isOurs(all[0])) return (real[name] as Call)(...all);
      const [args, done] = [all.slice(0, -1), all.at(-1) as Call];
      setImmediate(() => {
        let result: unknown;
        try {
          result = (sync[`${name}Sync`] as Call)(...args);
        } catch (error) {
          return done(error);
        }
        done(null, result, args[1]);
      });
    };
  return {
    open: later('open', isInside),
    read: later('read', sync.isWatched),
    close: later('close', sync.isWatched),
    fstat: later('fstat', sync.isWatched),
  };
}
