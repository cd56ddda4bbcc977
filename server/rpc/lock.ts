// The lock file says who serves a data folder: process, port, token, build. Only its owner may read it. It appears
// complete or not at all (written beside, then linked), and linking fails where another server was first.
import { chmodSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { z } from 'zod';
import type { ServerLock } from '../protocol';

export const lockPath = (dataFolder: string): string => join(dataFolder, 'server.json');

const lockSchema: z.ZodType<ServerLock> = z.object({
  pid: z.int().positive(),
  port: z.int().positive(),
  token: z.string().min(1),
  protocol: z.literal('espalier.v1'),
  build: z.string(),
});

/** null: there is none, or none that makes sense. */
export function readLock(dataFolder: string): ServerLock | null {
  try {
    return lockSchema.parse(JSON.parse(readFileSync(lockPath(dataFolder), 'utf8')));
  } catch {
    return null;
  }
}

/** Makes the data folder, for its owner alone. */
export function makeDataFolder(dataFolder: string): void {
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  if (process.platform !== 'win32' && (statSync(dataFolder).mode & 0o077) !== 0) chmodSync(dataFolder, 0o700);
}

/** False when another living server holds the folder. */
export async function takeLock(dataFolder: string, lock: ServerLock): Promise<boolean> {
  const path = lockPath(dataFolder);
  const mine = `${path}.${process.pid}`;
  rmSync(mine, { force: true });
  writeFileSync(mine, `${JSON.stringify(lock)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      if (link(mine, path)) return true;
      const holder = readLock(dataFolder);
      if (holder && (await isServing(holder))) return false;
      setAside(dataFolder, holder, `${mine}.stale`);
    }
    return false;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Whether the folder is still this server's; another may have taken it for dead. */
export const holdsLock = (dataFolder: string, { token }: ServerLock): boolean => readLock(dataFolder)?.token === token;

export function releaseLock(dataFolder: string, lock: ServerLock): void {
  if (holdsLock(dataFolder, lock)) rmSync(lockPath(dataFolder), { force: true });
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

/** Moves a dead server's lock away. If another server has replaced it meanwhile, that one's lock goes back. */
function setAside(dataFolder: string, dead: ServerLock | null, aside: string): void {
  const path = lockPath(dataFolder);
  try {
    renameSync(path, aside);
  } catch {
    return; // somebody else was faster
  }
  try {
    const moved = lockSchema.safeParse(readJson(aside));
    if (moved.success && moved.data.token !== dead?.token) link(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

/** A process number may have been given to somebody else, so the port is asked as well. */
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
