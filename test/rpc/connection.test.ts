// Sockets whose other end is gone or does not listen.
import { performance } from 'node:perf_hooks';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { ServerLock } from '../../server/protocol';
import { until } from '../cli/espalier';
import { connect, openSocket, type Server, startServer, temporaryFolder } from './client';

let server: Server & { lock: ServerLock };
beforeAll(async () => {
  server = await startServer(temporaryFolder(afterAll), 60, afterAll);
});

it('a socket that no longer answers pings is found within 10 s, and the others stay', async () => {
  const [other, silent] = [await connect(server.lock), await connect(server.lock)];
  // Its machine sleeps: nothing is read any more, and nothing says goodbye.
  silent.socket.pause();
  const began = performance.now();
  await until('it is missed', () => server.log().includes('a client left (1006), 1 in all'), 12_000);
  expect(performance.now() - began).toBeLessThan(10_000);
  expect((await other.ask('server/status', {})).nClients).toBe(1);
});

it('a client that only listens stays', async () => {
  const quiet = await connect(server.lock);
  await new Promise((resolve) => setTimeout(resolve, 9_000));
  expect(quiet.socket.readyState).toBe(quiet.socket.OPEN);
  expect((await quiet.ask('server/status', {})).pid).toBe(server.pid);
});

it('a client that never says initialize is sent away', async () => {
  const socket = await openSocket(server.lock);
  const code = await new Promise((resolve) => socket.on('close', resolve));
  expect(code).toBe(1008);
});
