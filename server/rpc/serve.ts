// The compute server: a loopback socket behind a token, one for each data folder, shared by all windows. It lives as long as
// somebody is connected or a run is active, and a while longer; it never ends with whoever started it.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import type { ServerFacts, ServerLock } from '../protocol/server';
import { openRuns, type Runs } from '../runs/runs';
import { guard, maxClients, protocolName } from './guards';
import { holdsLock, lockPath, makeDataFolder, releaseLock, takeLock } from './lock';
import { openSession } from './session';
import { openSockets } from './socket';

declare const __ESPALIER_BUILD__: string;

export interface ServeOptions {
  dataFolder: string;
  /** How long to wait for somebody when there is neither a client nor an active run. */
  idleSeconds: number;
  /** Ends the server when it is aborted. */
  signal: AbortSignal;
  log(text: string): void;
}

/** How the attempt came out: another server may have been first. `ended` resolves when all is closed. Throws as takeLock does. */
export type Serving =
  | { kind: 'serving'; lock: ServerLock; lockFile: string; ended: Promise<void> }
  | { kind: 'other'; lockFile: string };

const lockCheckMs = 5000;
/** Whoever connects and says nothing does not keep others out for long. */
const hastily = { headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 2000 };

export async function serve({ dataFolder: given, idleSeconds, signal, log }: ServeOptions): Promise<Serving> {
  const dataFolder = resolve(given);
  makeDataFolder(dataFolder);
  const token = randomBytes(32).toString('base64url');
  const http = createServer(hastily, (_, response) => response.writeHead(404).end());
  http.maxConnections = 2 * maxClients;
  await new Promise<void>((ready, fail) => http.once('error', fail).listen(0, '127.0.0.1', ready));
  const { port } = http.address() as AddressInfo;
  const lock: ServerLock = { pid: process.pid, port, token, protocol: protocolName, build: __ESPALIER_BUILD__ };
  const lockFile = lockPath(dataFolder);
  const close = () => {
    http.closeAllConnections();
    http.close();
  };
  // Whoever finds the lock file may knock before the runs are read; nothing else runs between here and there.
  let first = false;
  try {
    first = await takeLock(dataFolder, lock);
  } finally {
    if (!first) close();
  }
  if (!first) return { kind: 'other', lockFile };

  const sockets = openSockets();
  let idleTimer: NodeJS.Timeout | null = null;
  let stopping = false;
  /** Whoever comes now would be sent away in a moment. */
  let leaving = false;
  let runs: Runs;
  let settle: () => void;
  const ended = new Promise<void>((resolve) => {
    settle = resolve;
  });
  const stop = (why: string) => {
    if (stopping) return;
    stopping = leaving = true;
    log(why);
    if (idleTimer) clearTimeout(idleTimer);
    clearInterval(watching);
    void runs
      .end()
      .catch((error) => log(String(error)))
      .then(() => {
        releaseLock(dataFolder, lock);
        sockets.close();
        close();
        settle();
      });
  };
  const considerIdle = () => {
    if (idleTimer) clearTimeout(idleTimer);
    idleTimer = null;
    if (stopping || sockets.nClients() > 0 || runs.nActive() > 0) return;
    idleTimer = setTimeout(() => stop('nobody is here and nothing runs: ending'), idleSeconds * 1000);
  };
  // Somebody may delete the lock file, or another server may have taken this one for dead.
  const watching = setInterval(() => {
    if (!holdsLock(dataFolder, lock)) stop('the lock file is not ours any more: ending');
  }, lockCheckMs);
  runs = openRuns(dataFolder, considerIdle);

  const facts = (): ServerFacts => ({
    protocol: protocolName,
    build: __ESPALIER_BUILD__,
    pid: process.pid,
    node: process.version,
    dataFolder,
  });
  const control = {
    status: () => ({ ...facts(), nClients: sockets.nClients(), nActiveRuns: runs.nActive() }),
    // The answer goes out first.
    stop() {
      leaving = true;
      setTimeout(() => stop('asked to end'), 50);
    },
  };
  const refuse = guard(port, token);
  http.on('upgrade', (request, stream, head) => {
    stream.on('error', () => {});
    const full = sockets.nClients() >= maxClients ? '503 Service Unavailable' : null;
    const refusal = refuse(request.headers, request.url ?? '') ?? full;
    if (refusal || leaving) {
      log(`refused: ${refusal ?? 'ending'}`);
      stream.end(`HTTP/1.1 ${refusal ?? '503 Service Unavailable'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.accept(request, stream, head, (client) => {
      if (idleTimer) clearTimeout(idleTimer);
      log(`client came, ${sockets.nClients()} in all`);
      client.onClose(() => {
        log(`client left, ${sockets.nClients()} in all`);
        considerIdle();
      });
      openSession(client, { facts, runs, control, log });
    });
  });
  considerIdle();
  log(`listening on port ${port}, build ${lock.build}, node ${process.version}`);
  signal.addEventListener('abort', () => stop('told to end'));
  if (signal.aborted) stop('told to end');
  return { kind: 'serving', lock, lockFile, ended };
}
