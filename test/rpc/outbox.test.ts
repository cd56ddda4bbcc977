// How often one client is sent something, on a fake clock: a socket's other end cannot say when a message was sent, only when
// it was read.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunEvent } from '../../server/protocol/server';
import { openOutbox, type OutboxWiring } from '../../server/rpc/outbox';

const event = (seq: number): RunEvent => ({ seq, atEpochMs: 0, event: { kind: 'text', text: `${seq}` } });

describe('a client of a run with many events', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function pouring(waitingBytes: OutboxWiring['waitingBytes'] = () => 0) {
    const log: RunEvent[] = [];
    const sentAtMs: number[] = [];
    const received: number[] = [];
    const outbox = openOutbox({
      eventsAfter: (_, since) => log.slice(since),
      send(_, params) {
        sentAtMs.push(Date.now());
        if ('events' in params) received.push(...params.events.map(({ seq }) => seq));
      },
      waitingBytes,
    });
    outbox.follow('run', 0);
    /** A new event every millisecond. */
    const pour = (ms: number) => {
      for (let i = 0; i < ms; i++) {
        log.push(event(log.length + 1));
        outbox.onEvents('run');
        vi.advanceTimersByTime(1);
      }
    };
    return { outbox, log, sentAtMs, received, pour };
  }

  it('gets at most 30 messages in any second, and every event in order', () => {
    const { log, sentAtMs, received, pour } = pouring();
    pour(3000);
    vi.advanceTimersByTime(1000);
    const most = Math.max(...sentAtMs.map((at) => sentAtMs.filter((other) => other >= at && other < at + 1000).length));
    expect(most).toBeGreaterThan(20);
    expect(most).toBeLessThanOrEqual(30);
    expect(received).toEqual(log.map(({ seq }) => seq));
  });

  it('gets a long log at the same rate', () => {
    const { outbox, log, sentAtMs, received } = pouring();
    for (let seq = 1; seq <= 100_000; seq++) log.push(event(seq));
    outbox.onEvents('run');
    vi.advanceTimersByTime(2000);
    expect(received).toEqual(log.map(({ seq }) => seq));
    expect(sentAtMs).toHaveLength(25);
    expect(sentAtMs.slice(1).every((at, i) => at - sentAtMs[i]! >= 40)).toBe(true);
  });

  it('is sent nothing more while it has not taken what it was sent', () => {
    let waiting = 2 ** 21;
    const { log, received, pour } = pouring(() => waiting);
    pour(500);
    expect(received).toEqual([]);
    waiting = 0;
    vi.advanceTimersByTime(100);
    expect(received).toEqual(log.map(({ seq }) => seq));
  });
});
