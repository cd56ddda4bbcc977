// Who is refused, and what: every lock of the server tried over a real socket on the built server. Guests are in guests.test.ts.
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { networkInterfaces } from 'node:os';
import { connect as connectTcp } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { WebSocket } from 'ws';
import { newNonce } from '../../server/protocol/proof';
import type { Recipe } from '../../server/recipes/kinds';
import { recipeSchema } from '../../server/recipes/kinds';
import { isRunning } from '../cli/espalier';
import {
  analyzeRecipe,
  type Client,
  connect,
  countsClients,
  errorOf,
  newFolder,
  openSocket,
  reaches,
  type StartedServer,
  startServer,
  stories,
  stopServer,
  text,
} from './client';

const root = newFolder();
let server: StartedServer;
beforeAll(async () => {
  server = await startServer(join(root, 'data'));
});
afterAll(async () => {
  expect(server.log()).not.toContain(server.lock.token);
  await stopServer(server);
  rmSync(root, { recursive: true, force: true });
});

/** The status that an upgrade with these headers is answered with; 101 is a welcome. */
function upgrade(headers: Record<string, string | undefined>, path = '/'): Promise<number> {
  const { port } = server.lock;
  const usual = {
    host: `127.0.0.1:${port}`,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'sec-websocket-protocol': 'espalier.v2',
    'espalier-nonce': newNonce(),
  };
  const sent = Object.fromEntries(Object.entries({ ...usual, ...headers }).filter(([, value]) => value !== undefined));
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, headers: sent as Record<string, string> });
    request.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode!);
    });
    request.on('response', (response) => {
      response.resume();
      resolve(response.statusCode!);
    });
    request.on('error', reject);
    request.end();
  });
}

