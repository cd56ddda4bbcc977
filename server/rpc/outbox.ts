// What one client is told without asking: one message at a time with a pause behind each, so that no client gets more than
// thirty a second, and none while it has not taken what it was sent. Events wait in their runs' logs, not here.
import type { RunEvent, RunSummary, ServerNotifications } from '../protocol/server';

export interface Outbox {
  /** Sends the events of a run after `since`, now and as they come. */
  follow(runId: string, since: number): void;
  unfollow(runId: string): void;
  /** The run has new events. */
  grew(runId: string): void;
  changed(run: RunSummary): void;
  deleted(runId: string): void;
  /** A newer estimate for the same run takes the place of one that has not been sent. */
  estimate(estimate: ServerNotifications['runs/estimate']): void;
  /** An estimate that waits is not sent any more: the question has its answer. */
  dropEstimate(runId: string): void;
  end(): void;
}

export interface OutboxWiring {
  eventsAfter(runId: string, since: number): RunEvent[];
  send<M extends keyof ServerNotifications>(method: M, params: ServerNotifications[M]): void;
  waitingBytes(): number;
}

const pauseMs = 40;
const mostWaitingBytes = 2 ** 20;
/** A long curve is replayed within seconds. */
const mostEvents = 4000;
const mostEventBytes = 2 ** 20;

export function openOutbox({ eventsAfter, send, waitingBytes }: OutboxWiring): Outbox {
  /** Runs that are followed, and the last event that was sent of each. */
  const sent = new Map<string, number>();
  /** What there is to say, in the order in which it came up. */
  const due = new Map<string, () => void>();
  const changedRuns = new Map<string, RunSummary>();
  const deletedRuns = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  let ended = false;

  const put = (key: string, say: () => void) => {
    if (ended) return;
    if (!due.has(key)) due.set(key, say);
    timer ??= setTimeout(next, 0);
  };
  const next = () => {
    timer = null;
    const first = due.entries().next().value;
    if (!first) return;
    if (waitingBytes() < mostWaitingBytes) {
      due.delete(first[0]);
      first[1]();
    }
    timer = setTimeout(next, pauseMs);
  };
  const grew = (runId: string) => {
    if (!sent.has(runId)) return;
    put(`events ${runId}`, () => {
      const since = sent.get(runId);
      if (since === undefined) return;
      const waiting = eventsAfter(runId, since);
      const events = firstOf(waiting);
      if (events.length === 0) return;
      sent.set(runId, events.at(-1)!.seq);
      send('runs/events', { runId, events });
      if (events.length < waiting.length) grew(runId);
    });
  };
  const tellChanges = () =>
    put('changed', () => {
      send('runs/changed', { runs: [...changedRuns.values()], deleted: [...deletedRuns] });
      changedRuns.clear();
      deletedRuns.clear();
    });
  const estimates = new Map<string, ServerNotifications['runs/estimate']>();

  return {
    follow(runId, since) {
      sent.set(runId, since);
      grew(runId);
    },
    unfollow: (runId) => void sent.delete(runId),
    grew,
    changed(run) {
      changedRuns.set(run.runId, run);
      tellChanges();
    },
    deleted(runId) {
      sent.delete(runId);
      changedRuns.delete(runId);
      deletedRuns.add(runId);
      tellChanges();
    },
    estimate(estimate) {
      const { runId } = estimate;
      estimates.set(runId, estimate);
      put(`estimate ${runId}`, () => {
        const newest = estimates.get(runId);
        estimates.delete(runId);
        if (newest) send('runs/estimate', newest);
      });
    },
    dropEstimate(runId) {
      estimates.delete(runId);
      due.delete(`estimate ${runId}`);
    },
    end() {
      ended = true;
      if (timer) clearTimeout(timer);
      timer = null;
      due.clear();
      sent.clear();
    },
  };
}

/** As many events as make a message of a fair size; at least one. */
function firstOf(events: readonly RunEvent[]): RunEvent[] {
  const taken: RunEvent[] = [];
  let nBytes = 0;
  for (const event of events.slice(0, mostEvents)) {
    nBytes += JSON.stringify(event).length;
    if (taken.length > 0 && nBytes > mostEventBytes) break;
    taken.push(event);
  }
  return taken;
}
