// A file that one process of all has made, and that is void once that process is gone: a lock.
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

const patienceMs = 5000;
const pauseMs = 10;

/**
 * Puts a file at `path` unless a living process has one there. The right to replace a dead one's file is a lock of its own,
 * taken in the same way and named after the content of that file. The process that has the right, and still finds the same
 * file, moves its own file there: so a file is replaced by one process, and only the file that was found to be a dead one's.
 * @param put makes a file of the caller's where there is none; false: there is one
 * @param isHeld whether the process that made the file of this path and content lives
 * @returns false where another has it
 */
export async function takePlace(
  path: string,
  put: (path: string) => boolean,
  isHeld: (path: string, text: string) => Promise<boolean>,
): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < patienceMs; ) {
    if (put(path)) return true;
    const found = readOrNull(path);
    if (found === null) {
      await sleep(pauseMs); // it went in between
      continue;
    }
    if (await isHeld(path, found)) return false;
    const right = `${path}${rightMark}${createHash('sha256').update(found).digest('hex').slice(0, 16)}`;
    if (!(await takePlace(right, put, isHeld))) {
      await sleep(pauseMs); // the process that has it is about to be the holder
      continue;
    }
    if (readOrNull(path) === found) {
      renameSync(right, path);
      return true;
    }
    rmSync(right, { force: true });
  }
  return false;
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
