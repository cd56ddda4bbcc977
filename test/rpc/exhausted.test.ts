// What the system refuses, such as one more file or process, fails the run that needed it with a sentence, and nothing else.
// The built server, whose limits are lowered and raised again while it runs.
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { copyFileSync, existsSync, linkSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { isRunning, until } from '../cli/espalier';
import { available } from '../fixtures';
import {
  analyzeRecipe,
  connect,
  errorOf,
  newFolder,
  oneTo,
  reaches,
  type StartedServer,
  startServer,
  stopServer,
  stories,
} from './client';

const root = newFolder();
afterAll(() => rmSync(root, { recursive: true, force: true }));
const inspect = { kind: 'inspect', model: stories } as const;

/** Carries a run out and ends the server. Returns how many events it has. */
async function doneBy(server: StartedServer, runId: string): Promise<number> {
  const client = await connect(server.lock);
  await client.request('runs/start', { runId, recipe: inspect });
  const { lastSeq } = await reaches(client, runId, ['done']);
  await client.close();
  await stopServer(server);
  return lastSeq;
}

describe.skipIf(!available('/usr/bin/prlimit'))('a server that may open no more files', () => {
  it('fails what needs one, with a sentence, and goes on', async () => {
    const data = join(root, 'files');
    const before = randomUUID();
    const lastSeq = await doneBy(await startServer(data), before);
    // Has not read the log of that run.
    const server = await startServer(data);
    const limits = String(
      execFileSync('prlimit', ['--pid', `${server.pid}`, '--nofile', '-o', 'SOFT', '--noheadings']),
    );
    const limitTo = (nFiles: number) => execFileSync('prlimit', ['--pid', `${server.pid}`, `--nofile=${nFiles}:`]);
    /** The limit is on the number of a file, and lower ones may be free. */
    const leave = (nFiles: number) => {
      const open = new Set(readdirSync(`/proc/${server.pid}/fd`).map(Number));
      let limit = 0;
      for (let nLeft = nFiles; nLeft > 0 || open.has(limit); limit++) if (!open.has(limit)) nLeft--;
      limitTo(limit);
    };
    const client = await connect(server.lock);
    // The reader is there.
    await client.request('models/inspect', { folder: stories });
    const other = await connect(server.lock);

    leave(2);
    const runId = randomUUID();
    await client.request('runs/start', { runId, recipe: analyzeRecipe() });
    expect(await reaches(client, runId, ['failed', 'done'])).toMatchObject({
      state: 'failed',
      code: 'cannotFit',
      message:
        'The engine cannot be started (EMFILE): too many files are open; close other windows, or raise the limit (ulimit -n).',
    });

    // What reads models of others is a process, too: the one that is there serves one client at a time.
    const inspected = await Promise.allSettled(
      [client, other].map((each) => each.request('models/inspect', { folder: stories })),
    );
    expect(inspected.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(inspected.find(({ status }) => status === 'rejected')).toMatchObject({
      reason: {
        data: { code: 'cannotFit' },
        message: expect.stringMatching(
          /^The reader cannot be started \(EMFILE\): too many files are open; close other/,
        ),
      },
    });

    leave(0);
    const refused = await errorOf(client.request('runs/start', { runId: randomUUID(), recipe: inspect }));
    expect(refused).toMatchObject({
      reason: 'cannotWrite',
      message: expect.stringContaining('too many files are open'),
    });
    await expect(connect(server.lock)).rejects.toThrow();
    await client.request('runs/subscribe', { runId: before, since: 0 });
    // It looks every 5 s whether the lock is still its own.
    await sleep(5500);
    expect(await client.request('runs/list', {})).toHaveLength(2);
    expect(client.events(before)).toEqual([]);

    limitTo(Number(limits));
    await until('the events come after all', () => client.events(before).length === lastSeq);
    expect(client.events(before).map(({ seq }) => seq)).toEqual(oneTo(lastSeq));
    const after = randomUUID();
    await client.request('runs/start', { runId: after, recipe: inspect });
    expect(await reaches(client, after, ['failed', 'done'])).toMatchObject({ state: 'done' });
    expect(await client.request('models/inspect', { folder: stories })).toMatchObject({ nBlocks: 5 });
    await (await connect(server.lock)).close();
    await other.close();
    await client.close();
    await stopServer(server);
  });
});

it('a server whose Node was removed refuses runs with a sentence, and goes on', async () => {
  const bin = join(root, 'bin');
  mkdirSync(bin);
  const node = join(bin, 'node');
  try {
    linkSync(process.execPath, node);
  } catch {
    copyFileSync(process.execPath, node);
  }
  const server = await startServer(join(root, 'removed'), 60, undefined, node);
  const client = await connect(server.lock);
  rmSync(bin, { recursive: true });
  expect(existsSync(node)).toBe(false);
  for (let i = 0; i < 2; i++) {
    expect(await errorOf(client.request('runs/start', { runId: randomUUID(), recipe: inspect }))).toMatchObject({
      reason: 'otherBuild',
      message:
        'The reader cannot be started (ENOENT): the Node that runs this is gone, most likely by an update; restart the server.',
    });
    expect(await errorOf(client.request('models/inspect', { folder: stories }))).toMatchObject({
      reason: 'otherBuild',
      message: expect.stringMatching(/^The reader cannot be started \(ENOENT\): the Node that runs this is gone/),
    });
  }
  expect(isRunning(server.pid)).toBe(true);
  await client.close();
  await stopServer(server);
});
