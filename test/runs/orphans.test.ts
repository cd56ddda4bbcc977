// An engine whose main thread never comes back to its loop, as in an endless template or a pattern that backtracks, ends with
// its owner all the same.
import { randomUUID } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { enginesOf, isRunning, start, until } from '../cli/espalier';
import { analyzeRecipe, connect, newFolder, spawnServer, readLockFile, stories, text } from '../rpc/client';

const root = newFolder();
const mark = join(root, 'stuck');
const started: number[] = [];
const before = process.env.NODE_OPTIONS;

beforeAll(() => {
  const preload = join(root, 'preload.cjs');
  writeFileSync(
    preload,
    `if (String(process.argv[1]).endsWith('engine.cjs')) process.on('message', () => {
      require('node:fs').writeFileSync(${JSON.stringify(mark)} + process.pid, '');
      for (;;);
    });`,
  );
  process.env.NODE_OPTIONS = `--require ${preload}`;
});
afterEach(() => {
  for (const pid of started.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
});
afterAll(() => {
  if (before === undefined) delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = before;
  rmSync(root, { recursive: true, force: true });
});

/** The engine of an owner, when it hears nothing any more. */
async function stuckEngineOf(owner: number): Promise<number> {
  started.push(owner);
  await until('there is an engine', () => enginesOf(owner).length === 1);
  const [engine] = enginesOf(owner);
  started.push(engine!);
  await until('it is stuck', () => {
    try {
      rmSync(`${mark}${engine}`);
      return true;
    } catch {
      return false;
    }
  });
  return engine!;
}

describe('an engine that never comes back to its loop', () => {
  const owners: { what: string; begin: () => Promise<number> }[] = [
    {
      what: 'a command',
      begin: async () => start(['analyze', stories, '--text', text, '--sequences', '1']).pid,
    },
    {
      what: 'a server',
      async begin() {
        const data = join(root, 'data');
        const server = spawnServer(data);
        await until('it listens', () => server.log().includes('listening'));
        const client = await connect(readLockFile(data));
        await client.request('runs/start', { runId: randomUUID(), recipe: analyzeRecipe() });
        client.socket.terminate();
        return server.pid;
      },
    },
  ];

  it.each(owners)('of $what that is killed is gone within 2 s', async ({ begin }) => {
    const owner = await begin();
    const engine = await stuckEngineOf(owner);
    // It stays while its owner does.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    expect(isRunning(engine)).toBe(true);
    process.kill(owner, 'SIGKILL');
    await until('the engine is gone', () => !isRunning(engine), 2000);
  });
});
