// How a client comes and goes: the life cycle of LSP on a server that outlives every one of its clients.
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, afterAll, describe, expect, it } from 'vitest';
import type { ServerLock } from '../../server/protocol';
import { connect, initializeParams, refusalOf, startServer, temporaryFolder } from './client';

describe('a connection', () => {
  let lock: ServerLock;
  beforeAll(async () => {
    ({ lock } = await startServer(temporaryFolder(afterAll), 60, afterAll));
  });

  it('answers initialize with what the server is', async () => {
    const client = await connect(lock, { initialize: false });
    expect(await client.askRaw('initialize', initializeParams(lock))).toMatchObject({
      capabilities: {},
      espalier: { protocol: 'espalier.v1', build: lock.build, pid: lock.pid },
    });
    expect(await client.ask('server/status', {})).toMatchObject({ pid: lock.pid, nClients: 1, nActiveRuns: 0 });
  });

  it('is asked for nothing before initialize', async () => {
    const client = await connect(lock, { initialize: false });
    expect(await refusalOf(client.ask('server/status', {}))).toMatchObject({ code: -32002, ours: 'notReady' });
    expect(await refusalOf(client.askRaw('no/such'))).toMatchObject({ code: -32002, ours: 'notReady' });
  });

  it('is initialized once', async () => {
    const client = await connect(lock);
    expect(await refusalOf(client.askRaw('initialize', initializeParams(lock, { roots: ['/'] })))).toMatchObject({
      code: -32600,
    });
  });

  it.each([
    ['no params', undefined],
    ['no options', {}],
    ['roots that are no list', { initializationOptions: { protocol: 'espalier.v1', build: '1', roots: '/' } }],
    ['roots that are not absolute', { initializationOptions: { protocol: 'espalier.v1', build: '', roots: ['here'] } }],
  ])('refuses initialize with %s, and takes a better one', async (_, params) => {
    const client = await connect(lock, { initialize: false });
    const options = (params as { initializationOptions?: object } | undefined)?.initializationOptions;
    const sent =
      options && 'build' in options && options.build === ''
        ? { initializationOptions: { ...options, build: lock.build } }
        : params;
    expect((await refusalOf(client.askRaw('initialize', sent))).ours).toBe('usage');
    await client.askRaw('initialize', initializeParams(lock));
    expect((await client.ask('server/status', {})).pid).toBe(lock.pid);
  });

  it.each([
    ['protocol', { protocol: 'espalier.v0' as 'espalier.v1' }, 'speaks espalier.v1 and this client espalier.v0'],
    ['build', { build: '0.0.1+other' }, 'and this client 0.0.1+other'],
  ])('names a mismatch of the %s, and still tells its state', async (_, options, sentence) => {
    const client = await connect(lock, { initialize: false });
    const refusal = await refusalOf(client.askRaw('initialize', initializeParams(lock, options)));
    expect(refusal).toMatchObject({ code: -32803, ours: 'versionMismatch' });
    expect(refusal.message).toContain(sentence);
    expect(refusal.message).toContain('restart the server');
    expect((await client.ask('server/status', {})).build).toBe(lock.build);
    expect((await refusalOf(client.askRaw('runs/list', {}))).ours).toBe('notReady');
  });

  it('is asked for nothing after shutdown, and exit closes it alone', async () => {
    const [other, client] = [await connect(lock), await connect(lock)];
    expect(await client.askRaw('shutdown')).toBeNull();
    expect(await refusalOf(client.ask('server/status', {}))).toMatchObject({ code: -32600, ours: 'notReady' });
    await client.notify('exit');
    expect((await client.closed).code).toBe(1000);
    expect((await other.ask('server/status', {})).nClients).toBe(1);
  });

  it.each(['no/such', 'constructor', '__proto__', 'toString', ''])('has no method %j', async (method) => {
    const client = await connect(lock);
    expect(await refusalOf(client.askRaw(method, {}))).toMatchObject({ code: -32601, ours: 'unknownMethod' });
  });

  it('hears notifications that it does not know without harm', async () => {
    const client = await connect(lock);
    await client.notify('initialized', {});
    await client.notify('$/cancelRequest', { id: 4711 });
    await client.notify('workspace/didChangeWorkspaceFolders', { event: { added: [{ uri: 'file:///', name: '' }] } });
    expect((await client.ask('server/status', {})).pid).toBe(lock.pid);
  });
});

describe('a server', () => {
  it('keeps its folder and its lock to its owner', async () => {
    const dataFolder = join(temporaryFolder(), 'made', 'by it');
    await startServer(dataFolder);
    expect(statSync(dataFolder).mode & 0o777).toBe(0o700);
    expect(statSync(join(dataFolder, 'server.json')).mode & 0o777).toBe(0o600);
  });

  it('ends after a while without clients, and not before', async () => {
    const server = await startServer(temporaryFolder(), 1);
    const client = await connect(server.lock);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    expect((await client.ask('server/status', {})).pid).toBe(server.pid);
    await client.close();
    const began = performance.now();
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect(performance.now() - began).toBeGreaterThan(900);
    expect(performance.now() - began).toBeLessThan(2500);
    expect(existsSync(join(server.dataFolder, 'server.json'))).toBe(false);
  });

  it.each([
    ['that speaks its version', {}],
    ['of another build', { build: 'other' }],
  ])('is stopped by a client %s, after the answer', async (_, options) => {
    const server = await startServer(temporaryFolder());
    const client = await connect(server.lock, { initialize: false });
    await client.askRaw('initialize', initializeParams(server.lock, options)).catch(() => {});
    expect(await client.ask('server/stop', {})).toBeNull();
    expect(await server.ended).toEqual({ code: 0, signal: null });
    expect((await client.closed).code).toBe(1001);
    expect(existsSync(join(server.dataFolder, 'server.json'))).toBe(false);
  });

  it('says nothing of its token in its log or its arguments', async () => {
    const server = await startServer(temporaryFolder());
    await connect(server.lock);
    expect(server.log()).toContain('listening');
    expect(server.log() + server.process.spawnargs.join(' ')).not.toContain(server.lock.token);
  });
});
