// `espalier serve`: starts the compute server in the background, where none serves the data folder yet, and says where it
// is. It is the same server that the editor starts; whoever comes second uses the first one's.
import { spawn } from 'node:child_process';
import { mkdir, open } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../errors';
import type { ServerLock } from '../protocol';
import { isServing, readLock } from '../rpc/lock';

export interface ServeFlags {
  data?: string;
  idle: number;
  stop?: boolean;
}

export async function serve({ data, idle, stop }: ServeFlags): Promise<string> {
  const dataFolder = data === undefined ? defaultDataFolder() : resolve(data);
  const before = await servingIn(dataFolder);
  if (stop) return before ? stopServer(before, dataFolder) : `No server serves ${dataFolder}.`;
  if (before) return `${placeOf(before, dataFolder)} was there already`;
  return placeOf(await startServer(dataFolder, idle), dataFolder);
}

/** How long a server may take to listen, or to end its engines. */
const patienceMs = 15_000;

async function startServer(dataFolder: string, idleSeconds: number): Promise<ServerLock> {
  await mkdir(dataFolder, { recursive: true, mode: 0o700 });
  const log = await open(join(dataFolder, 'server.log'), 'a', 0o600);
  try {
    const server = spawn(process.execPath, [join(__dirname, 'server.cjs'), dataFolder, String(idleSeconds)], {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
    });
    server.unref();
  } finally {
    await log.close();
  }
  const lock = await within(() => servingIn(dataFolder));
  if (lock) return lock;
  throw new UserError('cannotWrite', `The server did not start; ${join(dataFolder, 'server.log')} says why.`);
}

async function stopServer(lock: ServerLock, dataFolder: string): Promise<string> {
  process.kill(lock.pid, 'SIGTERM');
  if (await within(async () => !(await isServing(lock)))) return `${placeOf(lock, dataFolder)} has ended`;
  throw new UserError('device', `The server with process id ${lock.pid} does not end; end that process by hand.`);
}

async function servingIn(dataFolder: string): Promise<ServerLock | null> {
  const lock = await readLock(dataFolder);
  return lock && (await isServing(lock)) ? lock : null;
}

const placeOf = ({ pid, port, build }: ServerLock, dataFolder: string) =>
  `espalier server ${build}, process ${pid}, 127.0.0.1:${port}, data in ${dataFolder}`;

async function within<T>(look: () => Promise<T>): Promise<T | null> {
  for (const began = performance.now(); performance.now() - began < patienceMs; await sleep(50)) {
    const found = await look();
    if (found) return found;
  }
  return null;
}

const defaultDataFolder = () => join(process.env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'espalier');
