// Notifications to one client, held back and merged so that a run that talks a lot cannot drown it: one message at a time,
// at most so many a second, none while the client does not keep up.
import type { Estimate, RunEvent, RunSummary, ServerNotifications } from '../protocol';
import { limits } from './limits';

export interface Outbox {
  changed(runs: RunSummary[], deleted: string[]): void;
  events(runId: string, events: RunEvent[]): void;
  estimate(runId: string, question: number, estimate: Estimate): void;
  /** The answer itself goes out: an estimate on the way to it must not arrive behind it. */
  answered(runId: string, question: number): void;
  /** What waits for a run that is no longer subscribed to. */
  forget(runId: string): void;
  end(): void;
}

type Notification = {
  [M in keyof ServerNotifications]: { method: M; params: ServerNotifications[M] };
}[keyof ServerNotifications];

interface Wire {
  send(notification: Notification): void;
  waitingBytes(): number;
}

export function makeOutbox({ send, waitingBytes }: Wire): Outbox {
  /** What is to be said, each under what it is about; a map keeps the order of first mention. */
  const waiting = new Map<string, () => Notification>();
  const events = new Map<string, RunEvent[]>();
  const changes = { runs: new Map<string, RunSummary>(), deleted: new Set<string>() };
  /** By run: what the newest estimate is about. */
  const questions = new Map<string, number>();
  let timer: NodeJS.Timeout | null = null;
  let ended = false;

  const gapMs = 1000 / limits.notificationsPerSecond;
  const soon = (delayMs: number) => {
    timer ??= setTimeout(next, delayMs);
  };
  let lastAtMs = Number.NEGATIVE_INFINITY;
  const say = (about: string, make: () => Notification) => {
    if (ended) return;
    if (!waiting.has(about)) waiting.set(about, make);
    soon(Math.max(0, lastAtMs + gapMs - performance.now()));
  };
  function next(): void {
    timer = null;
    const [first] = waiting;
    if (!first) return;
    if (waitingBytes() < limits.waitingBytes) {
      const [about, make] = first;
      waiting.delete(about);
      lastAtMs = performance.now();
      send(make());
    }
    if (waiting.size > 0) soon(gapMs);
  }

  const sayEvents = (runId: string) =>
    say(`events ${runId}`, () => {
      const all = events.get(runId) ?? [];
      const now = all.splice(0, limits.eventsPerNotification);
      if (all.length > 0) sayEvents(runId);
      else events.delete(runId);
      return { method: 'runs/events', params: { runId, events: now } };
    });

  return {
    changed(runs, deleted) {
      for (const run of runs) changes.runs.set(run.runId, run);
      for (const runId of deleted) {
        changes.runs.delete(runId);
        changes.deleted.add(runId);
      }
      say('changes', () => {
        const params = { runs: [...changes.runs.values()], deleted: [...changes.deleted] };
        changes.runs.clear();
        changes.deleted.clear();
        return { method: 'runs/changed', params };
      });
    },
    events(runId, more) {
      const all = events.get(runId);
      if (all) for (const event of more) all.push(event);
      else events.set(runId, [...more]);
      sayEvents(runId);
    },
    estimate(runId, question, estimate) {
      // The newest one replaces those that have not gone out.
      const about = `estimate ${runId}`;
      waiting.delete(about);
      questions.set(runId, question);
      say(about, () => ({ method: 'runs/estimate', params: { runId, question, estimate } }));
    },
    answered(runId, question) {
      if (questions.get(runId) !== question) return;
      questions.delete(runId);
      waiting.delete(`estimate ${runId}`);
    },
    forget(runId) {
      waiting.delete(`events ${runId}`);
      events.delete(runId);
    },
    end() {
      ended = true;
      waiting.clear();
      if (timer) clearTimeout(timer);
    },
  };
}
