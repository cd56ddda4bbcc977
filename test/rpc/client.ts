// The compute server as tests use it: the built one in a process of its own over a data folder of its own, and clients
// that find it by its lock file and speak JSON-RPC over a real socket. Both end with the test that made them.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import {
  AbstractMessageReader,
  AbstractMessageWriter,
  createMessageConnection,
  type DataCallback,
  type Message,
  ResponseError,
} from 'vscode-jsonrpc/node';
import { type ClientOptions as SocketOptions, WebSocket } from 'ws';
import type { ClientOptions, ErrorData, ServerLock, ServerNotifications, ServerRequests } from '../../server/protocol';
import { isRunning, until } from '../cli/espalier';
import { repoRoot } from '../fixtures';

export const serverBundle = join(repoRoot, 'dist/server.cjs');
if (!existsSync(serverBundle)) throw new Error(`${serverBundle} is missing; npm run build makes it`);

/** Takes what ends a thing; `onTestFinished` or `afterAll`. */
export type Owner = (end: () => void | Promise<void>) => void;

export function temporaryFolder(own: Owner = onTestFinished): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'espalier-server-')));
  own(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface Server {
  process: ChildProcess;
  pid: number;
  dataFolder: string;
  /** What it wrote so far. */
  log(): string;
  ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
}

/** Starts a server; it may find that another one has the folder, and end. */
export function spawnServer(dataFolder: string, idleSeconds = 60, own: Owner = onTestFinished): Server {
  const child = spawn(process.execPath, [serverBundle, dataFolder, String(idleSeconds)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  const ended = new Promise<Awaited<Server['ended']>>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal })),
  );
  own(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  return { process: child, pid: child.pid!, dataFolder, log: () => log, ended };
}

/** Starts a server and waits until clients may come. */
export async function startServer(
  dataFolder: string,
  idleSeconds = 60,
  own: Owner = onTestFinished,
): Promise<Server & { lock: ServerLock }> {
  const server = spawnServer(dataFolder, idleSeconds, own);
  await until(
    `the server says that it listens (${server.log()})`,
    () => server.log().includes('listening on') || !isRunning(server.pid),
  );
  if (!server.log().includes('listening on')) throw new Error(`the server ended: ${server.log()}`);
  return { ...server, lock: readServerLock(dataFolder) };
}

export const readServerLock = (dataFolder: string): ServerLock =>
  JSON.parse(readFileSync(join(dataFolder, 'server.json'), 'utf8'));

export interface TestClient {
  socket: WebSocket;
  /** A refusal rejects with a Refused. */
  ask<M extends keyof ServerRequests>(
    method: M,
    params: ServerRequests[M]['params'],
  ): Promise<ServerRequests[M]['result']>;
  /** Any method with any params. */
  askRaw(method: string, params?: unknown): Promise<unknown>;
  notify(method: string, params?: unknown): Promise<void>;
  on<M extends keyof ServerNotifications>(method: M, listener: (params: ServerNotifications[M]) => void): void;
  /** All notifications so far, in order. */
  told: { method: string; params: unknown; atMs: number }[];
  closed: Promise<{ code: number; reason: string }>;
  close(): Promise<void>;
}

export interface Knock {
  headers?: Record<string, string>;
  protocol?: string | string[] | null;
  path?: string;
}

/** The handshake alone. Rejects with `refused with STATUS`. */
export function openSocket(lock: ServerLock, knock: Knock = {}, own: Owner = onTestFinished): Promise<WebSocket> {
  const options: SocketOptions = {
    headers: { authorization: `Bearer ${lock.token}`, ...knock.headers },
    perMessageDeflate: false,
  };
  const url = `ws://127.0.0.1:${lock.port}${knock.path ?? '/'}`;
  const protocol = knock.protocol === undefined ? 'espalier.v1' : knock.protocol;
  const socket = protocol === null ? new WebSocket(url, options) : new WebSocket(url, protocol, options);
  own(() => socket.terminate());
  return new Promise((resolve, reject) => {
    socket.on('open', () => resolve(socket));
    socket.on('error', reject);
    socket.on('unexpected-response', (_, { statusCode }) => {
      socket.terminate();
      reject(new Error(`refused with ${statusCode}`));
    });
  });
}

export async function connect(
  lock: ServerLock,
  options: Partial<ClientOptions> & { initialize?: boolean } = {},
  own: Owner = onTestFinished,
): Promise<TestClient> {
  const socket = await openSocket(lock, {}, own);
  const connection = createMessageConnection(new Reader(socket), new Writer(socket));
  const told: TestClient['told'] = [];
  const listeners = new Map<string, ((params: never) => void)[]>();
  connection.onNotification((method: string, params: unknown) => {
    told.push({ method, params, atMs: performance.now() });
    for (const listener of listeners.get(method) ?? []) listener(params as never);
  });
  connection.onError(() => {});
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on('close', (code, reason) => {
      // Else what is still asked would wait for ever.
      connection.dispose();
      resolve({ code, reason: String(reason) });
    }),
  );
  connection.listen();
  const client: TestClient = {
    socket,
    told,
    closed,
    ask: (method, params) => connection.sendRequest(method, params),
    askRaw: (method, params) =>
      params === undefined ? connection.sendRequest(method) : connection.sendRequest(method, params),
    notify: (method, params) => connection.sendNotification(method, params),
    on: (method, listener) => void listeners.set(method, [...(listeners.get(method) ?? []), listener]),
    async close() {
      socket.close();
      await closed;
    },
  };
  if (options.initialize !== false) await client.askRaw('initialize', initializeParams(lock, options));
  return client;
}

export const initializeParams = (lock: ServerLock, { protocol, build, roots }: Partial<ClientOptions> = {}) => ({
  processId: process.pid,
  rootUri: null,
  capabilities: {},
  initializationOptions: { protocol: protocol ?? lock.protocol, build: build ?? lock.build, roots: roots ?? [] },
});

/** How the server refused: the number of JSON-RPC, our code, and the sentence. */
export async function refusalOf(asked: Promise<unknown>): Promise<{ code: number; ours: string; message: string }> {
  try {
    await asked;
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    return { code: error.code, ours: (error.data as ErrorData | undefined)?.code ?? '', message: error.message };
  }
  throw new Error('it was not refused');
}

class Reader extends AbstractMessageReader {
  constructor(private readonly socket: WebSocket) {
    super();
    socket.on('close', () => this.fireClose());
  }

  listen(callback: DataCallback) {
    const hear = (data: unknown) => callback(JSON.parse(String(data)) as Message);
    this.socket.on('message', hear);
    return { dispose: () => void this.socket.off('message', hear) };
  }
}

class Writer extends AbstractMessageWriter {
  constructor(private readonly socket: WebSocket) {
    super();
  }

  write(message: Message): Promise<void> {
    return new Promise((resolve, reject) =>
      this.socket.send(JSON.stringify(message), (error) => (error ? reject(error) : resolve())),
    );
  }

  end(): void {}
}
