// The compute server: a loopback socket behind a proof of the token, one for each data folder, shared by all windows. It lives as long as
// there is a client or an active run, and a while longer; it never ends with the process that started it.
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { protocolName } from '../protocol/compatibility';
import type { ServerFacts, ServerLock } from '../protocol/server';
import { lockPath, serverIdentityOf } from '../protocol/serverLock';
import { openReaders } from '../readerClient/readers';
import { openRuns, type Runs } from '../runs/runs';
import { admitClients } from './admission';
import { cannotServe, makeDataFolder } from './dataFolder';
import { openDevices } from './devices';
import { openLifetime } from './lifetime';
import { releaseLock, takeLock, tendLock } from './lock';
import { openSession, type SessionServer } from './session';
import { type ClientSocket, openSockets } from './socket';

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
  const http = await listen(options.log);
  const { port } = http.address() as AddressInfo;
  const token = randomBytes(32).toString('base64url');
  const lock: ServerLock = { ...serverIdentityOf(process.pid), port, token, ...peer };
  const lockFile = lockPath(dataFolder);
  // A client that finds the lock file may connect before the runs are read; nothing else runs between here and there.
  let first = false;
  try {
    first = await takeLock(dataFolder, lock);
  } catch (error) {
    throw cannotServe(dataFolder, error);
  } finally {
    if (!first) closeHttp(http);
  }
  if (!first) return { kind: 'other', lockFile };
  return { kind: 'serving', lock, lockFile, ended: open(http, lock, { ...options, dataFolder }) };
}

/** Guests are sent away by a clock of ours; this is Node's own, which minds what they have sent by then. */
const timeouts = { headersTimeout: 5000, requestTimeout: 5000, connectionsCheckingInterval: 2000 };

async function listen(log: ServeOptions['log']): Promise<Server> {
  const http = createServer(timeouts, (_, response) => response.writeHead(404, { connection: 'close' }).end());
  await new Promise<void>((ready, fail) => http.once('error', fail).listen(0, '127.0.0.1', ready));
  // Such as a connection that cannot be accepted while too many files are open: the next one may be.
  http.removeAllListeners('error').on('error', (error) => log(`listening: ${error.message}`));
  return http;
}

function closeHttp(http: Server): void {
  http.closeAllConnections();
  http.close();
}

/** Engines are killed, and what they had begun is removed; a disk that hangs keeps no server alive. */
const endRunsMs = 1500;

/** Serves until the end of the server's lifetime. */
function open(http: Server, lock: ServerLock, { dataFolder, idleSeconds, signal, log }: ServeOptions): Promise<void> {
  const sockets = openSockets();
  const readers = openReaders();
  const lifetime = openLifetime({
    idleSeconds,
    isInUse: () => sockets.nClients() > 0 || runs.nActive() > 0,
    tendLock() {
      void runs.lookAround();
      return tendLock(dataFolder, lock);
    },
    async end() {
      const ended = runs.end().catch((error) => log(String(error)));
      await Promise.race([ended, sleep(endRunsMs, undefined, { ref: false })]);
      releaseLock(dataFolder, lock);
      readers.end();
      sockets.close();
      sendGuestsAway();
      closeHttp(http);
    },
    log,
  });
  const devices = openDevices(readers, log);
  const auto = async () => (await devices.choice()).device;
  const runs: Runs = openRuns(dataFolder, { onIdle: lifetime.considerIdle, log }, auto);
  const facts = () => factsOf(dataFolder);
  const control = {
    status: () => ({ ...facts(), nClients: sockets.nClients(), nActiveRuns: runs.nActive() }),
    stop: () => lifetime.stopSoon('asked to end'),
  };
  const server: SessionServer = { facts, runs, readers, devices, control, log };
  const onClient = (client: ClientSocket) => {
    lifetime.stopIdleTimer();
    log(`client came, ${sockets.nClients()} in all`);
    client.onClose(() => {
      log(`client left, ${sockets.nClients()} in all`);
      lifetime.considerIdle();
    });
    openSession(client, server);
  };
  const sendGuestsAway = admitClients(http, { lock, sockets, isLeaving: lifetime.isLeaving, onClient, log });
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
