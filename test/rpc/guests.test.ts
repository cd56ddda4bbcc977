// Who has connected and not shown that it knows the token: what it may do, how long it may stay, and that it keeps nobody
// out. Every attack on the built server over real sockets.
import { rmSync } from 'node:fs';
import { connect as connectTcp, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { newNonce, nonceHeader, proofHeader, proofOf, replyTo } from '../../server/protocol/proof';
import type { ServerLock } from '../../server/protocol/server';
import { start, until } from '../cli/espalier';
import { connect, newFolder, openSocket, readLockFile, type StartedServer, startServer, stopServer } from './client';

const root = newFolder();
let server: StartedServer;
beforeAll(async () => {
  server = await startServer(join(root, 'data'));
});
afterAll(async () => {
  await stopServer(server);
  rmSync(root, { recursive: true, force: true });
});

const sockets: { destroy(): void }[] = [];
afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
});

/** Never ends its own side, whatever the server does. */
async function guest(lock: ServerLock, says = ''): Promise<Socket & { gone: Promise<void> }> {
  const socket = connectTcp({ port: lock.port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket);
  socket.on('error', () => {});
  socket.resume();
  const gone = new Promise<void>((resolve) => {
    socket.once('end', resolve);
    socket.once('close', () => resolve());
  });
  await new Promise<void>((resolve) => socket.once('connect', () => resolve()));
  socket.write(says);
  return Object.assign(socket, { gone });
}
const upgradeOf = ({ port }: ServerLock, headers: Record<string, string>): string =>
  [
    'GET / HTTP/1.1',
    ...Object.entries({
      host: `127.0.0.1:${port}`,
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-version': '13',
      'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
      'sec-websocket-protocol': 'espalier.v2',
      ...headers,
    }).map(([name, value]) => `${name}: ${value}`),
    '\r\n',
  ].join('\r\n');

describe('the proof', () => {
  it('is HMAC-SHA256 over protocol, role and both nonces, as Python computes it', () => {
    // import base64, hashlib, hmac
    // m = b'\0'.join([b'espalier.v2', b'server', b'C' * 43, b'S' * 43])
    // base64.urlsafe_b64encode(hmac.new(b'T' * 43, m, hashlib.sha256).digest()).rstrip(b'=')
    const nonces = { client: 'C'.repeat(43), server: 'S'.repeat(43) };
    expect(proofOf('server', 'T'.repeat(43), nonces)).toBe('p7A5BsVtv7DmCvuJNVm2OZdwXKeMWnwbzvvxw-UN-b8');
    expect(proofOf('client', 'T'.repeat(43), nonces)).toBe('CVvokz9rLxF-kSPU4Wcfo-rXO8CPfw-g0Wft5Hb22lY');
  });

  interface Heard {
    readonly token: string;
    readonly nonces: { client: string; server: string };
    readonly serverProof: string;
  }
  it.each<{ what: string; sends: (heard: Heard) => string | Buffer }>([
    { what: 'the token', sends: ({ token }) => token },
    { what: "the server's own proof", sends: ({ serverProof }) => serverProof },
    { what: 'a proof by another token', sends: ({ nonces }) => proofOf('client', 'x'.repeat(43), nonces) },
    {
      what: 'a proof for an earlier nonce of the server',
      sends: ({ token, nonces }) => proofOf('client', token, { ...nonces, server: newNonce() }),
    },
    {
      what: 'a proof for another nonce of its own',
      sends: ({ token, nonces }) => proofOf('client', token, { ...nonces, client: newNonce() }),
    },
    { what: 'a proof with more behind it', sends: ({ token, nonces }) => `${proofOf('client', token, nonces)} ` },
    { what: 'a binary proof', sends: ({ token, nonces }) => Buffer.from(proofOf('client', token, nonces)) },
    { what: 'initialize', sends: () => '{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}' },
    { what: 'nothing', sends: () => '' },
    { what: 'more than a proof is long', sends: () => 'x'.repeat(2 ** 20) },
  ])('is not $what: the socket is destroyed without a word', async ({ sends }) => {
    const client = newNonce();
    const socket = new WebSocket(`ws://127.0.0.1:${server.lock.port}`, 'espalier.v2', {
      headers: { [nonceHeader]: client },
    });
    const said: unknown[] = [];
    socket.on('message', (message) => said.push(message));
    socket.on('error', () => {});
    const code = new Promise<number>((resolve) => socket.once('close', resolve));
    socket.once('upgrade', ({ headers }) => {
      const { token } = server.lock;
      expect(replyTo(headers, client, token)).not.toBeNull();
      const nonces = { client, server: String(headers[nonceHeader]) };
      const serverProof = String(headers[proofHeader]);
      socket.once('open', () => socket.send(sends({ token, nonces, serverProof })));
    });
    expect(await code).toBe(1006);
    expect(said).toEqual([]);
  });
});

it('a client may send much in one piece with its proof', async () => {
  const client = newNonce();
  const socket = new WebSocket(`ws://127.0.0.1:${server.lock.port}`, 'espalier.v2', {
    headers: { [nonceHeader]: client },
  });
  socket.once('upgrade', ({ headers, socket: stream }) => {
    socket.once('open', () => {
      stream.cork();
      socket.send(replyTo(headers, client, server.lock.token)!);
      const { protocol, wire, build } = server.lock;
      const initializationOptions = { protocol, wire, build, roots: Array(40).fill(`/${'x'.repeat(1000)}`) };
      const params = { initializationOptions };
      socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params }));
      stream.uncork();
    });
  });
  const answer = await new Promise<string>((resolve, reject) => {
    socket.once('message', (message) => resolve(String(message)));
    socket.once('close', (code) => reject(new Error(`closed with ${code}`)));
  });
  expect(JSON.parse(answer)).toMatchObject({ id: 1, result: { espalier: { pid: server.pid } } });
  socket.terminate();
});

