// Another program where a client looks for its server, as after a power loss that left the lock file: it is told nothing, and
// what it says is not heard. A real socket of the extension against real listeners.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import type { Message } from 'vscode-jsonrpc/node';
import { type WebSocket, WebSocketServer } from 'ws';
import { endServer, reachServer } from '../../extension/serverProcess';
import { openSocket } from '../../extension/socket';
import { answerTo, isProof, newNonce, nonceHeader, proofHeader, proofOf } from '../../server/protocol/proof';
import type { ServerLock } from '../../server/protocol/server';
import { earlierLockPath, lockFolder, lockPath, serverIdentityOf } from '../../server/protocol/serverLock';
import { isRunning, until } from '../cli/espalier';
import { repoRoot } from '../fixtures';
import { newFolder, readLockFile, spawnServer } from './client';

const root = newFolder();
afterAll(() => rmSync(root, { recursive: true, force: true }));

const token = newNonce();
const open: { close(): void }[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each.close();
});

interface Impostor {
  readonly port: number;
  /** All that was said to it. */
  heard(): string;
}

/** Does to each socket what it likes, with the headers of what was asked. */
async function impostor(acts: (socket: Socket, headers: Record<string, string>) => void): Promise<Impostor> {
  let heard = '';
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    let asked = '';
    socket.on('data', (piece) => {
      heard += piece;
      if (asked.includes('\r\n\r\n')) return;
      asked += piece;
      if (!asked.includes('\r\n\r\n')) return;
      const lines = asked.split('\r\n').slice(1);
      acts(socket, Object.fromEntries(lines.filter(Boolean).map((line) => line.split(/: /, 2) as [string, string])));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  open.push({
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
  return { port: (server.address() as AddressInfo).port, heard: () => heard };
}

const lockOf = (change: Partial<ServerLock>): ServerLock => ({
  ...serverIdentityOf(process.pid),
  port: 1,
  token,
  protocol: 'espalier.v2',
  build: 'b',
  ...change,
});

/** A frame of text, as a server sends it. */
const frame = (message: object): Buffer => {
  const text = Buffer.from(JSON.stringify(message));
  return Buffer.concat([Buffer.from([0x81, 126, text.length >> 8, text.length & 255]), text]);
};
const applyEdit = frame({ jsonrpc: '2.0', id: 1, method: 'workspace/applyEdit', params: { edit: { changes: {} } } });

/** An answer to an upgrade that ws takes, with these headers, and something said right behind it. */
function upgraded(socket: Socket, asked: Record<string, string>, more: Record<string, string>): void {
  const key = `${asked['Sec-WebSocket-Key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const headers = {
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-accept': createHash('sha1').update(key).digest('base64'),
    'sec-websocket-protocol': 'espalier.v2',
    ...more,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/1.1 101 Switching Protocols\r\n${lines.join('')}\r\n`);
  socket.write(applyEdit);
}

describe('another program on the port of the lock file', () => {
  const other = newNonce();
  const answers: { what: string; headers: (nonce: string) => Record<string, string> }[] = [
    { what: 'no proof', headers: () => ({}) },
    { what: 'a nonce alone', headers: () => ({ [nonceHeader]: other }) },
    { what: 'a proof that is the nonce', headers: (nonce) => ({ [nonceHeader]: other, [proofHeader]: nonce }) },
    { what: "the client's nonce as its own, and no proof", headers: (nonce) => ({ [nonceHeader]: nonce }) },
    {
      what: 'a proof by another token',
      headers: (client) => answerTo(client, newNonce()).headers,
    },
    { what: 'an answer of the server to an earlier client', headers: () => answerTo(newNonce(), token).headers },
    {
      what: "the proof of a client's role",
      headers: (client) => ({
        [nonceHeader]: other,
        [proofHeader]: proofOf('client', token, { client, server: other }),
      }),
    },
    {
      what: 'a proof over a nonce that is none',
      headers: (client) => ({ [nonceHeader]: '', [proofHeader]: proofOf('server', token, { client, server: '' }) }),
    },
  ];
  it.each(answers)('that answers with $what is told nothing', async ({ headers }) => {
    const its = await impostor((socket, asked) => upgraded(socket, asked, headers(asked[nonceHeader]!)));
    await expect(openSocket(lockOf({ port: its.port }))).rejects.toMatchObject({
      code: 'device',
      message: `Another program than the compute server answers on port ${its.port}, and is told nothing; restart the server.`,
    });
    await sleep(20);
    expect(its.heard().split('\r\n\r\n')[1]).toBe('');
    expect(its.heard()).not.toContain(token);
  });

  it.each<{ what: string; acts: (socket: Socket) => void; error: RegExp }>([
    { what: 'closes', acts: (socket) => socket.destroy(), error: /socket hang up|ECONNRESET/ },
    { what: 'is a web server', acts: (socket) => socket.end('HTTP/1.1 200 OK\r\n\r\n<html>'), error: /200/ },
    { what: 'speaks otherwise', acts: (socket) => socket.end('SSH-2.0-OpenSSH_9.2\r\n'), error: /Parse Error/ },
    { what: 'says nothing', acts: () => {}, error: /handshake has timed out/ },
  ])('that $what is told nothing, and not waited for without end', async ({ acts, error }) => {
    const its = await impostor(acts);
    const began = performance.now();
    await expect(openSocket(lockOf({ port: its.port }))).rejects.toThrow(error);
    expect(performance.now() - began).toBeLessThan(6000);
    expect(its.heard().split('\r\n\r\n')[1]).toBe('');
    expect(its.heard()).not.toContain(token);
  });
});

describe('of a server that has the token', () => {
  async function server(): Promise<{ port: number; client: Promise<WebSocket> }> {
    const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'espalier.v2' });
    open.push(sockets);
    let expects = '';
    sockets.on('headers', (lines, request) => {
      const answer = answerTo(String(request.headers[nonceHeader]), token);
      expects = answer.expects;
      for (const [name, value] of Object.entries(answer.headers)) lines.push(`${name}: ${value}`);
    });
    const client = new Promise<WebSocket>((resolve, reject) => {
      sockets.on('connection', (socket) =>
        socket.once('message', (said) =>
          isProof(String(said), expects) ? resolve(socket) : reject(new Error(`${said} is no proof`)),
        ),
      );
    });
    await new Promise((resolve) => sockets.once('listening', resolve));
    return { port: (sockets.address() as AddressInfo).port, client };
  }

  it('answers and three notifications are heard; every request is refused, and nothing else is carried out', async () => {
    const its = await server();
    const transports = await openSocket(lockOf({ port: its.port }));
    const heard: Message[] = [];
    transports.reader.listen((message) => heard.push(message));
    transports.reader.onError(() => {});
    const far = await its.client;
    const answers: unknown[] = [];
    far.on('message', (said) => answers.push(JSON.parse(String(said))));

    const requests = [
      'workspace/applyEdit',
      'window/showDocument',
      'window/showMessageRequest',
      'client/registerCapability',
      'client/unregisterCapability',
      'workspace/configuration',
      'workspace/workspaceFolders',
      'window/workDoneProgress/create',
      'workspace/codeLens/refresh',
      'runs/changed',
    ];
    const notes = ['window/showMessage', 'window/logMessage', 'telemetry/event', 'textDocument/publishDiagnostics'];
    const odd = [{}, { method: 5 }, { method: 'exit' }, { method: '$/progress' }, { id: null, method: 'runs/changed' }];
    requests.forEach((method, id) => far.send(JSON.stringify({ jsonrpc: '2.0', id, method, params: {} })));
    for (const method of notes) far.send(JSON.stringify({ jsonrpc: '2.0', method, params: {} }));
    for (const fields of odd.slice(1)) far.send(JSON.stringify({ jsonrpc: '2.0', ...fields }));
    for (const text of ['null', '5', '[', '']) far.send(text);
    const known = ['runs/events', 'runs/changed', 'runs/estimate'];
    for (const method of known) far.send(JSON.stringify({ jsonrpc: '2.0', method, params: {} }));
    far.send(JSON.stringify({ jsonrpc: '2.0', id: 77, result: null }));

    await until('the last was heard', () => heard.some((message) => 'id' in message && message.id === 77));
    expect(heard.map((message) => ('method' in message ? message.method : 'answer'))).toEqual([...known, 'answer']);
    await until('every request is answered', () => answers.length >= requests.length);
    expect(answers).toMatchObject(requests.map((_, id) => ({ id, error: { code: -32601 } })));
    transports.writer.end();
  });
});

describe('a server is looked for', () => {
  const deadPid = spawnSync('true').pid;
  let nFolders = 0;
  const folderWith = (lock: object, pathIn = lockPath): string => {
    const data = join(root, String(nFolders++));
    mkdirSync(lockFolder(data), { recursive: true });
    writeFileSync(pathIn(data), JSON.stringify(lock));
    return data;
  };
  const reach = (dataFolder: string) =>
    reachServer(
      { extensionFolder: repoRoot, dataFolder, idleSeconds: 2, nodePath: process.execPath },
      AbortSignal.timeout(20_000),
    );

  it.each<{ what: string; lock: (port: number) => object; asked: RegExp }>([
    { what: 'a dead process', lock: (port) => lockOf({ pid: deadPid, port }), asked: /^$/ },
    { what: 'a process that started later', lock: (port) => lockOf({ started: '1', port }), asked: /^$/ },
    {
      what: 'a boot of before',
      lock: (port) => lockOf({ place: 'another boot', port }),
      asked: /^$/,
    },
    {
      what: 'a process of which the number alone is known',
      lock: (port) => lockOf({ started: '', port }),
      asked: /^(GET \/ HTTP\/1\.1\r\n[\s\S]*?\r\n\r\n)+$/,
    },
  ])(
    'where the lock is that of $what, and another program has its port: one of our own is started',
    async ({ lock, asked }) => {
      const its = await impostor((socket, headers) =>
        upgraded(socket, headers, answerTo(headers[nonceHeader]!, 'x').headers),
      );
      const data = folderWith(lock(its.port));
      const reached = await reach(data);
      expect(reached).toEqual(readLockFile(data));
      expect(reached).not.toMatchObject({ token });
      (await openSocket(reached)).writer.end();
      await endServer(data);
      expect(isRunning(reached.pid)).toBe(false);
      expect(its.heard()).toMatch(asked);
      expect(its.heard()).not.toContain(token);
    },
  );

  it('and one of an earlier protocol that lives is told nothing, but named', async () => {
    const its = await impostor(() => {});
    const lock = { protocol: 'espalier.v1', pid: process.pid, port: its.port, token, build: '0.1.0+1' };
    const data = folderWith(lock, earlierLockPath);
    await expect(reach(data)).rejects.toMatchObject({
      code: 'otherBuild',
      message: /The running server, build 0\.1\.0\+1, is older than this client.*restart the server\./,
    });
    expect(its.heard()).toBe('');
  });

  it('and one that hears nothing any more is ended all the same', async () => {
    const data = join(root, 'stopped');
    const server = spawnServer(data);
    await until('it listens', () => server.log().includes('listening'));
    process.kill(server.pid, 'SIGSTOP');
    await endServer(data);
    await server.ended;
    expect(readFileSync(lockPath(data), 'utf8')).toContain(String(server.pid));
  });
});
