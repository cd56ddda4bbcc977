// One server for each data folder, whoever starts how many, and whatever a dead one left behind.
import { mkdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { onTestFinished, expect, it } from 'vitest';
import { isRunning, until } from '../cli/espalier';
import { connect, readServerLock, spawnServer, startServer, temporaryFolder } from './client';

const dead = { pid: 2 ** 22 + 1, port: 9, token: 'x'.repeat(43), protocol: 'espalier.v1', build: 'old' };

/** A port that somebody else listens on. */
async function foreignPort(): Promise<number> {
  const other = createServer((socket) => socket.destroy());
  onTestFinished(() => void other.close());
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  return (other.address() as AddressInfo).port;
}

const leftBehind: [string, (folder: string) => Promise<void> | void][] = [
  ['an empty folder', () => {}],
  ['the lock of a dead server', (folder) => writeFileSync(join(folder, 'server.json'), JSON.stringify(dead))],
  [
    'the lock of a dead server whose port is taken by another program',
    async (folder) =>
      writeFileSync(join(folder, 'server.json'), JSON.stringify({ ...dead, port: await foreignPort() })),
  ],
  [
    'the lock of a dead server whose process id is taken by another program',
    (folder) => writeFileSync(join(folder, 'server.json'), JSON.stringify({ ...dead, pid: process.pid })),
  ],
  ['a damaged lock', (folder) => writeFileSync(join(folder, 'server.json'), '{"pid": 12')],
  [
    'what a server left that died while it took the lock',
    (folder) => {
      mkdirSync(join(folder, 'server.json.taking'));
      utimesSync(join(folder, 'server.json.taking'), 1, 1);
    },
  ],
];

it.each(leftBehind)('five servers at once over %s leave one', async (_, prepare) => {
  const folder = temporaryFolder();
  await prepare(folder);
  const servers = Array.from({ length: 5 }, () => spawnServer(folder));
  await until('all have decided', () => servers.every(({ log }) => /listening|another server/.test(log())));
  const serving = servers.filter(({ log }) => log().includes('listening'));
  expect(serving).toHaveLength(1);
  for (const server of servers.filter((it) => it !== serving[0]))
    expect(await server.ended).toEqual({ code: 0, signal: null });
  const client = await connect(readServerLock(folder));
  expect((await client.ask('server/status', {})).pid).toBe(serving[0]!.pid);
});

it('a server that was killed is followed by another one with another token', async () => {
  const first = await startServer(temporaryFolder());
  first.process.kill('SIGKILL');
  await first.ended;
  const second = await startServer(first.dataFolder);
  expect(second.lock.token).not.toBe(first.lock.token);
  expect((await (await connect(second.lock)).ask('server/status', {})).pid).toBe(second.pid);
});

it('a server that was stopped for a while keeps its folder', async () => {
  const first = await startServer(temporaryFolder());
  first.process.kill('SIGSTOP');
  const second = spawnServer(first.dataFolder);
  expect(await second.ended).toEqual({ code: 0, signal: null });
  first.process.kill('SIGCONT');
  expect((await (await connect(first.lock)).ask('server/status', {})).pid).toBe(first.pid);
});

it('a server whose lock was taken away ends, since nobody can find it', async () => {
  const server = await startServer(temporaryFolder());
  rmSync(join(server.dataFolder, 'server.json'));
  await until('it ends', () => !isRunning(server.pid), 10_000);
  expect(server.log()).toContain('the lock file is gone');
});
