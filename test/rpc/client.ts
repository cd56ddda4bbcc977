// A client as the editor is one: finds the lock file, proves that it knows the token, speaks JSON-RPC. And the built server, started as
// the editor starts it.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { createMessageConnection, type MessageConnection, ResponseError } from 'vscode-jsonrpc/node';
import { WebSocket } from 'ws';
import type { AnalyzeRecipe } from '../../server/recipes/analyze/recipe';
import type {
  ErrorData,
  RunEvent,
  RunSummary,
  ServerLock,
  ServerNotifications,
  ServerRequests,
} from '../../server/protocol/server';
import { newNonce, nonceHeader, replyTo } from '../../server/protocol/proof';
import { SocketReader, SocketWriter } from '../../server/rpc/socket';
import { isRunning, until } from '../cli/espalier';
import { modelFolder, repoRoot } from '../fixtures';
import { lockPath } from '../../server/protocol/serverLock';

export const bundle = join(repoRoot, 'dist/server.cjs');
if (!existsSync(bundle)) throw new Error(`${bundle} is missing; npm run build makes it`);

export const stories = realpathSync(modelFolder('stories260k'));
export const text = realpathSync(join(repoRoot, 'media/demo/tinystories.txt'));

/** A new folder without links in its path. */
export const newFolder = (): string => realpathSync(mkdtempSync(join(tmpdir(), 'server-')));

export interface StartedServer {
  readonly process: ChildProcess;
  readonly pid: number;
  readonly lock: ServerLock;
  log(): string;
  readonly ended: Promise<number | null>;
}

export const readLockFile = (dataFolder: string): ServerLock =>
  JSON.parse(readFileSync(lockPath(dataFolder), 'utf8')) as ServerLock;

/** Starts it without waiting for anything. */
export function spawnServer(dataFolder: string, idleSeconds = 60, program = bundle, node = process.execPath) {
  const child = spawn(node, [program, dataFolder, String(idleSeconds)], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (part: string) => (said += part));
  child.stderr.setEncoding('utf8').on('data', (part: string) => (said += part));
  const ended = new Promise<number | null>((resolve) => child.on('close', (code) => resolve(code)));
  return { process: child, pid: child.pid!, log: () => said, ended };
}

export async function startServer(...given: Parameters<typeof spawnServer>): Promise<StartedServer> {
  const [dataFolder] = given;
  const server = spawnServer(...given);
  await until('the server listens', () => server.log().includes('listening') || !isRunning(server.pid));
  if (!isRunning(server.pid)) throw new Error(`the server has ended: ${server.log()}`);
  return { ...server, lock: readLockFile(dataFolder) };
}

export async function stopServer(server: StartedServer): Promise<void> {
  server.process.kill('SIGTERM');
  await server.ended;
}

export interface Client {
  readonly socket: WebSocket;
  readonly connection: MessageConnection;
  request<M extends keyof ServerRequests>(
    method: M,
    params: ServerRequests[M]['params'],
  ): Promise<ServerRequests[M]['result']>;
  /** All events of a run that were heard, in the order in which they came. */
  events(runId: string): RunEvent[];
  /** The newest summary that was pushed. */
  changed: Map<string, RunSummary>;
  readonly estimates: ServerNotifications['runs/estimate'][];
  /** Times at which notifications came. */
  readonly heardAtMs: number[];
  close(): Promise<void>;
}

/** With the proof sent as the first frame; the server may not have read it yet. */
export const openSocket = (lock: ServerLock, options: object = {}): Promise<WebSocket> => {
  const nonce = newNonce();
  const socket = new WebSocket(`ws://127.0.0.1:${lock.port}`, lock.protocol, {
    headers: { [nonceHeader]: nonce },
    ...options,
  });
  return new Promise((resolve, reject) => {
    socket.once('upgrade', ({ headers }) => {
      socket.once('open', () => {
        socket.send(replyTo(headers, nonce, lock.token) ?? 'the server has another token');
        resolve(socket);
      });
    });
    socket.once('error', reject);
  });
};

/** Speaks JSON-RPC, but has not sent `initialize`. */
export async function connectRaw(
  lock: ServerLock,
  options: object = {},
): Promise<{ socket: WebSocket; connection: MessageConnection }> {
  const socket = await openSocket(lock, options);
  const connection = createMessageConnection(new SocketReader(socket), new SocketWriter(socket));
  connection.onClose(() => connection.dispose());
  connection.listen();
  return { socket, connection };
}

