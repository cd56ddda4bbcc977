// Who is the server of a data folder on this host, or in this container: the one whose lock file is there, with process, port,
// token, protocol and build, for its owner alone to read.
import { randomUUID } from 'node:crypto';
import { closeSync, mkdirSync, openSync, readdirSync, rmSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { UserError } from '../errors';
import { linked, takePlace } from '../files/exclusive';
import { protocolName } from '../protocol/compatibility';
import type { ServerLock } from '../protocol/server';
import {
  earlierLockPath,
  type FoundLock,
  lockFolder,
  lockPath,
  readEarlierLock,
  readLock,
  understoodLock,
} from '../protocol/serverLock';
import { earlierServes, isServing } from '../protocol/serverProbe';

/**
 * False when another living server of this place has the folder. Throws UserError('otherBuild') for one of a later protocol,
 * of which it cannot be known whether it lives.
 */
export async function takeLock(dataFolder: string, lock: ServerLock): Promise<boolean> {
  mkdirSync(lockFolder(dataFolder), { recursive: true, mode: 0o700 });
  if (await earlierHolds(dataFolder)) return false;
  removeOldLocks(dataFolder);
  const path = lockPath(dataFolder);
  const mine = `${path}.${randomUUID()}`;
  writeFileSync(mine, `${JSON.stringify(lock)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    return await takePlace(path, (at) => linked(mine, at), isHeld);
  } finally {
    rmSync(mine, { force: true });
  }
}

/**
 * Whether the folder is still this server's; somebody may have deleted the file, or another server may have taken this one
 * for dead. Where it is, the file's time says from now on that this server lives: elsewhere nothing else does.
 */
export function tendLock(dataFolder: string, { token }: ServerLock): boolean {
  const path = lockPath(dataFolder);
  try {
    const found = readLock(dataFolder);
    if (found.kind !== 'present' || found.lock.token !== token) return false;
    // By writing what is there, since a time that is set comes from the clock of this host, which may differ from others.
    const file = openSync(path, 'r+');
    try {
      writeSync(file, '{', 0);
    } finally {
      closeSync(file);
    }
  } catch {} // a file that cannot be opened, as where too many are open, is not gone
  return true;
}

export function releaseLock(dataFolder: string, lock: ServerLock): void {
  if (tendLock(dataFolder, lock)) rmSync(lockPath(dataFolder), { force: true });
}

async function earlierHolds(dataFolder: string): Promise<boolean> {
  const path = earlierLockPath(dataFolder);
  const found = readEarlierLock(dataFolder);
  if (found.kind === 'later') throw laterServer(found);
  if (found.kind === 'earlier' && (await earlierServes(found.lock))) return true;
  rmSync(path, { force: true });
  return false;
}

const keptDays = 7;

/** Of hosts that are gone, and of boots of before. */
function removeOldLocks(dataFolder: string): void {
  const oldest = Date.now() - keptDays * 24 * 3_600_000;
  for (const name of readdirSync(lockFolder(dataFolder))) {
    const path = join(lockFolder(dataFolder), name);
    try {
      if (statSync(path).mtimeMs < oldest) rmSync(path, { force: true });
    } catch {} // another server was faster
  }
}

/** Whether the server that wrote it lives. Throws for one of a later protocol, which cannot be asked. */
async function isHeld(path: string, text: string): Promise<boolean> {
  const found = understoodLock(text, path);
  switch (found.kind) {
    case 'none':
      return false;
    case 'later':
      throw laterServer(found);
    case 'earlier':
      return earlierServes(found.lock);
    case 'present':
      return isServing(found.lock);
  }
}

const laterServer = ({ path, protocol }: Extract<FoundLock, { kind: 'later' }>) =>
  new UserError(
    'otherBuild',
    `A server of a newer Espalier holds this folder (it speaks ${protocol}, this one ${protocolName}): ` +
      `update this one, or end that one; if none runs any more, delete ${path}.`,
  );
