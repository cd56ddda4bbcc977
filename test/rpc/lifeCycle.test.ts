// The life of a connection and of the server, on the built server over its real socket.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { enginesOf, isRunning, until } from '../cli/espalier';
import {
  analyzeRecipe,
  type Client,
  connect,
  connectRaw,
  countsClients,
  errorOf,
  newFolder,
  oneTo,
  openSocket,
  reaches,
  readLockFile,
  type StartedServer,
  spawnServer,
  startServer,
  stopServer,
} from './client';
import { lockFolder, lockPath } from '../../server/protocol/serverLock';

const folders: string[] = [];
const folder = () => {
  folders.push(newFolder());
  return folders.at(-1)!;
};
afterAll(() => {
  for (const each of folders) rmSync(each, { recursive: true, force: true });
});

describe('a connection', () => {
  let server: StartedServer;
  const open: { close(): void }[] = [];
  beforeAll(async () => {
    server = await startServer(folder());
  });
  afterEach(() => {
    for (const each of open.splice(0)) each.close();
  });
  afterAll(() => stopServer(server));

  const raw = async () => {
    const { socket, connection } = await connectRaw(server.lock);
    open.push(socket);
    return { socket, connection };
  };
  const initialized = async (): Promise<Client> => {
    const client = await connect(server.lock);
    open.push(client.socket);
    return client;
  };
  const options = () => {
    const { protocol, wire, build } = server.lock;
    return { protocol, wire, build, roots: [] as string[] };
  };

  it('is told to initialize first', async () => {
    const { connection } = await raw();
    expect(await errorOf(connection.sendRequest('runs/list', {}))).toMatchObject({ code: -32002 });
  });

  it('is told which server it has', async () => {
    const { connection } = await raw();
    const result = await connection.sendRequest('initialize', { initializationOptions: options() });
    expect(result).toMatchObject({
      capabilities: {},
      espalier: { protocol: 'espalier.v2', build: server.lock.build, pid: server.pid, node: process.version },
    });
  });

  it('is initialized once', async () => {
    const { connection } = await initialized();
    expect(await errorOf(connection.sendRequest('initialize', { initializationOptions: options() }))).toMatchObject({
      code: -32600,
    });
  });

  it.each([
    { what: 'an older build', change: { wire: 'other', build: '0.0.1+cafe' } },
    { what: 'another protocol', change: { protocol: 'espalier.v3' } },
  ])('of $what is told both builds', async ({ change }) => {
    const { connection } = await raw();
    const wanted = { ...options(), ...change };
    const error = await errorOf(connection.sendRequest('initialize', { initializationOptions: wanted }));
    expect(error).toMatchObject({ code: -32803, reason: 'otherBuild' });
    expect(error.message).toContain(server.lock.build);
    expect(error.message).toContain(wanted.build);
    expect(await errorOf(connection.sendRequest('runs/list', {}))).toMatchObject({ code: -32002 });
  });

  it.each([[undefined], [null], [{}], [{ initializationOptions: {} }], [{ initializationOptions: { roots: 5 } }]])(
    'that sends initialize with %j is refused',
    async (params) => {
      const { connection } = await raw();
      expect(await errorOf(connection.sendRequest('initialize', params as object))).toMatchObject({ code: -32602 });
    },
  );

  it('is told that a method is unknown', async () => {
    const { connection } = await initialized();
    for (const method of ['runs/burn', 'constructor', '__proto__', 'textDocument/hover'])
      expect(await errorOf(connection.sendRequest(method, {}))).toMatchObject({ code: -32601 });
  });

  it('is over after shutdown, and exit closes it and nothing else', async () => {
    const other = await initialized();
    const { connection, socket } = await initialized();
    expect(await connection.sendRequest('shutdown')).toBeNull();
    expect(await errorOf(connection.sendRequest('runs/list', {}))).toMatchObject({ code: -32600 });
    const closed = new Promise<number>((resolve) => socket.once('close', resolve));
    await connection.sendNotification('exit');
    expect(await closed).toBe(1000);
    expect(await other.request('runs/list', {})).toEqual([]);
  });

  it('starts an analysis that ends with its report and its events in order', async () => {
    const client = await initialized();
    const runId = randomUUID();
    const recipe = analyzeRecipe();
    const started = await client.request('runs/start', { runId, recipe });
    expect(started).toMatchObject({ runId, kind: 'analyze', title: 'Analyze stories260k' });
    expect(await client.request('runs/start', { runId, recipe })).toMatchObject({ runId });
    await client.request('runs/subscribe', { runId, since: 0 });
    const done = await reaches(client, runId, ['done', 'failed']);
    expect(done).toMatchObject({ state: 'done' });
    const got = await client.request('runs/get', { runId });
    expect(got.recipe).toEqual(recipe);
    expect(got.plan).toMatchObject({ nSequences: 4, nTokens: 512, device: 'cpu' });
    expect(got.report).toMatchObject({ kind: 'analyze', lossNats: expect.any(Number) });
    await until('all events have come', () => client.events(runId).length >= done.lastSeq);
    expect(client.events(runId).map(({ seq }) => seq)).toEqual(oneTo(done.lastSeq));
    const kinds = client.events(runId).map(({ event }) => (event.kind === 'state' ? event.state.state : event.kind));
    expect(kinds.filter((kind) => kind !== 'progress')).toEqual(['queued', 'running', 'plan', 'reported', 'done']);
    await until('its end was told', () => client.changed.get(runId)?.state === 'done');
    const runFolder = join(folders[0]!, 'runs', runId);
    expect(readdirSync(runFolder).sort()).toEqual(['events.jsonl', 'recipe.json', 'report.json', 'state.json']);
  });
});

