// The compute server: a loopback socket behind a token, one for each data folder, shared by all windows. It lives as long as
// there is a client or an active run, and a while longer; it never ends with the process that started it.
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { protocolName } from '../protocol/compatibility';
import type { ServerFacts, ServerLock } from '../protocol/server';
import { openRuns, type Runs } from '../runs/runs';
import { guard, maxClients } from './guards';
import { type Lifetime, openLifetime } from './lifetime';
import { holdsLock, lockPath, makeDataFolder, releaseLock, takeLock } from './lock';
import { openSession, type SessionServer } from './session';
import { openSockets } from './socket';

declare const __ESPALIER_BUILD__: string;
declare const __ESPALIER_WIRE__: string;
const peer = { protocol: protocolName, wire: __ESPALIER_WIRE__, build: __ESPALIER_BUILD__ };

export interface ServeOptions {
  dataFolder: string;
  /** How long to wait without a client and an active run. */
  idleSeconds: number;
  /** Ends the server when it is aborted. */
  signal: AbortSignal;
  log(text: string): void;
}

/** How the attempt came out: another server may have been first. `ended` resolves when all is closed. Throws as takeLock does. */
export type Serving =
  | { kind: 'serving'; lock: ServerLock; lockFile: string; ended: Promise<void> }
  | { kind: 'other'; lockFile: string };

export async function serve(options: ServeOptions): Promise<Serving> {
  const dataFolder = resolve(options.dataFolder);
  makeDataFolder(dataFolder);
  const http = await listen();
  const { port } = http.address() as AddressInfo;
  const token = randomBytes(32).toString('base64url');
  const lock: ServerLock = { pid: process.pid, port, token, ...peer };
  const lockFile = lockPath(dataFolder);
  // A client that finds the lock file may connect before the runs are read; nothing else runs between here and there.
  let first = false;
  try {
    first = await takeLock(dataFolder, lock);
  } finally {
    if (!first) closeHttp(http);
  }
  if (!first) return { kind: 'other', lockFile };
  return { kind: 'serving', lock, lockFile, ended: open(http, lock, { ...options, dataFolder }) };
}

/** A client that connects and sends nothing does not keep others out for long. */
const timeouts = { headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 2000 };

async function listen(): Promise<Server> {
  const http = createServer(timeouts, (_, response) => response.writeHead(404).end());
  http.maxConnections = 2 * maxClients;
  await new Promise<void>((ready, fail) => http.once('error', fail).listen(0, '127.0.0.1', ready));
  return http;
}

function closeHttp(http: Server): void {
  http.closeAllConnections();
  http.close();
}

type Sockets = ReturnType<typeof openSockets>;

/** Serves until the end of the server's lifetime. */
function open(http: Server, lock: ServerLock, { dataFolder, idleSeconds, signal, log }: ServeOptions): Promise<void> {
  const sockets = openSockets();
  const lifetime = openLifetime({
    idleSeconds,
    isInUse: () => sockets.nClients() > 0 || runs.nActive() > 0,
    holdsLock: () => holdsLock(dataFolder, lock),
    async end() {
      await runs.end().catch((error) => log(String(error)));
      releaseLock(dataFolder, lock);
      sockets.close();
      closeHttp(http);
    },
    log,
  });
  const runs: Runs = openRuns(dataFolder, { onIdle: lifetime.considerIdle, log });
  const facts = () => factsOf(dataFolder);
  const control = {
    status: () => ({ ...facts(), nClients: sockets.nClients(), nActiveRuns: runs.nActive() }),
    stop: () => lifetime.stopSoon('asked to end'),
  };
  const server: SessionServer = { facts, runs, control, log };
  acceptClients(http, sockets, lock, lifetime, server);
  lifetime.considerIdle();
  log(`listening on port ${lock.port}, build ${lock.build}, node ${process.version}`);
  signal.addEventListener('abort', () => lifetime.stop('told to end'));
  if (signal.aborted) lifetime.stop('told to end');
  return lifetime.ended;
}

const factsOf = (dataFolder: string): ServerFacts => ({
  ...peer,
  pid: process.pid,
  node: process.version,
  dataFolder,
});

function acceptClients(
  http: Server,
  sockets: Sockets,
  { port, token }: ServerLock,
  lifetime: Lifetime,
  server: SessionServer,
): void {
  const { log } = server;
  const refuse = guard(port, token);
  http.on('upgrade', (request, stream, head) => {
    stream.on('error', () => {});
    const full = sockets.nClients() >= maxClients ? '503 Service Unavailable' : null;
    const refusal = refuse(request.headers, request.url ?? '') ?? full;
    if (refusal || lifetime.isLeaving()) {
      log(`refused: ${refusal ?? 'ending'}`);
      stream.end(`HTTP/1.1 ${refusal ?? '503 Service Unavailable'}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    sockets.accept(request, stream, head, (client) => {
      lifetime.stopIdleTimer();
      log(`client came, ${sockets.nClients()} in all`);
      client.onClose(() => {
        log(`client left, ${sockets.nClients()} in all`);
        lifetime.considerIdle();
      });
      openSession(client, server);
    });
  });
}
