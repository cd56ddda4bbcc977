// One server for each data folder: `server.json` says which, and how to reach it. It appears complete or not at all, only
// its owner can read it, and the file of a dead server is replaced.
import { link, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { ServerLock } from '../protocol';

export const lockFile = (dataFolder: string) => join(dataFolder, 'server.json');

/** Call it when `lock.port` listens already: whoever reads the file may connect. False: another server has the folder. */
export async function takeLock(dataFolder: string, lock: ServerLock): Promise<boolean> {
  const file = lockFile(dataFolder);
  const mine = `${file}.${process.pid}`;
  return alone(`${file}.taking`, async () => {
    const holder = await readLock(dataFolder);
    if (holder && (await isServing(holder))) return false;
    await rm(mine, { force: true });
    await writeFile(mine, `${JSON.stringify(lock)}\n`, { mode: 0o600, flag: 'wx' });
    try {
      // A file that is there belongs to a dead server, or is damaged.
      if (await exists(file)) await rename(mine, file);
      else await link(mine, file);
      return true;
    } catch (error) {
      if (codeOf(error) === 'EEXIST') return false;
      throw error;
    } finally {
      await rm(mine, { force: true });
    }
  });
}

export async function releaseLock(dataFolder: string, lock: ServerLock): Promise<void> {
  if (await holdsLock(dataFolder, lock)) await rm(lockFile(dataFolder), { force: true });
}

export async function holdsLock(dataFolder: string, { token }: ServerLock): Promise<boolean> {
  return (await readLock(dataFolder))?.token === token;
}

const lockSchema = z.object({
  pid: z.int().positive(),
  port: z.int().min(1).max(65_535),
  token: z.string().min(1),
  // Another version may have another name: it is read all the same, so that it can be named.
  protocol: z.string(),
  build: z.string(),
});

export async function readLock(dataFolder: string): Promise<ServerLock | null> {
  try {
    return lockSchema.parse(JSON.parse(await readFile(lockFile(dataFolder), 'utf8'))) as ServerLock;
  } catch {
    return null;
  }
}

/** Both, because a process id and a port are each given to somebody else in time. */
export async function isServing({ pid, port }: ServerLock): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if (codeOf(error) === 'ESRCH') return false;
  }
  return new Promise((resolve) => {
    const probe = connect(port, '127.0.0.1');
    const answer = (serving: boolean) => {
      probe.destroy();
      resolve(serving);
    };
    probe.once('connect', () => answer(true)).once('error', () => answer(false));
  });
}

/** Longer than the few milliseconds that it takes to look and to write. */
const abandonedMs = 5_000;

/** Looking at the old file and putting the new one are one step: else two servers could each replace the other's. */
async function alone<T>(folder: string, work: () => Promise<T>): Promise<T> {
  while (true) {
    try {
      await mkdir(folder);
      break;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const madeAtMs = await stat(folder).then(
      ({ mtimeMs }) => mtimeMs,
      () => Date.now(),
    );
    if (Date.now() - madeAtMs > abandonedMs) await rm(folder, { recursive: true, force: true });
    else await sleep(20);
  }
  try {
    return await work();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const exists = (path: string) =>
  stat(path).then(
    () => true,
    () => false,
  );

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
