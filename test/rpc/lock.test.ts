// Who gets the lock of a data folder, where many want it at once: real processes, because only they interleave between
// two calls of the file system.
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../server/errors';
import type { ServerLock } from '../../server/protocol/server';
import { holdsLock, lockPath, readLock, releaseLock, takeLock } from '../../server/rpc/lock';
import { repoRoot } from '../fixtures';
import { newFolder, spawnServer } from './client';

const root = newFolder();
let listener: Server;
let port: number;
beforeAll(async () => {
  listener = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  port = (listener.address() as AddressInfo).port;
});
afterAll(() => {
  listener.close();
  rmSync(root, { recursive: true });
});

let nFolders = 0;
function folder(content?: string): string {
  const made = join(root, String(nFolders++));
  mkdirSync(made);
  if (content !== undefined) writeFileSync(lockPath(made), content);
  return made;
}
const lockOf = (token: string, pid = process.pid): ServerLock => ({
  pid,
  port,
  token,
  protocol: 'espalier.v1',
  build: 'test',
});
const deadPid = spawnSync('true').pid;
const dead = (token: string) => JSON.stringify(lockOf(token, deadPid));
const rightTo = (path: string, content: string) =>
  `${path}.after-${createHash('sha256').update(content).digest('hex').slice(0, 16)}`;

/**
 * Tries to take the locks it is told of, each at the same moment as the others. It may be put to sleep between any two
 * calls, as every process may: what happens in microseconds has its time.
 */
const taker = `
const fs = require('node:fs');
const still = new Int32Array(new SharedArrayBuffer(4));
for (const name of ['linkSync', 'renameSync', 'readFileSync', 'rmSync']) {
  const real = fs[name];
  fs[name] = (...given) => {
    Atomics.wait(still, 0, 0, Math.random() * 4);
    return real(...given);
  };
}
const { takeLock } = require('./lock.cjs');
process.on('message', async ({ folder, lock, atEpochMs }) => {
  while (Date.now() < atEpochMs);
  process.send(await takeLock(folder, { ...lock, pid: process.pid }).catch(String));
});`;

async function withTakers<T>(n: number, body: (takers: readonly ChildProcess[]) => Promise<T>): Promise<T> {
  const program = join(root, 'taker.cjs');
  writeFileSync(program, taker);
  buildSync({
    entryPoints: [join(repoRoot, 'server/rpc/lock.ts')],
    outfile: join(root, 'lock.cjs'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
  });
  const takers = Array.from({ length: n }, () => fork(program, { execArgv: [] }));
  try {
    return await body(takers);
  } finally {
    for (const each of takers) each.kill('SIGKILL');
  }
}

const outcomes = (takers: readonly ChildProcess[], data: string) => {
  const atEpochMs = Date.now() + 20;
  return Promise.all(
    takers.map((each, i) => {
      const told = new Promise<unknown>((resolve) => each.once('message', resolve));
      each.send({ folder: data, lock: lockOf(`taker ${i}`), atEpochMs });
      return told;
    }),
  );
};

describe('the lock', () => {
  it('is given to exactly one of many that want it at once', async () => {
    await withTakers(8, async (takers) => {
      for (let round = 0; round < 60; round++) {
        const content = [undefined, dead('d'), dead('d'), '{'][round % 4];
        const data = folder(content);
        // Somebody died while it had the right to replace the dead one's.
        if (content && round % 4 === 2) writeFileSync(rightTo(lockPath(data), content), dead('e'));
        const took = await outcomes(takers, data);
        expect(
          took.filter((it) => it === true),
          `round ${round}: ${took}`,
        ).toHaveLength(1);
        expect(took.filter((it) => it === false)).toHaveLength(7);
        expect(readLock(data)?.token).toBe(`taker ${took.indexOf(true)}`);
        expect(readdirSync(data)).toEqual(['server.json']);
      }
    });
  });

  it('is not taken from a living server, and is taken again when it was let go', async () => {
    const data = folder();
    const [one, two] = [lockOf('one'), lockOf('two')];
    expect(await takeLock(data, one)).toBe(true);
    expect(await takeLock(data, two)).toBe(false);
    releaseLock(data, two);
    expect(holdsLock(data, one)).toBe(true);
    releaseLock(data, one);
    expect(existsSync(lockPath(data))).toBe(false);
    expect(await takeLock(data, two)).toBe(true);
    expect([holdsLock(data, one), holdsLock(data, two)]).toEqual([false, true]);
  });

  it.each([
    { what: 'a dead server', content: dead('d') },
    { what: 'a server whose number somebody else has', content: JSON.stringify({ ...lockOf('d'), port: 1 }) },
    { what: 'a port that is none', content: JSON.stringify({ ...lockOf('d'), port: 70_000 }) },
    { what: 'an earlier protocol', content: JSON.stringify({ ...lockOf('d'), protocol: 'espalier.v0' }) },
    { what: 'nobody', content: '{}' },
  ])('is taken from $what', async ({ content }) => {
    const data = folder(content);
    expect(await takeLock(data, lockOf('one'))).toBe(true);
    expect(readLock(data)?.token).toBe('one');
  });

  const later = JSON.stringify({ protocol: 'espalier.v2', endpoint: 'somewhere' });

  it('is left to a server of a later protocol, with a sentence', async () => {
    const data = folder(later);
    const refusal = await takeLock(data, lockOf('one')).catch((error) => error);
    expect(refusal).toBeInstanceOf(UserError);
    expect(refusal).toMatchObject({ code: 'otherBuild', message: expect.stringContaining('espalier.v2') });
    expect(refusal.message).toContain(lockPath(data));
    expect(() => readLock(data)).toThrow(refusal.message);
    expect(holdsLock(data, lockOf('one'))).toBe(false);
    releaseLock(data, lockOf('one'));
    expect(readdirSync(data)).toEqual(['server.json']);
  });

  it('of a later protocol ends a server that starts beside it, which says why', async () => {
    const data = folder(later);
    const server = spawnServer(data);
    expect(await server.ended).toBe(1);
    expect(server.log()).toContain('A server of a newer Espalier holds this folder');
    expect(readdirSync(data)).toEqual(['server.json']);
  });
});
