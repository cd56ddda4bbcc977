// The lock file names the server of a data folder: process, port, token, protocol, build. Only its owner may read it. It
// appears complete or not at all (written beside, then linked), and linking fails where another server was first.
import { randomUUID } from 'node:crypto';
import { linkSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { UserError } from '../errors';
import { takePlace } from '../files/exclusive';
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
    return await takePlace(
      path,
      (at) => link(mine, at),
      (at, text) => isHeld(at, text, mine),
    );
  } finally {
    rmSync(mine, { force: true });
  }
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

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
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
