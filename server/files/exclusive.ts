// A file that one process of all has made, and that is void once that process is gone: a lock.
import { createHash, randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export type Taking =
  | 'taken'
  /** A living process has it. */
  | 'held'
  /** Another one takes it at this moment. */
  | 'contended';

/**
 * Puts a file at `path` unless a living process has one there. The right to replace a dead one's file is a lock of its own,
 * taken in the same way and named after the content of that file. The process that has the right, and still finds the same
 * file, moves its own file there: so a file is replaced by one process, and only the file that was found to be a dead one's.
 * @param put makes a file of the caller's where there is none; false: there is one
 * @param isHeld whether the process that made the file of this path and content lives
 */
export function tryPlace(
  path: string,
  put: (path: string) => boolean,
  isHeld: (path: string, text: string) => boolean,
): Taking {
  if (put(path)) return 'taken';
  const found = readOrNull(path);
  if (found === null) return 'contended'; // it went in between
  if (isHeld(path, found)) return 'held';
  const right = `${path}${rightMark}${createHash('sha256').update(found).digest('hex').slice(0, 16)}`;
  if (tryPlace(right, put, isHeld) !== 'taken') return 'contended'; // the process that has it is about to be the holder
  if (readOrNull(path) === found) {
    renameSync(right, path);
    return 'taken';
  }
  rmSync(right, { force: true });
  return 'contended';
}

const patienceMs = 5000;
const pauseMs = 10;

/**
 * The same where it takes time to learn whether a process lives.
 * @returns false where another has it
 */
export async function takePlace(
  path: string,
  put: (path: string) => boolean,
  isHeld: (path: string, text: string) => Promise<boolean>,
): Promise<boolean> {
  /** What has been learned: of a file, by path and content, whether its process lives. */
  const known = new Map<string, boolean>();
  for (const began = performance.now(); performance.now() - began < patienceMs; ) {
    let unknown: { key: string; path: string; text: string } | null = null;
    const taking = tryPlace(path, put, (at, text) => {
      const key = `${at}\0${text}`;
      if (!known.has(key)) unknown = { key, path: at, text };
      return known.get(key) ?? true;
    });
    if (taking === 'taken') return true;
    if (unknown !== null) {
      const { key, path: at, text } = unknown as { key: string; path: string; text: string };
      known.set(key, await isHeld(at, text));
    } else if (taking === 'held') return false;
    else await sleep(pauseMs);
  }
  return false;
}

/**
 * Puts a file of this text there, for its owner alone to read; it appears complete or not at all.
 * @param text names the process, as no other's does
 */
export function tryFile(path: string, text: string, isHeld: (path: string, text: string) => boolean): Taking {
  const mine = `${path}.${randomUUID()}`;
  try {
    writeFileSync(mine, text, { mode: 0o600, flag: 'wx' });
    return tryPlace(path, (at) => linked(mine, at), isHeld);
  } finally {
    try {
      rmSync(mine, { force: true });
    } catch {} // what happened before it counts
  }
}

/** False where there is a file of that name. */
export function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** What stands between the name of a lock and the hash in the name of the right to replace it. */
export const rightMark = '.after-';

export function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
