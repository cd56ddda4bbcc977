// Finds the compute server of this data folder, or starts one: a detached process on a real Node, which outlives the window
// and is shared by all of them.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { UserError } from '../server/errors';
import { incompatibilitySentence, protocolName } from '../server/protocol/compatibility';
import { standingOf } from '../server/protocol/processIdentity';
import type { ServerLock } from '../server/protocol/server';
import { readLock } from '../server/protocol/serverLock';
import { earlierServes, isServing } from '../server/protocol/serverProbe';
import { chooseNode } from './nodeChoice';

declare const __ESPALIER_BUILD__: string;
declare const __ESPALIER_WIRE__: string;

export interface ServerPlace {
  /** The extension's own folder. */
  readonly extensionFolder: string;
  readonly dataFolder: string;
  readonly idleSeconds: number;
  /** From the settings; empty: look for one. */
  readonly nodePath: string;
}

/** The lock of a server that lives. Throws UserError with a sentence where none can be started. */
export async function reachServer(place: ServerPlace, signal: AbortSignal): Promise<ServerLock> {
  return (await servingLock(place.dataFolder)) ?? (await startServer(place, signal));
}

/**
 * Ends a server that cannot be asked to, such as one with another wire. What it ran becomes interrupted. The lock may be a
 * dead server's, whose process number another program has by now: only a server that lives is ended.
 */
export async function endServer(dataFolder: string): Promise<void> {
  const found = readLock(dataFolder);
  const serving = async () => {
    if (found.kind === 'earlier') return earlierServes(found.lock);
    return found.kind === 'present' && (await isServing(found.lock));
  };
  if ((found.kind !== 'earlier' && found.kind !== 'present') || !(await serving())) return;
  const { pid } = found.lock;
  process.kill(pid, 'SIGTERM');
  for (let waited = 0; waited < endMs; waited += 100) {
    await sleep(100);
    if (!(await serving())) return;
  }
  // It does not come to hear of anything any more.
  if (found.kind === 'present' && standingOf(found.lock) === 'lives') process.kill(pid, 'SIGKILL');
}

const endMs = 5000;

export const serverLogFile = (dataFolder: string): string => join(dataFolder, 'server.log');

/** null: there is none, or it is a dead server's, which the next one replaces. */
async function servingLock(dataFolder: string): Promise<ServerLock | null> {
  const found = readLock(dataFolder);
  switch (found.kind) {
    case 'none':
      return null;
    case 'present':
      return (await isServing(found.lock)) ? found.lock : null;
    case 'earlier':
      // It would want to see the token itself, and whoever has its port by now would get it.
      if (await earlierServes(found.lock))
        throw new UserError('otherBuild', incompatibilitySentence('serverTooOld', peer, found.lock));
      return null;
    case 'later':
      throw new UserError(
        'otherBuild',
        `The compute server is that of a newer Espalier (it speaks ${found.protocol}): update this extension, or end that ` +
          `server; if none runs any more, delete ${found.path}.`,
      );
  }
}

const peer = { protocol: protocolName, wire: __ESPALIER_WIRE__, build: __ESPALIER_BUILD__ };

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
