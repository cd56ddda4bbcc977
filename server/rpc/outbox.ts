// What one client is sent without a request: one message at a time with a pause after each, so that no client gets more than
// thirty a second, and none while it has not taken what it was sent. Events wait in their runs' logs, not here.
import type { RunEvent, RunSummary, ServerNotifications } from '../protocol/server';
import type { RunSubscriber } from '../runs/effects';

export interface Outbox extends RunSubscriber {
  /** Sends the events of a run after `since`, now and as they come. */
  follow(runId: string, since: number): void;
  unfollow(runId: string): void;
  /** A newer estimate of the same run replaces one that has not been sent. */
  estimate(estimate: Estimate): void;
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
  const changedRuns = new Map<string, RunSummary>();
  const deletedRuns = new Set<string>();
  const due = openDueMessages(waitingBytes);
  const estimates = openEstimates(due, (estimate) => send('runs/estimate', estimate));

  const sendEvents = (runId: string) => {
    const since = sent.get(runId);
    if (since === undefined) return;
    const waiting = eventsAfter(runId, since);
    const events = firstOf(waiting);
    if (events.length === 0) return;
    sent.set(runId, events.at(-1)!.seq);
    send('runs/events', { runId, events });
    if (events.length < waiting.length) onEvents(runId);
  };
  const onEvents = (runId: string) => {
    if (sent.has(runId)) due.put(`events ${runId}`, () => sendEvents(runId));
  };
  const sendChanges = () => {
    send('runs/changed', { runs: [...changedRuns.values()], deleted: [...deletedRuns] });
    changedRuns.clear();
    deletedRuns.clear();
  };

  return {
    follow(runId, since) {
      sent.set(runId, since);
      onEvents(runId);
    },
    unfollow: (runId) => void sent.delete(runId),
    onEvents,
    onChanged(run) {
      changedRuns.set(run.runId, run);
      due.put('changed', sendChanges);
    },
    onDeleted(runId) {
      sent.delete(runId);
      changedRuns.delete(runId);
      deletedRuns.add(runId);
      due.put('changed', sendChanges);
    },
    estimate: estimates.put,
    dropEstimate: estimates.drop,
    end() {
      due.end();
      sent.clear();
    },
  };
}

type Estimate = ServerNotifications['runs/estimate'];

/** Of each run the newest estimate. */
function openEstimates(due: ReturnType<typeof openDueMessages>, send: (estimate: Estimate) => void) {
  const newest = new Map<string, Estimate>();
  const sendNewest = (runId: string) => {
    const estimate = newest.get(runId);
    newest.delete(runId);
    if (estimate) send(estimate);
  };
  return {
    put(estimate: Estimate): void {
      const { runId } = estimate;
      newest.set(runId, estimate);
      due.put(`estimate ${runId}`, () => sendNewest(runId));
    },
    drop(runId: string): void {
      newest.delete(runId);
      due.drop(`estimate ${runId}`);
    },
  };
}

/** Messages in the order in which they became due, at most one with each key; each is made when it is sent. */
function openDueMessages(waitingBytes: () => number) {
  const due = new Map<string, () => void>();
  let timer: NodeJS.Timeout | null = null;
  let ended = false;

  const next = () => {
    timer = null;
    const first = due.entries().next().value;
    if (!first) return;
    // Before the message is made, which may put the next one.
    timer = setTimeout(next, pauseMs);
    if (waitingBytes() >= mostWaitingBytes) return;
    due.delete(first[0]);
    try {
      first[1]();
    } catch {
      due.set(...first); // a log that cannot be read while too many files are open can be later
    }
  };
  return {
    put(key: string, send: () => void): void {
      if (ended) return;
      if (!due.has(key)) due.set(key, send);
      timer ??= setTimeout(next, 0);
    },
    drop: (key: string): void => void due.delete(key),
    end(): void {
      ended = true;
      if (timer) clearTimeout(timer);
      timer = null;
      due.clear();
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
