// Queries that a client cancels by $/cancelRequest, on the built server.
import { randomUUID } from 'node:crypto';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { CancellationTokenSource } from 'vscode-jsonrpc/node';
import { enginesOf, until } from '../cli/espalier';
import { analyzeRecipe, connect, errorOf, newFolder, reaches, serverOfFile } from './client';

const opened = serverOfFile(newFolder());
const runId = randomUUID();
beforeAll(async () => {
  await opened.client.request('runs/start', { runId, recipe: analyzeRecipe({ stay: true }, 100) });
  await reaches(opened.client, runId, ['done']);
});
const sources: CancellationTokenSource[] = [];
afterEach(() => {
  for (const source of sources.splice(0)) source.dispose();
});

const drop = (block: number) => ({ blocks: [block], attention: [], mlp: [] });

/** The answer to a query that is cancelled after a while, and how long that took. */
async function cancelledAfter(method: 'runs/ask' | 'runs/time', params: object, afterMs: number) {
  const source = new CancellationTokenSource();
  sources.push(source);
  const error = errorOf(opened.client.connection.sendRequest(method, { runId, ...params }, source.token));
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  const began = performance.now();
  source.cancel();
  return { ...(await error), answeredMs: performance.now() - began };
}

describe('a query that is cancelled', () => {
  it.each([
    { what: 'about a loss, at once', method: 'runs/ask', params: { question: 1, drop: drop(0) }, afterMs: 0 },
    {
      what: 'about a loss, while it is measured',
      method: 'runs/ask',
      params: { question: 2, drop: drop(1) },
      afterMs: 50,
    },
    { what: 'about a speed, at once', method: 'runs/time', params: { drop: drop(0) }, afterMs: 0 },
    { what: 'about a speed, while it is measured', method: 'runs/time', params: { drop: drop(0) }, afterMs: 300 },
  ] as const)('$what, is answered so', { retry: 2 }, async ({ method, params, afterMs }) => {
    const { code, reason, answeredMs } = await cancelledAfter(method, params, afterMs);
    expect({ code, reason }).toEqual({ code: -32800, reason: 'cancelled' });
    expect(answeredMs).toBeLessThan(500);
    // The engine is free for the next one.
    const next = await opened.client.request('runs/ask', { runId, question: 9, drop: drop(4) });
    expect(next.final).toBe(true);
  });

  it('is not waited for by others', async () => {
    const other = await connect(opened.server.lock);
    const mine = cancelledAfter('runs/time', { drop: drop(0) }, 300);
    const theirs = other.request('runs/ask', { runId, question: 1, drop: drop(2) });
    expect(await mine).toMatchObject({ code: -32800 });
    expect(await theirs).toMatchObject({ final: true });
    await other.close();
  });

  it('brings no engine up', async () => {
    process.kill(enginesOf(opened.server.pid)[0]!, 'SIGKILL');
    await until('it is gone', () => enginesOf(opened.server.pid).length === 0);
    expect(await cancelledAfter('runs/ask', { question: 1, drop: drop(0) }, 50)).toMatchObject({ code: -32800 });
    await until('none has stayed', () => enginesOf(opened.server.pid).length === 0, 5000);
  });

  it('after its answer, or another request, is as it was', async () => {
    const source = new CancellationTokenSource();
    sources.push(source);
    const asked = opened.client.connection.sendRequest('runs/ask', { runId, question: 1, drop: drop(3) }, source.token);
    expect(await asked).toMatchObject({ final: true });
    source.cancel();
    const status = new CancellationTokenSource();
    sources.push(status);
    const told = opened.client.connection.sendRequest('server/status', {}, status.token);
    status.cancel();
    expect(await told).toMatchObject({ pid: opened.server.pid });
  });
});