describe('a server', () => {
  it('keeps its lock file to its owner, and its token to the lock file', async () => {
    const data = join(folder(), 'made', 'by it');
    const server = await startServer(data);
    try {
      expect(statSync(lockPath(data)).mode & 0o777).toBe(0o600);
      expect(statSync(data).mode & 0o777).toBe(0o700);
      expect(server.lock.token).toMatch(/^[\w-]{43}$/);
      const told = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${server.pid}/${name}`, 'utf8'));
      expect(`${told.join()}${server.log()}`).not.toContain(server.lock.token);
    } finally {
      await stopServer(server);
    }
    expect(existsSync(lockPath(data))).toBe(false);
  });

  it('loads no runtime', async () => {
    const server = await startServer(folder());
    try {
      expect(readFileSync(`/proc/${server.pid}/maps`, 'utf8')).not.toMatch(/onnxruntime/);
    } finally {
      await stopServer(server);
    }
  });

  it('is the only one of five that start at once over the lock of a dead one', async () => {
    for (let round = 0; round < 3; round++) {
      const data = folder();
      const dead = await startServer(data);
      dead.process.kill('SIGKILL');
      await dead.ended;
      expect(existsSync(lockPath(data))).toBe(true);
      const five = Array.from({ length: 5 }, () => spawnServer(data));
      await until('one listens and four stand back', () =>
        five.every((each) => each.log().includes('listening') || !isRunning(each.pid)),
      );
      const living = five.filter((each) => isRunning(each.pid));
      expect(living.map(({ pid }) => pid)).toEqual([readLockFile(data).pid]);
      const client = await connect(readLockFile(data));
      await client.close();
      living[0]!.process.kill('SIGTERM');
      expect(await Promise.all(five.map(({ ended }) => ended))).toEqual([0, 0, 0, 0, 0]);
    }
  });

  it.each(['', '{', '{"pid":1}', 'x'.repeat(10_000)])('takes over from a lock file that says %#', async (content) => {
    const data = folder();
    mkdirSync(lockFolder(data), { recursive: true });
    writeFileSync(lockPath(data), content);
    const server = await startServer(data);
    expect(server.lock.pid).toBe(server.pid);
    await stopServer(server);
  });

  it('ends when nobody has been there for a while', async () => {
    const data = folder();
    const server = await startServer(data, 1);
    const client = await connect(server.lock);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect(isRunning(server.pid)).toBe(true);
    await client.close();
    const began = performance.now();
    expect(await server.ended).toBe(0);
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(performance.now() - began).toBeLessThan(3000);
    expect(existsSync(lockPath(data))).toBe(false);
  });

  it('stays for a run without any client, and ends after it', async () => {
    const data = folder();
    const server = await startServer(data, 1);
    const client = await connect(server.lock);
    const runId = randomUUID();
    const long = analyzeRecipe({ measure: { removals: 'sublayers', greedy: null, suggestions: 0, whatIf: [] } }, 100);
    await client.request('runs/start', { runId, recipe: long });
    await until('the engine is there', () => enginesOf(server.pid).length > 0);
    await client.close();
    await server.ended;
    const state = JSON.parse(readFileSync(join(data, 'runs', runId, 'state.json'), 'utf8'));
    expect(state.state).toEqual({ state: 'done' });
  });

  it('ends when told to, with an answer first', async () => {
    const server = await startServer(folder());
    const client = await connect(server.lock);
    expect(await client.request('server/stop', {})).toBeNull();
    // Nobody gets in who would be sent away in a moment.
    await expect(connect(server.lock)).rejects.toThrow(/503|ECONNRE/);
    expect(await server.ended).toBe(0);
  });

  it('ends when its lock file was taken away', async () => {
    const data = folder();
    const server = await startServer(data);
    rmSync(lockPath(data));
    expect(await server.ended).toBe(0);
  });

  it('is shared by two clients, and goes on when one is gone in whatever way', async () => {
    const server = await startServer(folder());
    const [one, two] = [await connect(server.lock), await connect(server.lock)];
    expect(await one.request('server/status', {})).toMatchObject({ nClients: 2, nActiveRuns: 0, pid: server.pid });
    const runId = randomUUID();
    await one.request('runs/start', { runId, recipe: analyzeRecipe() });
    await two.request('runs/subscribe', { runId, since: 0 });
    one.socket.terminate();
    const done = await reaches(two, runId, ['done', 'failed']);
    expect(done.state).toBe('done');
    await until('all events have come', () => two.events(runId).length >= done.lastSeq);
    await countsClients(two, 1);
    await two.close();
    await stopServer(server);
  });

  it('lets go of a client that does not answer its pings within 10 s', async () => {
    const server = await startServer(folder());
    const client = await connect(server.lock);
    const deaf = await openSocket(server.lock, { autoPong: false });
    expect(await client.request('server/status', {})).toMatchObject({ nClients: 2 });
    const began = performance.now();
    await new Promise((resolve) => deaf.once('close', resolve));
    expect(performance.now() - began).toBeLessThan(10_000);
    await countsClients(client, 1);
    await client.close();
    await stopServer(server);
  });
});
