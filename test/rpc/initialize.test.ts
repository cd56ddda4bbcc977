// A client that connects and does not send `initialize`, on a fake clock.
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';
import type { ServerFacts } from '../../server/protocol/server';
import { initializeWithinMs, openSession, type SessionServer } from '../../server/rpc/session';
import type { ClientSocket } from '../../server/rpc/socket';
import { errorOf } from './client';

const facts: ServerFacts = { protocol: 'espalier.v2', wire: 'w', build: 'b', pid: 1, node: 'v20', dataFolder: '/d' };

/** A session whose timer goes off when it is told to, and the client's end. */
function session() {
  const [up, down] = [new PassThrough(), new PassThrough()];
  const closed: (number | undefined)[] = [];
  const socket: ClientSocket = {
    reader: new StreamMessageReader(up),
    writer: new StreamMessageWriter(down),
    waitingBytes: () => 0,
    close(code) {
      closed.push(code);
      up.destroy();
    },
    onClose: () => {},
  };
  const timers: { ms: number; act(): void }[] = [];
  openSession(socket, {
    facts: () => facts,
    runs: {
      subscribe: () => () => {},
      cancelQueriesOf: () => {},
      canStartEngines: () => true,
      list: () => [],
    } as unknown as SessionServer['runs'],
    readers: { forClient: () => async () => {} } as unknown as SessionServer['readers'],
    devices: {} as SessionServer['devices'],
    control: {} as SessionServer['control'],
    log: () => {},
    after(ms, act) {
      const timer = { ms, act };
      timers.push(timer);
      return () => {
        if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1);
      };
    },
  });
  const client = createMessageConnection(new StreamMessageReader(down), new StreamMessageWriter(up));
  client.listen();
  const initialize = (wire: string) =>
    client.sendRequest('initialize', {
      initializationOptions: { protocol: 'espalier.v2', wire, build: 'c', roots: [] },
    });
  return { client, closed, timers, up, initialize };
}

describe('a client', () => {
  it('that never sends initialize is closed after 10 s', async () => {
    const { client, closed, timers } = session();
    expect(await errorOf(client.sendRequest('runs/list', {}))).toMatchObject({ code: -32002 });
    expect(timers.map(({ ms }) => ms)).toEqual([10_000]);
    expect(initializeWithinMs).toBe(10_000);
    expect(closed).toEqual([]);
    timers[0]!.act();
    expect(closed).toEqual([1008]);
  });

  it('that was refused is closed, too', async () => {
    const { closed, timers, initialize } = session();
    expect(await errorOf(initialize('another'))).toMatchObject({ reason: 'otherBuild' });
    expect(timers).toHaveLength(1);
    timers[0]!.act();
    expect(closed).toEqual([1008]);
  });

  it('that has sent it stays', async () => {
    const { client, closed, timers, initialize } = session();
    await initialize('w');
    expect(timers).toEqual([]);
    expect(await client.sendRequest('runs/list', {})).toEqual([]);
    expect(closed).toEqual([]);
  });

  it('that goes before leaves no timer', async () => {
    const { timers, up } = session();
    up.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(timers).toEqual([]);
  });
});