describe('before the upgrade', () => {
  const port = () => server.lock.port;
  const rows: { what: string; headers: () => Record<string, string | undefined>; path?: string; status: number }[] = [
    { what: 'our client', headers: () => ({}), status: 101 },
    { what: 'localhost as Host', headers: () => ({ host: `localhost:${port()}` }), status: 101 },
    { what: 'an Origin', headers: () => ({ origin: 'https://example.com' }), status: 403 },
    { what: 'a loopback Origin', headers: () => ({ origin: `http://127.0.0.1:${port()}` }), status: 403 },
    { what: 'an opaque Origin', headers: () => ({ origin: 'null' }), status: 403 },
    { what: 'a webview as Origin', headers: () => ({ origin: 'vscode-webview://abc' }), status: 403 },
    { what: 'an Origin and no nonce', headers: () => ({ origin: 'null', 'espalier-nonce': undefined }), status: 403 },
    { what: 'a foreign Host', headers: () => ({ host: `example.com:${port()}` }), status: 403 },
    { what: 'a Host that begins like ours', headers: () => ({ host: `127.0.0.1:${port()}.example.com` }), status: 403 },
    { what: 'a Host with another port', headers: () => ({ host: `127.0.0.1:${port() + 1}` }), status: 403 },
    { what: 'a Host without a port', headers: () => ({ host: '127.0.0.1' }), status: 403 },
    { what: 'no nonce', headers: () => ({ 'espalier-nonce': undefined }), status: 401 },
    { what: 'a short nonce', headers: () => ({ 'espalier-nonce': newNonce().slice(1) }), status: 401 },
    {
      what: 'the token itself, as clients of before sent it',
      headers: () => ({ 'espalier-nonce': undefined, authorization: `Bearer ${server.lock.token}` }),
      status: 401,
    },
    { what: 'another subprotocol', headers: () => ({ 'sec-websocket-protocol': 'espalier.v1' }), status: 403 },
    { what: 'no subprotocol', headers: () => ({ 'sec-websocket-protocol': undefined }), status: 403 },
    { what: 'another path', headers: () => ({}), path: '/other', status: 404 },
    { what: 'no upgrade at all', headers: () => ({ upgrade: undefined, connection: 'close' }), status: 404 },
  ];

  it.each(rows)('$what is answered with $status', async ({ headers, path, status }) => {
    expect(await upgrade(headers(), path)).toBe(status);
  });

  it('a guest without a nonce learns nothing but the status', async () => {
    const said = await new Promise<string>((resolve) => {
      const socket = connectTcp(server.lock.port, '127.0.0.1');
      let all = '';
      socket.on('data', (part) => (all += part));
      socket.on('close', () => resolve(all));
      const lines = ['GET / HTTP/1.1', `Host: 127.0.0.1:${server.lock.port}`, 'Connection: Upgrade'];
      socket.write([...lines, 'Upgrade: websocket', 'Sec-WebSocket-Protocol: espalier.v2', '', ''].join('\r\n'));
    });
    expect(said).toBe('HTTP/1.1 401 Unauthorized\r\nconnection: close\r\ncontent-length: 0\r\n\r\n');
  });

  it('other interfaces are not listened on', async () => {
    const others = Object.values(networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter(({ internal, family }) => !internal && family === 'IPv4');
    for (const address of ['127.0.0.2', ...others.map(({ address }) => address)]) {
      const refused = await new Promise<boolean>((resolve) => {
        const socket = connectTcp(server.lock.port, address);
        socket.on('connect', () => resolve(false));
        socket.on('error', () => resolve(true));
      });
      expect(refused, address).toBe(true);
    }
  });

  it('takes so many clients and no more', async () => {
    const own = await startServer(join(root, 'full'));
    const client = await connect(own.lock);
    const sockets: WebSocket[] = [];
    for (let i = 0; i < 31; i++) sockets.push(await openSocket(own.lock));
    await countsClients(client, 32);
    await expect(openSocket(own.lock)).rejects.toThrow('503');
    sockets[0]!.close();
    await countsClients(client, 31);
    sockets.push(await openSocket(own.lock));
    for (const socket of [...sockets, client.socket]) socket.terminate();
    await stopServer(own);
  });
});

describe('after the upgrade', () => {
  let bystander: Client;
  beforeEach(async () => {
    bystander = await connect(server.lock);
  });
  afterEach(async () => {
    expect(await bystander.request('runs/list', {})).toBeInstanceOf(Array);
    expect(isRunning(server.pid)).toBe(true);
    await bystander.close();
  });
  const closing = (socket: WebSocket) => new Promise<number>((resolve) => socket.once('close', resolve));

  it.each([
    { what: 'an oversized frame', code: 1009, send: (s: WebSocket) => s.send('x'.repeat(4 * 2 ** 20 + 1)) },
    { what: 'a binary frame', code: 1003, send: (s: WebSocket) => s.send(Buffer.from('{}')) },
    {
      what: 'a flood',
      code: 1008,
      send(s: WebSocket) {
        for (let i = 0; i < 2000; i++) s.send('{"jsonrpc":"2.0","id":1,"method":"x"}');
      },
    },
  ])('$what ends the connection with $code', async ({ code, send }) => {
    const socket = await openSocket(server.lock);
    socket.on('error', () => {});
    const closed = closing(socket);
    send(socket);
    expect(await closed).toBe(code);
  });

  const request = '"jsonrpc":"2.0","id":7';
  it.each([
    { frame: '', id: null, code: -32700 },
    { frame: '{', id: null, code: -32700 },
    { frame: '[[[[[[[[[', id: null, code: -32700 },
    { frame: 'null', id: null, code: -32600 },
    { frame: '5', id: null, code: -32600 },
    { frame: '"\u0000"', id: null, code: -32700 },
    { frame: '[]', id: null, code: -32600 },
    { frame: `[{${request},"method":"server/status"}]`, id: null, code: -32600 },
    { frame: '{}', id: null, code: -32600 },
    { frame: '{"id":{}}', id: null, code: -32600 },
    { frame: '{"jsonrpc":"2.0","id":null,"method":"server/status"}', id: null, code: -32600 },
    { frame: '{"jsonrpc":"2.0","method":5}', id: null, code: -32600 },
    { frame: '{"jsonrpc":"2.0","method":"$/cancelRequest"}', id: null, code: -32600 },
    { frame: '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":null}}', id: null, code: -32600 },
    { frame: '{"jsonrpc":"2.0","method":"$/cancelRequest","params":[]}', id: null, code: -32600 },
    { frame: `{${request}}`, id: 7, code: -32600 },
    { frame: `{${request},"method":5}`, id: 7, code: -32600 },
    { frame: '{"jsonrpc":"1.0","id":"a","method":"server/status"}', id: 'a', code: -32600 },
    { frame: `{${request},"method":"server/status","params":"x"}`, id: 7, code: -32602 },
    { frame: `{${request},"method":"server/status","params":[1]}`, id: 7, code: -32602 },
  ])('the text $frame is answered once with $code, and the client stays', async ({ frame, id, code }) => {
    const client = await connect(server.lock);
    const heard: { id: unknown; error?: { code: number } }[] = [];
    client.socket.on('message', (data) => heard.push(JSON.parse(String(data))));
    client.socket.send(frame);
    expect(await client.request('server/status', {})).toMatchObject({ pid: server.pid });
    const answers = heard.filter((message) => message.error);
    expect(answers).toMatchObject([{ id, error: { code } }]);
    await client.close();
  });

  it.each([
    '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":4711}}',
    '{"jsonrpc":"2.0","method":"$/progress"}',
    '{"jsonrpc":"2.0","method":"$/setTrace","params":null}',
    '{"jsonrpc":"2.0","method":"exits"}',
    '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}',
    '{"jsonrpc":"2.0","id":9,"result":0}',
  ])('the text %s is heard in silence', async (frame) => {
    const client = await connect(server.lock);
    const heard: unknown[] = [];
    client.socket.on('message', (data) => heard.push(data));
    client.socket.send(frame);
    expect(await client.request('server/status', {})).toMatchObject({ pid: server.pid });
    expect(heard).toHaveLength(1);
    await client.close();
  });

  it('compression is not offered', async () => {
    const socket = await openSocket(server.lock, { perMessageDeflate: true });
    expect(socket.extensions).toBe('');
    socket.terminate();
  });
});

describe('paths', () => {
  const inside = join(root, 'workspace');
  const outside = join(root, 'elsewhere');
  let client: Client;
  beforeAll(async () => {
    mkdirSync(inside);
    mkdirSync(outside);
    cpSync(stories, join(inside, 'model'), { recursive: true });
    cpSync(stories, join(outside, 'model'), { recursive: true });
    writeFileSync(join(inside, 'text.txt'), 'Once upon a time. '.repeat(500));
    writeFileSync(join(outside, 'text.txt'), 'secret');
    symlinkSync(outside, join(inside, 'link'));
    symlinkSync(join(outside, 'text.txt'), join(inside, 'link.txt'));
    symlinkSync(join(outside, 'not yet'), join(inside, 'dangling'));
    symlinkSync(join(inside, 'model'), join(inside, 'good link'));
    cpSync(stories, join(inside, 'patched'), { recursive: true });
    rmSync(join(inside, 'patched/tokenizer.json'));
    symlinkSync(join(outside, 'model/tokenizer.json'), join(inside, 'patched/tokenizer.json'));
    client = await connect(server.lock, [inside]);
  });
  afterAll(() => client.close());

  const analyze = (model: string, file = join(inside, 'text.txt')): Recipe => {
    const { source, ...rest } = analyzeRecipe({ model });
    return { ...rest, source: { ...source, kind: 'text', files: [file] } as typeof source };
  };
  const prune = (out: string, mergekit: string | null = null): Recipe => ({
    kind: 'prune',
    model: join(inside, 'model'),
    rule: { kind: 'chosen', blocks: [1], attention: [], mlp: [] },
    source: null,
    repair: null,
    out,
    dtype: null,
    maxShardBytes: null,
    mergekit,
    compute: analyzeRecipe().compute,
  });
  const at = (...parts: string[]) => join(inside, ...parts);
  const heal = (change: object = {}): Recipe =>
    recipeSchema.parse({
      kind: 'heal',
      model: at('model'),
      data: { files: [at('text.txt')] },
      out: at('healed'),
      ...change,
    });
  const heldOut = { kind: 'text', files: ['/etc/passwd'], sequences: 1 };
  const merge = (change: object): Recipe =>
    recipeSchema.parse({ kind: 'merge', model: at('model'), adapter: at('model'), out: at('merged'), ...change });

  it.each<{ what: string; recipe: () => Recipe }>([
    { what: 'a model outside', recipe: () => analyze(join(outside, 'model')) },
    { what: 'a model by dots', recipe: () => analyze(`${inside}/../elsewhere/model`) },
    { what: 'a model behind a link', recipe: () => analyze(at('link/model')) },
    { what: 'a model whose tokenizer is a link outside', recipe: () => analyze(at('patched')) },
    { what: 'a relative model', recipe: () => analyze('model') },
    { what: 'a neighbour that begins alike', recipe: () => analyze(`${inside}2/model`) },
    { what: 'the root of the disk', recipe: () => analyze('/') },
    { what: 'a text outside', recipe: () => analyze(at('model'), '/etc/passwd') },
    { what: 'a text behind a link', recipe: () => analyze(at('model'), at('link.txt')) },
    {
      what: 'ids outside',
      recipe: () => ({ ...analyzeRecipe({ model: at('model') }), source: { kind: 'ids', file: '/etc/passwd' } }),
    },
    { what: 'an output outside', recipe: () => prune(join(outside, 'out')) },
    { what: 'an output behind a link', recipe: () => prune(at('link/out')) },
    { what: 'an output that a link names', recipe: () => prune(at('dangling')) },
    { what: 'an output below what a link names', recipe: () => prune(at('dangling/deep')) },
    { what: 'an output by dots over what is not there', recipe: () => prune(`${inside}/new/../../elsewhere/out`) },
    { what: 'a mergekit file outside', recipe: () => prune(at('out'), join(outside, 'merge.yaml')) },
    {
      what: 'a generation outside',
      recipe: () => ({
        kind: 'generate',
        model: join(outside, 'model'),
        prompt: '',
        maxTokens: 1,
        drop: { blocks: [], attention: [], mlp: [] },
        bos: 'none',
        cache: true,
        compute: analyzeRecipe().compute,
      }),
    },
    {
      what: 'one of two models outside',
      recipe: () => ({
        kind: 'perplexity',
        models: [at('model'), join(outside, 'model')],
        drop: { blocks: [], attention: [], mlp: [] },
        source: { kind: 'ids', file: at('text.txt') },
        compute: analyzeRecipe().compute,
      }),
    },
    { what: 'a healing of a model outside', recipe: () => heal({ model: join(outside, 'model') }) },
    { what: 'a healing on a text outside', recipe: () => heal({ data: { files: [at('text.txt'), '/etc/passwd'] } }) },
    { what: 'a healing evaluated on a text outside', recipe: () => heal({ loop: { heldOut } }) },
    { what: 'a healing beside an original outside', recipe: () => heal({ dense: join(outside, 'model') }) },
    { what: 'a healing beside an original with links', recipe: () => heal({ dense: at('patched') }) },
    { what: 'a healing from an adapter outside', recipe: () => heal({ adapter: { init: join(outside, 'model') } }) },
    { what: 'a healing into a folder outside', recipe: () => heal({ out: at('link/out') }) },
    { what: 'a merge of a model outside', recipe: () => merge({ model: join(outside, 'model') }) },
    { what: 'a merge of an adapter outside', recipe: () => merge({ adapter: at('link/model') }) },
    { what: 'a merge into a folder outside', recipe: () => merge({ out: join(outside, 'out') }) },
    { what: 'an inspection outside', recipe: () => ({ kind: 'inspect', model: join(outside, 'model') }) },
  ])('$what is refused before a run is made', async ({ recipe }) => {
    for (const send of [
      () => client.request('runs/start', { runId: randomUUID(), recipe: recipe() }),
      () => client.request('plan/make', { recipe: recipe() }),
    ])
      expect(await errorOf(send())).toMatchObject({ code: -32803, reason: 'outsideRoots' });
    expect(await client.request('runs/list', {})).toEqual([]);
  });

  it.each([['model'], ['good link']])('%s inside is taken, resolved', async (name) => {
    const runId = randomUUID();
    const started = await client.request('runs/start', { runId, recipe: { kind: 'inspect', model: at(name) } });
    expect(started.model).toBe(at('model'));
    expect((await client.request('runs/get', { runId })).recipe).toEqual({ kind: 'inspect', model: at('model') });
    await reaches(client, runId, ['done', 'failed']);
    await client.request('runs/delete', { runId });
  });

  it('other requests keep to the roots, too', async () => {
    for (const folder of [join(outside, 'model'), at('link/model'), at('patched')])
      expect(await errorOf(client.request('models/inspect', { folder }))).toMatchObject({ reason: 'outsideRoots' });
    expect(await errorOf(client.request('models/find', { folders: [outside] }))).toMatchObject({
      reason: 'outsideRoots',
    });
    const found = await client.request('models/find', { folders: [] });
    expect(found.models.map(({ summary }) => summary.folder)).toEqual([at('model')]);
    expect(found.broken.map(({ folder }) => folder)).toEqual([at('patched')]);
  });

  it('a connection without roots may name nothing', async () => {
    const bare = await connect(server.lock, []);
    expect(await errorOf(bare.request('models/inspect', { folder: stories }))).toMatchObject({
      reason: 'outsideRoots',
    });
    await bare.close();
  });

  it.each([
    { params: { runId: '..' }, code: -32602 },
    { params: { drop: { blocks: ['1'], attention: [], mlp: [] } }, code: -32602 },
    { params: { drop: { blocks: [1], attention: [], mlp: [], more: 1 } }, code: -32602 },
    { params: { drop: null }, code: -32602 },
    { params: { file: '/etc/passwd' }, code: -32602 },
    { params: {}, code: -32803 },
  ])('a question about a speed with $params is answered with $code', async ({ params, code }) => {
    const usual = { runId: randomUUID(), drop: { blocks: [1], attention: [], mlp: [] } };
    const asked = client.connection.sendRequest('runs/time', { ...usual, ...params });
    expect(await errorOf(asked)).toMatchObject({ code, reason: code === -32602 ? 'usage' : 'notFound' });
  });

  it('a run id is no path', async () => {
    for (const runId of ['../../etc', '..', '', 'a/b', '\0'])
      expect(await errorOf(client.request('runs/get', { runId }))).toMatchObject({ code: -32602 });
  });

  it('texts that are no part of the roots are no part of errors', async () => {
    const error = await errorOf(
      client.request('runs/start', { runId: randomUUID(), recipe: analyze(at('link.txt'), text) }),
    );
    expect(error.message).not.toContain(outside);
  });
});
