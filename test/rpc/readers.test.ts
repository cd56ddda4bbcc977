// How the requests of clients are shared out among readers, on readers that answer when they are told to; and a real one that is
// ended in the middle of its work.
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { UserError } from '../../server/errors';
import type { Reader } from '../../server/readerClient/reader';
import { openReaders } from '../../server/readerClient/readers';
import { childrenOf, enginesOf, isRunning, until } from '../cli/espalier';
import { connect, newFolder, startServer, stories } from './client';

const never = new AbortController().signal;
const settled = () => new Promise((resolve) => setImmediate(resolve));

function fakes() {
  const started: { asked: string[]; answer(): void; fail(error: Error): void; isFit: boolean; killed: boolean }[] = [];
  const start = (): Reader => {
    let pending = { resolve: (_: unknown) => {}, reject: (_: Error) => {} };
    const fake = {
      asked: [] as string[],
      isFit: true,
      killed: false,
      answer: () => pending.resolve('answer'),
      fail: (error: Error) => pending.reject(error),
    };
    started.push(fake);
    return {
      ask(method) {
        fake.asked.push(method);
        return new Promise((resolve, reject) => {
          pending = { resolve, reject };
        });
      },
      isFit: () => fake.isFit,
      kill() {
        fake.killed = true;
      },
    };
  };
  return { readers: openReaders(start), started };
}
const params = { folder: '/m', roots: [] };

describe('requests', () => {
  it('of one client are done one after the other, by one reader', async () => {
    const { readers, started } = fakes();
    const read = readers.forClient({}, never);
    const both = Promise.all([read('inspectModel', params), read('openModel', params)]);
    expect(started.map(({ asked }) => asked)).toEqual([['inspectModel']]);
    started[0]!.answer();
    await settled();
    expect(started.map(({ asked }) => asked)).toEqual([['inspectModel', 'openModel']]);
    started[0]!.answer();
    expect(await both).toEqual(['answer', 'answer']);
    readers.end();
    expect(started[0]!.killed).toBe(true);
  });

  it('of other clients do not wait for it, but for one of four readers', async () => {
    const { readers, started } = fakes();
    const all = [0, 1, 2, 3, 4].map(() => readers.forClient({}, never)('inspectModel', params));
    expect(started).toHaveLength(4);
    started[2]!.answer();
    await settled();
    expect(started.map(({ asked }) => asked.length)).toEqual([1, 1, 2, 1]);
    for (const reader of started) reader.answer();
    expect(await Promise.all(all)).toHaveLength(5);
  });

  it('find another reader where one was ended or has grown', async () => {
    const { readers, started } = fakes();
    const read = readers.forClient({}, never);
    const first = read('inspectModel', params);
    started[0]!.isFit = false;
    started[0]!.fail(new UserError('overLimit', 'It took too long.'));
    await expect(first).rejects.toThrow('It took too long.');
    await settled();
    const second = read('inspectModel', params);
    expect(started).toHaveLength(2);
    started[1]!.answer();
    await second;
  });

  it('beyond a hundred that wait are refused', async () => {
    const { readers } = fakes();
    const read = readers.forClient({}, never);
    for (let i = 0; i < 101; i++) void read('inspectModel', params);
    await expect(read('inspectModel', params)).rejects.toMatchObject({ code: 'overLimit' });
  });
});

it('a reader that never comes back to its loop is gone with its server, and killed from outside it costs one answer', async () => {
  const root = newFolder();
  const preload = join(root, 'preload.cjs');
  writeFileSync(
    preload,
    `if (String(process.argv[1]).endsWith('reader.cjs')) process.on('message', ({ params: { folder } }) => {
      if (folder?.endsWith('stuck')) for (;;);
    });`,
  );
  const before = process.env.NODE_OPTIONS;
  process.env.NODE_OPTIONS = `--require ${preload}`;
  const server = await startServer(join(root, 'data'));
  if (before === undefined) delete process.env.NODE_OPTIONS;
  else process.env.NODE_OPTIONS = before;
  const client = await connect(server.lock, [stories]);
  const readersOf = () => childrenOf(server.pid).filter((pid) => !enginesOf(server.pid).includes(pid));

  const lost = client.request('models/inspect', { folder: join(stories, 'stuck') }).catch(({ message }) => message);
  await until('there is a reader', () => readersOf().length === 1);
  process.kill(readersOf()[0]!, 'SIGKILL');
  expect(await lost).toMatch(/^Reading this model took more than 1 GiB of memory and was ended; get its files again/);
  expect(await client.request('models/inspect', { folder: stories })).toMatchObject({ nBlocks: 5 });

  void client.request('models/inspect', { folder: join(stories, 'stuck') }).catch(() => {});
  await until('there is a reader', () => readersOf().length === 1);
  const [reader] = readersOf();
  process.kill(server.pid, 'SIGKILL');
  await until('it is gone', () => !isRunning(reader!), 5000);
  rmSync(root, { recursive: true, force: true });
});