export async function connect(
  lock: ServerLock,
  roots: readonly string[] = [stories, text],
  options: object = {},
): Promise<Client> {
  const { socket, connection } = await connectRaw(lock, options);
  const heard = new Map<string, RunEvent[]>();
  const client: Client = {
    socket,
    connection,
    request: (method, params) => connection.sendRequest(method, params),
    events: (runId) => heard.get(runId) ?? [],
    changed: new Map(),
    estimates: [],
    heardAtMs: [],
    async close() {
      if (socket.readyState === WebSocket.CLOSED) return;
      const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
      socket.close();
      await closed;
    },
  };
  connection.onNotification('runs/events', ({ runId, events }: ServerNotifications['runs/events']) => {
    client.heardAtMs.push(performance.now());
    heard.set(runId, [...client.events(runId), ...events]);
  });
  connection.onNotification('runs/changed', ({ runs, deleted }: ServerNotifications['runs/changed']) => {
    client.heardAtMs.push(performance.now());
    for (const run of runs) client.changed.set(run.runId, run);
    for (const runId of deleted) client.changed.delete(runId);
  });
  connection.onNotification('runs/estimate', (estimate: ServerNotifications['runs/estimate']) => {
    client.heardAtMs.push(performance.now());
    client.estimates.push(estimate);
  });
  await connection.sendRequest('initialize', {
    processId: null,
    capabilities: {},
    rootUri: null,
    initializationOptions: { protocol: lock.protocol, wire: lock.wire, build: lock.build, roots: rootFolders(roots) },
  });
  await connection.sendNotification('initialized', {});
  return client;
}

/** A file stands for its folder. */
const rootFolders = (roots: readonly string[]): string[] =>
  roots.map((root) => (statSync(root).isDirectory() ? root : join(root, '..')));

/** Code, sentence and our own code of the error that a request is answered with; throws when it is not. */
export async function errorOf(
  request: Promise<unknown>,
): Promise<{ code: number; message: string; reason: string | undefined }> {
  try {
    await request;
  } catch (error) {
    if (!(error instanceof ResponseError)) throw error;
    return { code: error.code, message: error.message, reason: (error.data as ErrorData | undefined)?.code };
  }
  throw new Error('the request was answered with a result');
}

export function analyzeRecipe(change: Partial<AnalyzeRecipe> = {}, sequences = 4): AnalyzeRecipe {
  return {
    kind: 'analyze',
    model: stories,
    source: {
      kind: 'text',
      files: [text],
      field: null,
      sequences,
      tokens: 128,
      start: 0,
      bos: 'none',
      sampling: 'consecutive',
      seed: 0,
    },
    methods: ['all'],
    measure: { removals: 'none', greedy: null, suggestions: 0, whatIf: [] },
    stay: false,
    compute: { device: 'cpu', memory: 'auto', weights: 'f32', threads: 1, memoryLimitBytes: null },
    ...change,
  };
}

/** Waits until a run is in one of these states. */
export async function reaches(
  client: Client,
  runId: string,
  states: readonly RunSummary['state'][],
  withinMs = 30_000,
) {
  for (const began = performance.now(); ; ) {
    const { run } = await client.request('runs/get', { runId });
    if (states.includes(run.state)) return run;
    if (performance.now() - began > withinMs)
      throw new Error(`waited ${withinMs} ms in vain for ${states.join(' or ')}: ${JSON.stringify(run)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Waits until the server counts so many clients: it hears of an end a moment after the other side. */
export async function countsClients(client: Client, nClients: number): Promise<void> {
  for (const began = performance.now(); ; ) {
    const { nClients: counted } = await client.request('server/status', {});
    if (counted === nClients) return;
    if (performance.now() - began > 1000) throw new Error(`the server counts ${counted} clients, not ${nClients}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Sequence numbers as they ought to be. */
export const oneTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i + 1);

/** A server for all tests of a file, with its data in `root`, which goes with it, and a client that may read `roots`. */
export function serverOfFile(
  root: string,
  roots?: string[],
): { readonly server: StartedServer; readonly client: Client } {
  let server: StartedServer;
  let client: Client;
  beforeAll(async () => {
    server = await startServer(join(root, 'data'));
    client = await connect(server.lock, roots);
  });
  afterAll(async () => {
    await client.close();
    await stopServer(server);
    rmSync(root, { recursive: true, force: true });
  });
  return {
    get server() {
      return server;
    },
    get client() {
      return client;
    },
  };
}
