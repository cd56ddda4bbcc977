// Finds the compute server of this data folder, or starts one: a detached process on a real Node, which outlives the window
// and is shared by all of them.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../server/errors';
import type { ServerLock } from '../server/protocol';

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
  return (await servingLock(place.dataFolder)) ?? (await startServer(place, signal));
}

/**
 * Ends a server that cannot be asked to, such as one of another build. What it ran becomes interrupted. The lock may be a
 * dead server's, whose number somebody else has by now: only a server that answers is ended.
 */
export async function endServer(dataFolder: string): Promise<void> {
  const lock = await servingLock(dataFolder);
  if (!lock) return;
  process.kill(lock.pid, 'SIGTERM');
  for (let waited = 0; waited < 5000 && (await accepts(lock.port)); waited += 100) await sleep(100);
}

export const serverLogFile = (dataFolder: string): string => join(dataFolder, 'server.log');

async function servingLock(dataFolder: string): Promise<ServerLock | null> {
  let lock: ServerLock;
  try {
    lock = JSON.parse(readFileSync(join(dataFolder, 'server.json'), 'utf8')) as ServerLock;
  } catch {
    return null;
  }
  // What a dead server has left behind is replaced by the next one.
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

async function startServer(place: ServerPlace, signal: AbortSignal): Promise<ServerLock> {
  const { dataFolder, idleSeconds, extensionFolder } = place;
  const node = findNode(place);
  mkdirSync(dataFolder, { recursive: true, mode: 0o700 });
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
  let failure: Error | null = null;
  child.once('error', (error) => {
    failure = error;
  });
  for (let waited = 0; waited < startMs; waited += 25) {
    await sleep(25, undefined, { signal });
    if (failure)
      throw new UserError('device', `The compute server did not start with ${node}: ${(failure as Error).message}.`);
    const lock = await servingLock(dataFolder); // ours, or that of a window that was faster
    if (lock) return lock;
  }
  throw new UserError('device', `The compute server did not start; see ${serverLogFile(dataFolder)}.`);
}

/** What the editor tells its own processes would only confuse a plain Node. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(VSCODE_|ELECTRON_|NODE_OPTIONS$)/.test(name));
  return Object.fromEntries(kept);
}

/**
 * A real Node, 20 or newer: from the settings, from the package of this platform, the one we run in where that is no
 * Electron, or the one on PATH. Electron's allocator ends the process at a single allocation of 2 GiB.
 */
export function findNode({ nodePath, extensionFolder }: Pick<ServerPlace, 'nodePath' | 'extensionFolder'>): string {
  if (nodePath) {
    const version = nodeVersion(nodePath);
    if (version !== null && version >= 20) return nodePath;
    throw new UserError(
      'usage',
      `The setting espalier.nodePath names ${nodePath}, which is ${version === null ? 'no Node that runs' : `Node ${version}`}; give it a Node of version 20 or newer, or leave it empty.`,
    );
  }
  const carried = join(extensionFolder, 'node/bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (existsSync(carried)) return carried;
  if (!process.versions.electron && Number(process.versions.node.split('.')[0]) >= 20) return process.execPath;
  const onPath = nodeVersion('node');
  if (onPath !== null && onPath >= 20) return 'node';
  throw new UserError(
    'device',
    'No Node of version 20 or newer was found to compute with; install one, or name it in the setting espalier.nodePath.',
  );
}

/** The major version of a Node; null for what is none. */
function nodeVersion(program: string): number | null {
  try {
    const said = execFileSync(program, ['--version'], {
      encoding: 'utf8',
      timeout: 5000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [, major] = /^v(\d+)\./.exec(said) ?? [];
    return major === undefined ? null : Number(major);
  } catch {
    return null;
  }
}
