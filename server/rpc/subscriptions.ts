// Which runs a client follows: one subscription a run, each ended exactly once.
import type { Runs } from '../runs/types';
import type { Outbox } from './outbox';

export interface Subscriptions {
  /** Replaces an older one of the same run. */
  follow(runId: string, since: number): Promise<{ lastSeq: number }>;
  leave(runId: string): void;
  leaveAll(): void;
}

export function makeSubscriptions(runs: Runs, outbox: Outbox): Subscriptions {
  const ends = new Map<string, () => void>();
  const leave = (runId: string) => {
    ends.get(runId)?.();
    ends.delete(runId);
    outbox.forget(runId);
  };
  return {
    leave,
    leaveAll() {
      for (const runId of [...ends.keys()]) leave(runId);
    },
    async follow(runId, since) {
      leave(runId);
      // It may be left before the run has been found.
      let over = false;
      let stop = () => {};
      const end = () => {
        over = true;
        stop();
      };
      ends.set(runId, end);
      try {
        const subscription = await runs.subscribe(runId, since, (events) => {
          if (!over) outbox.events(runId, events);
        });
        stop = subscription.stop;
        if (over) stop();
        return { lastSeq: subscription.lastSeq };
      } catch (error) {
        if (ends.get(runId) === end) ends.delete(runId);
        throw error;
      }
    },
  };
}
