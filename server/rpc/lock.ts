// The lock file names the server of a data folder: process, port, token, protocol, build. Only its owner may read it. It
// appears complete or not at all (written beside, then linked), and linking fails where another server was first.
import { createHash, randomUUID } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as z from 'zod';
import { UserError } from '../errors';
import { protocolName, protocolVersion, versionOf } from '../protocol/compatibility';
import type { ServerLock } from '../protocol/server';

export const lockPath = (dataFolder: string): string => join(dataFolder, 'server.json');

/**
 * False when another living server holds the folder. Throws UserError('otherBuild') where the lock is that of a later
 * protocol: it cannot be known from it whether that server is dead.
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

/** null: there is none, or it is damaged. Throws as takeLock does. */
export function readLock(dataFolder: string): ServerLock | null {
  const text = read(lockPath(dataFolder));
  return text === null ? null : understood(text, lockPath(dataFolder));
}

/** Makes the data folder, for its owner alone. */
export function makeDataFolder(dataFolder: string): void {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  if (process.platform !== 'win32' && (statSync(dataFolder).mode & 0o077) !== 0) chmodSync(dataFolder, 0o700);
}

/** Whether the folder is still this server's; another may have taken it for dead. */
export function holdsLock(dataFolder: string, { token }: ServerLock): boolean {
  try {
    return readLock(dataFolder)?.token === token;
  } catch {
    return false; // a lock of a later protocol is not ours
  }
}

export function releaseLock(dataFolder: string, lock: ServerLock): void {
  if (holdsLock(dataFolder, lock)) rmSync(lockPath(dataFolder), { force: true });
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
    const holder = understood(found, path);
    if (holder && (await isServing(holder))) return false;
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

const lockSchema: z.ZodType<ServerLock> = z.object({
  pid: z.int().positive(),
  port: z.int().positive().max(65_535),
  token: z.string().min(1),
  protocol: z.literal(protocolName),
  wire: z.string().optional(),
  build: z.string(),
});
/** The one field that locks of all protocols have. */
const namedSchema = z.object({ protocol: z.string() });

/** null: it is damaged. Throws for a later protocol. */
function understood(text: string, path: string): ServerLock | null {
  const content = parsed(text);
  const named = namedSchema.safeParse(content);
  if (named.success && (versionOf(named.data.protocol) ?? 0) > protocolVersion)
    throw new UserError(
      'otherBuild',
      `A server of a newer Espalier holds this folder (it speaks ${named.data.protocol}, this one ${protocolName}): ` +
        `update this one, or end that one; if none runs any more, delete ${path}.`,
    );
  const lock = lockSchema.safeParse(content);
  return lock.success ? lock.data : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The process number may belong to another program by now, so the port is tried as well. */
function isServing({ pid, port }: ServerLock): Promise<boolean> {
  if (!isAlive(pid)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const probe = connect({ port, host: '127.0.0.1', timeout: 2000 });
    const answer = (serving: boolean) => {
      probe.destroy();
      resolve(serving);
    };
    probe.once('connect', () => answer(true));
    probe.once('timeout', () => answer(true)); // something listens, but is very busy
    probe.once('error', () => answer(false));
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
