// Who is kept out of the server, and what those who are in cannot do to it. All over a real socket, and after each of them
// a client that keeps the rules is served.
import { request } from 'node:http';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ServerLock } from '../../server/protocol';
import { until } from '../cli/espalier';
import { connect, initializeParams, type Knock, openSocket, startServer, temporaryFolder } from './client';

let lock: ServerLock;
beforeAll(async () => {
  ({ lock } = await startServer(temporaryFolder(afterAll), 60, afterAll));
});

afterEach(async () => {
  const client = await connect(lock);
  expect((await client.ask('server/status', {})).pid).toBe(lock.pid);
  await client.close();
});

describe('the handshake', () => {
  const knocks: [string, (lock: ServerLock) => Knock, 403 | 401 | 404][] = [
    ['an Origin', () => ({ headers: { origin: 'https://example.com' } }), 403],
    ['the Origin null', () => ({ headers: { origin: 'null' } }), 403],
    ['an Origin that is the server itself', ({ port }) => ({ headers: { origin: `http://127.0.0.1:${port}` } }), 403],
    ['the Origin of a webview', () => ({ headers: { origin: 'vscode-webview://0a1b2c' } }), 403],
    ['another Host', () => ({ headers: { host: 'example.com' } }), 403],
    ['another Host with the right port', ({ port }) => ({ headers: { host: `example.com:${port}` } }), 403],
    [
      'a Host that begins like this machine',
      ({ port }) => ({ headers: { host: `127.0.0.1.example.com:${port}` } }),
      403,
    ],
    ['a Host without a port', () => ({ headers: { host: '127.0.0.1' } }), 403],
    ['no token', () => ({ headers: { authorization: '' } }), 401],
    ['a short token', ({ token }) => ({ headers: { authorization: `Bearer ${token.slice(0, -1)}` } }), 401],
    ['a long token', ({ token }) => ({ headers: { authorization: `Bearer ${token}x` } }), 401],
    ['a wrong token', ({ token }) => ({ headers: { authorization: `Bearer ${'A'.repeat(token.length)}` } }), 401],
    ['the token by another scheme', ({ token }) => ({ headers: { authorization: `Basic ${token}` } }), 401],
    ['the token in the path', ({ token }) => ({ headers: { authorization: '' }, path: `/?token=${token}` }), 404],
    ['no subprotocol', () => ({ protocol: null }), 403],
    ['another subprotocol', () => ({ protocol: 'espalier.v0' }), 403],
    ['a subprotocol among others', () => ({ protocol: ['espalier.v1', 'other'] }), 403],
  ];

  it.each(knocks)('is refused with %s', async (_, knock, status) => {
    await expect(openSocket(lock, knock(lock))).rejects.toThrow(`refused with ${status}`);
  });

  it('is taken from localhost by name', async () => {
    const socket = await openSocket(lock, { headers: { host: `localhost:${lock.port}` } });
    expect(socket.readyState).toBe(socket.OPEN);
  });

  it('with wrong tokens is refused unheard when they come too often, while the right one passes', async () => {
    const statuses = await Promise.all(
      Array.from({ length: 40 }, () =>
        openSocket(lock, { headers: { authorization: 'Bearer guess' } }).catch((error: Error) => error.message),
      ),
    );
    expect(statuses).toContain('refused with 401');
    expect(statuses.filter((status) => status === 'refused with 429').length).toBeGreaterThan(20);
  });

  it('is the only thing served over HTTP', async () => {
    const status = await new Promise((resolve, reject) =>
      request({ host: '127.0.0.1', port: lock.port, headers: { authorization: `Bearer ${lock.token}` } })
        .on('response', (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end(),
    );
    expect(status).toBe(404);
  });

  it('is refused to more clients than there are places', async () => {
    const knocks = await Promise.allSettled(Array.from({ length: 40 }, () => openSocket(lock)));
    const taken = knocks.filter((knock) => knock.status === 'fulfilled');
    expect(taken).toHaveLength(32);
    for (const { reason } of knocks.filter((knock) => knock.status === 'rejected'))
      expect(String(reason)).toContain('refused with 503');
    await Promise.all(taken.map(({ value }) => new Promise((resolve) => value.on('close', resolve).close())));
  });
});

describe('a client', () => {
  it('is sent away for a frame of 5 MiB', async () => {
    const client = await connect(lock);
    client.socket.send('x'.repeat(5 << 20));
    expect((await client.closed).code).toBe(1009);
  });

  it('is sent away for a flood of messages', async () => {
    const client = await connect(lock);
    for (let i = 0; i < 5_000; i++) client.socket.send('{"jsonrpc":"2.0","method":"noise"}', () => {});
    expect(await client.closed).toEqual({ code: 1008, reason: 'Too many messages.' });
  });

  it.each([
    ['no JSON', 'GET / HTTP/1.1', null, -32700],
    ['binary data', Buffer.from([1, 2, 3]), null, -32700],
    ['null', 'null', null, -32600],
    ['a number', '5', null, -32600],
    ['a batch', '[{"jsonrpc":"2.0","id":1,"method":"server/status"}]', null, -32600],
    ['another version', '{"jsonrpc":"1.0","id":7,"method":"server/status"}', 7, -32600],
    ['a method that is a number', '{"jsonrpc":"2.0","id":"a","method":5}', 'a', -32600],
    ['params that are a string', '{"jsonrpc":"2.0","id":8,"method":"server/status","params":"x"}', 8, -32600],
    ['a cancel of nothing', '{"jsonrpc":"2.0","method":"$/cancelRequest"}', null, -32600],
    ['a cancel of null', '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":null}}', null, -32600],
  ])('that sends %s is told so and may stay', async (_, frame, id, code) => {
    const client = await connect(lock);
    const answer = new Promise((resolve) => client.socket.once('message', (data) => resolve(JSON.parse(String(data)))));
    client.socket.send(frame);
    expect(await answer).toMatchObject({ jsonrpc: '2.0', id, error: { code } });
    expect((await client.ask('server/status', {})).pid).toBe(lock.pid);
  });
});

describe('whatever is asked', () => {
  const method = fc.oneof(
    fc.constantFrom(
      'server/status',
      'runs/list',
      'runs/get',
      'runs/subscribe',
      'runs/start',
      'plan/make',
      'models/find',
    ),
    fc.string(),
  );
  const id = fc.oneof(fc.integer(), fc.string());

  it('gets exactly one answer', async () => {
    const socket = await openSocket(lock);
    const answers: { id: unknown }[] = [];
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if ('result' in message || 'error' in message) answers.push(message);
    });
    const ask = async (asked: number | string, name: string, params: unknown) => {
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: asked, method: name, params }));
      const isIt = (answer: { id: unknown }) => answer.id === asked || answer.id === null;
      await until(`${name} is answered`, () => answers.some(isIt) || socket.readyState !== socket.OPEN, 5_000);
      return answers.filter(isIt).length;
    };
    await ask('first', 'initialize', initializeParams(lock));
    await fc.assert(
      fc.asyncProperty(method, id, fc.jsonValue(), async (name, asked, params) => {
        answers.length = 0;
        expect(await ask(asked, name, params)).toBe(1);
        // A second answer would have come before that of a later question.
        await ask(`after ${asked}`, 'server/status', {});
        expect(answers).toHaveLength(2);
      }),
      { numRuns: 300 },
    );
    expect(socket.readyState).toBe(socket.OPEN);
  });
});
