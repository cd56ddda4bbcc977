// Who gets the lock of a data folder, where many want it at once: real processes, because only they interleave between
// two calls of the file system.
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { basename, join } from 'node:path';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { UserError } from '../../server/errors';
import type { ServerLock } from '../../server/protocol/server';
import {
  earlierLockPath,
  lockFolder,
  lockPath,
  readLock,
  serverIdentityOf,
  serverLives,
} from '../../server/protocol/serverLock';
import { placeHere } from '../../server/protocol/processIdentity';
import { releaseLock, takeLock, tendLock } from '../../server/rpc/lock';
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
function folder(content?: string, pathIn = lockPath): string {
  const made = join(root, String(nFolders++));
  mkdirSync(lockFolder(made), { recursive: true });
  if (content !== undefined) writeFileSync(pathIn(made), content);
  return made;
}
const locksIn = (data: string) => readdirSync(lockFolder(data));
const ownName = basename(lockPath(root));
const lockOf = (token: string, change: Partial<ServerLock> = {}): ServerLock => ({
  ...serverIdentityOf(process.pid),
  port,
  token,
  protocol: 'espalier.v2',
  build: 'test',
  ...change,
});
const tokenIn = (data: string) => {
  const found = readLock(data);
  return found.kind === 'present' ? found.lock.token : found.kind;
};
const deadPid = spawnSync('true').pid;
const dead = (token: string) => JSON.stringify(lockOf(token, { pid: deadPid }));
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
const { takeLock, identityOf } = require('./lock.cjs');
process.on('message', async ({ folder, lock, atEpochMs }) => {
  while (Date.now() < atEpochMs);
  process.send(await takeLock(folder, { ...lock, ...identityOf(process.pid) }).catch(String));
});`;

async function withTakers<T>(n: number, body: (takers: readonly ChildProcess[]) => Promise<T>): Promise<T> {
  const program = join(root, 'taker.cjs');
  writeFileSync(program, taker);
  buildSync({
    stdin: {
      contents: "export * from './server/rpc/lock'; export { identityOf } from './server/protocol/processIdentity';",
      resolveDir: repoRoot,
    },
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
        expect(tokenIn(data)).toBe(`taker ${took.indexOf(true)}`);
        expect(locksIn(data)).toEqual([ownName]);
      }
    });
  });

  it('is not taken from a living server, and is taken again when it was let go', async () => {
    const data = folder();
    const [one, two] = [lockOf('one'), lockOf('two')];
    expect(await takeLock(data, one)).toBe(true);
    expect(await takeLock(data, two)).toBe(false);
    releaseLock(data, two);
    expect(tendLock(data, one)).toBe(true);
    releaseLock(data, one);
    expect(existsSync(lockPath(data))).toBe(false);
    expect(await takeLock(data, two)).toBe(true);
    expect([tendLock(data, one), tendLock(data, two)]).toEqual([false, true]);
  });

  const text = (change: Partial<ServerLock> = {}) => JSON.stringify(lockOf('d', change));
  const earlier = (change: object) => JSON.stringify({ protocol: 'espalier.v1', pid: 1, port, build: 'b', ...change });
  it.each<{ what: string; content: () => string }>([
    { what: 'a dead server', content: () => dead('d') },
    { what: 'a dead server on whose port somebody else listens', content: () => text({ pid: deadPid, port }) },
    { what: 'a server whose number somebody else has', content: () => text({ started: '1' }) },
    {
      what: 'a server of which the system knows the number alone, and on whose port another program is',
      content: () => text({ started: '', port }),
    },
    { what: 'the same, with nobody on its port', content: () => text({ started: '', port: 1 }) },
    { what: 'a port that is none', content: () => text({ port: 70_000 }) },
    { what: 'a protocol of before', content: () => JSON.stringify({ ...lockOf('d'), protocol: 'espalier.v0' }) },
    { what: 'an earlier server that is dead', content: () => earlier({ pid: deadPid }) },
    { what: 'an earlier server that does not listen', content: () => earlier({ pid: process.pid, port: 1 }) },
    { what: 'nobody', content: () => '{}' },
  ])('is taken from $what', async ({ content }) => {
    const data = folder(content());
    expect(await takeLock(data, lockOf('one'))).toBe(true);
    expect(tokenIn(data)).toBe('one');
  });

  it.each<{ what: string; content: () => string }>([
    { what: 'a server that lives, whatever its port does', content: () => text({ port: 1 }) },
    { what: 'an earlier server that listens', content: () => earlier({ pid: process.pid }) },
  ])('is not taken from $what', async ({ content }) => {
    const data = folder(content());
    expect(await takeLock(data, lockOf('one'))).toBe(false);
    expect(readFileSync(lockPath(data), 'utf8')).toBe(content());
  });

  it('is tended by what the file system says the time is', async () => {
    const data = folder();
    const mine = lockOf('one');
    await takeLock(data, mine);
    const text = readFileSync(lockPath(data), 'utf8');
    const longAgo = new Date(Date.now() - 5 * 60_000);
    utimesSync(lockPath(data), longAgo, longAgo);
    expect(tendLock(data, mine)).toBe(true);
    expect(Date.now() - statSync(lockPath(data)).mtimeMs).toBeLessThan(10_000);
    expect(readFileSync(lockPath(data), 'utf8')).toBe(text);
  });

  it.each<{ what: string; content: () => string }>([
    { what: 'one that lives', content: () => earlier({ pid: process.pid }) },
    {
      what: 'one that lives, of the same protocol',
      content: () => earlier({ pid: process.pid, protocol: 'espalier.v2' }),
    },
  ])('is not taken beside that of servers from before each place had its own: $what', async ({ content }) => {
    const data = folder(content(), earlierLockPath);
    expect(await takeLock(data, lockOf('one'))).toBe(false);
    expect(readFileSync(earlierLockPath(data), 'utf8')).toBe(content());
  });

  it('takes the place of a dead one from before', async () => {
    const data = folder(earlier({ pid: deadPid }), earlierLockPath);
    expect(await takeLock(data, lockOf('one'))).toBe(true);
    expect(existsSync(earlierLockPath(data))).toBe(false);
  });

  const node7 = { place: 'another boot', host: 'node7' };

  it('of another host is no matter, and goes after a week', async () => {
    const data = folder();
    const theirs = lockOf('theirs', node7);
    writeFileSync(lockPath(data, theirs), JSON.stringify(theirs));
    expect(await takeLock(data, lockOf('one'))).toBe(true);
    expect(readFileSync(lockPath(data, theirs), 'utf8')).toBe(JSON.stringify(theirs));
    releaseLock(data, lockOf('one'));
    const longAgo = new Date(Date.now() - 8 * 24 * 3_600_000);
    utimesSync(lockPath(data, theirs), longAgo, longAgo);
    expect(await takeLock(data, lockOf('one'))).toBe(true);
    expect(locksIn(data)).toEqual([ownName]);
  });

  it.each<{
    what: string;
    theirs?: Partial<ServerLock>;
    asks?: Partial<ServerLock>;
    writtenAgoMs?: number;
    lives: boolean;
  }>([
    { what: 'that tends its lock', lives: true },
    { what: 'that has not tended its lock for long', writtenAgoMs: 60_000, lives: false },
    { what: 'that has another number than the one of the lock', asks: { pid: 2 ** 21 }, lives: false },
    { what: 'that started at another time', asks: { started: '1' }, lives: false },
    { what: 'that has no lock', asks: { place: 'a third boot' }, lives: false },
    {
      what: 'in another network here, whatever the time of its lock',
      theirs: { place: placeHere(), network: 'n' },
      writtenAgoMs: 60_000,
      lives: true,
    },
    {
      what: 'in another network here, whose process is gone',
      theirs: { place: placeHere(), network: 'n', pid: deadPid },
      lives: false,
    },
    {
      what: 'of this place, of which the asking one has the lock',
      theirs: serverIdentityOf(process.pid),
      lives: false,
    },
  ])('a server elsewhere $what: $lives', async ({ theirs: change, asks, writtenAgoMs = 0, lives }) => {
    const data = folder();
    await takeLock(data, lockOf('one'));
    const theirs = lockOf('theirs', { ...node7, ...change });
    const path = lockPath(data, theirs);
    writeFileSync(path, JSON.stringify(theirs));
    const at = new Date(Date.now() - writtenAgoMs);
    utimesSync(path, at, at);
    expect(serverLives(data, { ...theirs, ...asks })).toBe(lives);
  });

  const later = JSON.stringify({ protocol: 'espalier.v3', endpoint: 'somewhere' });

  it('is left to a server of a later protocol, with a sentence', async () => {
    const data = folder(later);
    const refusal = await takeLock(data, lockOf('one')).catch((error) => error);
    expect(refusal).toBeInstanceOf(UserError);
    expect(refusal).toMatchObject({ code: 'otherBuild', message: expect.stringContaining('espalier.v3') });
    expect(refusal.message).toContain(lockPath(data));
    expect(tokenIn(data)).toBe('later');
    expect(tendLock(data, lockOf('one'))).toBe(false);
    releaseLock(data, lockOf('one'));
    expect(locksIn(data)).toEqual([ownName]);
  });

  it('of a later protocol ends a server that starts beside it, which says why', async () => {
    const data = folder(later);
    const server = spawnServer(data);
    expect(await server.ended).toBe(1);
    expect(server.log()).toContain('A server of a newer Espalier holds this folder');
    expect(locksIn(data)).toEqual([ownName]);
  });
});
