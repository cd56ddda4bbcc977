// Whatever JSON is sent as params: every request gets exactly one answer, and the server lives on.
import { rmSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { methods } from '../../server/rpc/methods';
import { isRunning } from '../cli/espalier';
import { newFolder, openSocket, type StartedServer, startServer, stories, stopServer } from './client';

const root = newFolder();
let server: StartedServer;
let socket: WebSocket;
const answers = new Map<number, unknown[]>();

beforeAll(async () => {
  server = await startServer(root);
  socket = await openSocket(server.lock);
  socket.on('message', (data) => {
    const message = JSON.parse(String(data)) as { id?: number };
    if (message.id !== undefined) answers.set(message.id, [...(answers.get(message.id) ?? []), message]);
  });
  const { protocol, wire, build } = server.lock;
  await ask('initialize', { initializationOptions: { protocol, wire, build, roots: [stories] } });
});
afterAll(async () => {
  socket.terminate();
  await stopServer(server);
  rmSync(root, { recursive: true, force: true });
});

let nAsked = 0;
async function ask(method: string, params: unknown): Promise<unknown[]> {
  const id = ++nAsked;
  socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  for (const began = performance.now(); !answers.has(id); ) {
    if (performance.now() - began > 10_000) throw new Error(`no answer to ${method} ${JSON.stringify(params)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return answers.get(id)!;
}

/** Names that the methods know, so that some of it gets deeper. */
const knownKeys = [
  'runId',
  'recipe',
  'kind',
  'model',
  'since',
  'folders',
  'folder',
  'yaml',
  'file',
  'drop',
  'question',
  'action',
];
const knownValues = [
  'analyze',
  'prune',
  'inspect',
  'heal',
  'pause',
  stories,
  '9e107d9d-372b-4a31-93cd-3b2cbd5d8f2e',
  -1,
  0,
  1e308,
  '',
];
const { json } = fc.letrec((tie) => ({
  json: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, ...knownValues),
    fc.string({ unit: 'binary' }),
    fc.double(),
    fc.array(tie('json'), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...knownKeys), fc.string()), tie('json'), { maxKeys: 5 }),
  ),
}));
const harmless = Object.keys(methods).filter((name) => name !== 'server/stop');

describe('random params', () => {
  it('are answered once each', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...harmless, 'nothing/known', 'initialize'), json, async (method, params) => {
        expect(await ask(method, params)).toHaveLength(1);
        // Below the rate that is allowed in the long run.
        await new Promise((resolve) => setTimeout(resolve, 3));
      }),
      { numRuns: 400 },
    );
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect([...answers.values()].every((list) => list.length === 1)).toBe(true);
    expect(answers.size).toBe(nAsked);
    expect(isRunning(server.pid)).toBe(true);
    expect(socket.readyState).toBe(WebSocket.OPEN);
    // A defect of ours would have left a stack.
    expect(server.log()).not.toMatch(/^\s+at /m);
  });
});
