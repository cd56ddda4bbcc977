// How often one client is told something, on a clock that stands still until it is turned: a socket's other end cannot say
// when a message was sent, only when it had time to look.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunEvent } from '../../server/protocol/server';
import { openOutbox, type OutboxWiring } from '../../server/rpc/outbox';

const event = (seq: number): RunEvent => ({ seq, atEpochMs: 0, event: { kind: 'text', text: `${seq}` } });

describe('a client that events pour in upon', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function pouring(waitingBytes: OutboxWiring['waitingBytes'] = () => 0) {
    const log: RunEvent[] = [];
    const sentAtMs: number[] = [];
    const heard: number[] = [];
    const outbox = openOutbox({
      eventsAfter: (_, since) => log.slice(since),
      send(_, params) {
        sentAtMs.push(Date.now());
        if ('events' in params) heard.push(...params.events.map(({ seq }) => seq));
      },
      waitingBytes,
    });
    outbox.follow('run', 0);
    /** A new event every millisecond. */
    const pour = (ms: number) => {
      for (let i = 0; i < ms; i++) {
        log.push(event(log.length + 1));
        outbox.grew('run');
        vi.advanceTimersByTime(1);
      }
    };
    return { outbox, log, sentAtMs, heard, pour };
  }

  it('hears at most 30 messages in any second, and every event in order', () => {
    const { log, sentAtMs, heard, pour } = pouring();
    pour(3000);
    vi.advanceTimersByTime(1000);
    const most = Math.max(...sentAtMs.map((at) => sentAtMs.filter((other) => other >= at && other < at + 1000).length));
    expect(most).toBeGreaterThan(20);
    expect(most).toBeLessThanOrEqual(30);
    expect(heard).toEqual(log.map(({ seq }) => seq));
  });

  it('is sent nothing more while it has not taken what it was sent', () => {
    let waiting = 2 ** 21;
    const { log, heard, pour } = pouring(() => waiting);
    pour(500);
    expect(heard).toEqual([]);
    waiting = 0;
    vi.advanceTimersByTime(100);
    expect(heard).toEqual(log.map(({ seq }) => seq));
  });
});