describe('guests', () => {
  const kinds: { what: string; says: (lock: ServerLock) => string }[] = [
    { what: 'that say nothing', says: () => '' },
    { what: 'that are refused and hold on', says: (lock) => upgradeOf(lock, {}) },
    { what: 'that ask half a question', says: () => 'GET / HTTP/1.1\r\nhost: x\r\n' },
    { what: 'that ask for a page and hold on', says: () => 'GET /x HTTP/1.1\r\nhost: x\r\n\r\n' },
    { what: 'that upgrade and prove nothing', says: (lock) => upgradeOf(lock, { [nonceHeader]: newNonce() }) },
    { what: 'that upgrade without a key', says: (lock) => upgradeOf(lock, { 'sec-websocket-key': 'x' }) },
  ];

  it.each(kinds)('$what keep nobody out, and are gone within 4 s', async ({ says }) => {
    const { lock } = server;
    const all = await Promise.all(Array.from({ length: 100 }, () => guest(lock, says(lock))));
    const began = performance.now();
    const clients = await Promise.all([connect(lock), connect(lock)]);
    for (const client of clients) expect(await client.request('runs/list', {})).toEqual([]);
    expect(performance.now() - began).toBeLessThan(1500);
    await Promise.all(all.map(({ gone }) => gone));
    expect(performance.now() - began).toBeLessThan(4000);
    for (const client of clients) {
      expect(await client.request('runs/list', {})).toEqual([]);
      await client.close();
    }
  });

  it('that ask again and again do not fill the log', async () => {
    const before = server.log().length;
    for (let i = 0; i < 200; i++) await (await guest(server.lock, upgradeOf(server.lock, {}))).gone;
    expect(server.log().length - before).toBeLessThan(2000);
  });
});

describe('espalier serve', () => {
  it('ends with Ctrl-C within 2 s, whatever is open', async () => {
    const data = join(root, 'served');
    const serving = start(['serve', '--data', data]);
    await until('it listens', () => serving.stderr().includes('listening'));
    const lock = readLockFile(data);
    await Promise.all(Array.from({ length: 64 }, () => guest(lock, upgradeOf(lock, {}))));
    await Promise.all(Array.from({ length: 64 }, () => guest(lock, upgradeOf(lock, { [nonceHeader]: newNonce() }))));
    const client = await connect(lock);
    // Its end is not answered: nobody reads of this socket any more.
    const deaf = await openSocket(lock);
    deaf.pause();
    expect(await client.request('server/status', {})).toMatchObject({ nClients: 2 });
    const began = performance.now();
    serving.process.kill('SIGINT');
    expect(await serving.ended).toMatchObject({ code: 0 });
    expect(performance.now() - began).toBeLessThan(2000);
    deaf.terminate();
  });
});
