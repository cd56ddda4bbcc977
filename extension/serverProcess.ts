// Finds the compute server of this data folder, or starts one: a detached process on a real Node, which outlives the window
// and is shared by all of them.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../server/errors';
import { protocolVersion, versionOf } from '../server/protocol/compatibility';
import type { ServerLock } from '../server/protocol/server';
import { chooseNode } from './nodeChoice';

export interface ServerPlace {
  /** The extension's own folder. */
  readonly extensionFolder: string;
  readonly dataFolder: string;
  readonly idleSeconds: number;
  /** From the settings; empty: look for one. */
  readonly nodePath: string;
}

/** The lock of a server that answers. Throws UserError with a sentence where none can be started. */
export async function reachServer(place: ServerPlace, signal: AbortSignal): Promise<ServerLock> {
  refuseLater(place.dataFolder);
  return (await servingLock(place.dataFolder)) ?? (await startServer(place, signal));
}

/**
 * Ends a server that cannot be asked to, such as one with another wire. What it ran becomes interrupted. The lock may be a
 * dead server's, whose process number another program has by now: only a server that answers is ended.
 */
export async function endServer(dataFolder: string): Promise<void> {
  const lock = await servingLock(dataFolder);
  if (!lock) return;
  process.kill(lock.pid, 'SIGTERM');
  for (let waited = 0; waited < 5000 && (await accepts(lock.port)); waited += 100) await sleep(100);
}

export const serverLogFile = (dataFolder: string): string => join(dataFolder, 'server.log');

/** The server of a newer Espalier may speak otherwise, and is not displaced. */
function refuseLater(dataFolder: string): void {
  const protocol: unknown = readLock(dataFolder)?.protocol;
  if (typeof protocol !== 'string' || (versionOf(protocol) ?? 0) <= protocolVersion) return;
  throw new UserError(
    'otherBuild',
    `The compute server is that of a newer Espalier (it speaks ${protocol}): update this extension, or end that server; ` +
      `if none runs any more, delete ${lockFile(dataFolder)}.`,
  );
}

const lockFile = (dataFolder: string): string => join(dataFolder, 'server.json');

/** As it was written, by a server of whatever build. */
function readLock(dataFolder: string): ServerLock | null {
  try {
    return JSON.parse(readFileSync(lockFile(dataFolder), 'utf8')) as ServerLock | null;
  } catch {
    return null;
  }
}

async function servingLock(dataFolder: string): Promise<ServerLock | null> {
  const lock = readLock(dataFolder);
  if (!lock) return null;
  // The lock of a dead server is replaced by the next one.
  return (await accepts(lock.port)) ? lock : null;
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const probe = connect({ port, host: '127.0.0.1', timeout: 2000 });
    const answer = (yes: boolean) => {
      probe.destroy();
      resolve(yes);
    };
    probe.once('connect', () => answer(true));
    probe.once('timeout', () => answer(false));
    probe.once('error', () => answer(false));
  });

const startMs = 10_000;
/** A server that ends at once may have left the folder to one that was faster, whose lock appears in a moment. */
const afterEndMs = 1000;

async function startServer(place: ServerPlace, signal: AbortSignal): Promise<ServerLock> {
  const { dataFolder, idleSeconds, extensionFolder } = place;
  const here = { execPath: process.execPath, electron: process.versions.electron !== undefined };
  const node = await chooseNode({ ...place, here, platform: process.platform });
  signal.throwIfAborted();
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
  // The editor may have made it before, readable for all users.
  if (process.platform !== 'win32') chmodSync(dataFolder, 0o700);
  const log = openSync(serverLogFile(dataFolder), 'a', 0o600);
  let child: ChildProcess;
  try {
    child = spawn(node, [join(extensionFolder, 'dist/server.cjs'), dataFolder, String(idleSeconds)], {
      detached: true,
      stdio: ['ignore', log, log],
      cwd: dataFolder,
      env: serverEnvironment(),
      windowsHide: true,
    });
  } finally {
    closeSync(log);
  }
  child.unref();
  let failure: string | null = null;
  let endedAtMs = Number.POSITIVE_INFINITY;
  child.once('error', ({ message }) => {
    failure = message;
  });
  child.once('exit', () => {
    endedAtMs = performance.now();
  });
  const begunAtMs = performance.now();
  while (performance.now() < Math.min(begunAtMs + startMs, endedAtMs + afterEndMs)) {
    await sleep(25, undefined, { signal });
    if (failure !== null) throw new UserError('device', `The compute server did not start with ${node}: ${failure}.`);
    const lock = await servingLock(dataFolder); // ours, or that of a window that was faster
    if (lock) return lock;
  }
  throw new UserError('device', `The compute server did not start; see ${serverLogFile(dataFolder)}.`);
}

/** Variables that the editor sets for its own processes would confuse a plain Node. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(VSCODE_|ELECTRON_|NODE_OPTIONS$)/.test(name));
  return Object.fromEntries(kept);
}
