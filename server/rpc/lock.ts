// The lock file names the server of a data folder: process, port, token, protocol, build. Only its owner may read it. It
// appears complete or not at all (written beside, then linked), and linking fails where another server was first.
import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../errors';
import { protocolName } from '../protocol/compatibility';
import type { ServerLock } from '../protocol/server';
import { elsewhereSentence, lockPath, readLock, understoodLock } from '../protocol/serverLock';
import { earlierServes, isServing } from '../protocol/serverProbe';

/**
 * False when another living server holds the folder. Throws UserError where it cannot be known whether that server is dead:
 * `otherBuild` for one of a later protocol, `badState` for one that lives elsewhere.
 */
export async function takeLock(dataFolder: string, lock: ServerLock): Promise<boolean> {
  const path = lockPath(dataFolder);
  const mine = `${path}.${process.pid}.${randomUUID()}`;
  writeFileSync(mine, `${JSON.stringify(lock)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    return await take(path, mine);
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Makes the data folder, for its owner alone. */
export function makeDataFolder(dataFolder: string): void {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  if (process.platform !== 'win32' && (statSync(dataFolder).mode & 0o077) !== 0) chmodSync(dataFolder, 0o700);
}

/**
 * Whether the folder is still this server's; somebody may have deleted the file, or another server may have taken this one
 * for dead. Where it is, the file's time says from now on that this server lives: elsewhere nothing else does.
 */
export function tendLock(dataFolder: string, { token }: ServerLock): boolean {
  try {
    const found = readLock(dataFolder);
    if (found.kind !== 'present' || found.lock.token !== token) return false;
    const now = new Date();
    utimesSync(lockPath(dataFolder), now, now);
  } catch {} // a file that cannot be opened, as where too many are open, is not gone
  return true;
}

export function releaseLock(dataFolder: string, lock: ServerLock): void {
  if (tendLock(dataFolder, lock)) rmSync(lockPath(dataFolder), { force: true });
}

const patienceMs = 5000;
const pauseMs = 10;

/**
 * Puts a file at `path` unless a living server has one there. The right to replace a dead server's file is a lock of its own,
 * taken in the same way and named after the content of that file. The server that has the right, and still finds the same
 * file, moves its own file there: so a file is replaced by one server, and only the file that was found to be a dead server's.
 */
async function take(path: string, mine: string): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < patienceMs; ) {
    if (link(mine, path)) return true;
    const found = read(path);
    if (found === null) continue; // it went in between
    if (await isHeld(path, found, mine)) return false;
    const right = `${path}.after-${createHash('sha256').update(found).digest('hex').slice(0, 16)}`;
    if (!(await take(right, mine))) {
      await sleep(pauseMs); // the server that has it is about to be the holder
      continue;
    }
    if (read(path) === found) {
      renameSync(right, path);
      return true;
    }
    rmSync(right, { force: true });
  }
  return false;
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

/** Whether the server that wrote it lives. Throws for one that cannot be asked: of a later protocol, or elsewhere. */
async function isHeld(path: string, text: string, mine: string): Promise<boolean> {
  const found = understoodLock(text);
  switch (found.kind) {
    case 'none':
      return false;
    case 'later':
      throw new UserError(
        'otherBuild',
        `A server of a newer Espalier holds this folder (it speaks ${found.protocol}, this one ${protocolName}): ` +
          `update this one, or end that one; if none runs any more, delete ${path}.`,
      );
    case 'earlier':
      return earlierServes(found.lock);
    case 'present': {
      const serving = await isServing(found.lock, path, () => statSync(mine).mtimeMs);
      if (serving === 'elsewhere') throw new UserError('badState', elsewhereSentence(dirname(path), found.lock));
      return serving;
    }
  }
}
