// The events of followed runs, from the first one, in order and once each, over any number of reconnects: runs outlive the
// socket, so after every reconnect each followed run is subscribed to again from the last event received.
import type { Disposable, LogOutputChannel } from 'vscode';
import type { RunEvent, ServerNotifications, ServerRequests } from '../server/protocol/server';

type Listener = (events: RunEvent[]) => void;

interface FollowedRun {
  lastSeq: number;
  readonly events: RunEvent[];
  readonly listeners: Set<Listener>;
}

export interface RunEventsWiring {
  isConnected(): boolean;
  request<M extends 'runs/subscribe' | 'runs/unsubscribe'>(
    method: M,
    params: ServerRequests[M]['params'],
  ): Promise<ServerRequests[M]['result']>;
  readonly log: LogOutputChannel;
}

export function openRunEvents({ isConnected, request, log }: RunEventsWiring) {
  const followed = new Map<string, FollowedRun>();

  async function subscribe(runId: string, run: FollowedRun): Promise<void> {
    try {
      const { lastSeq } = await request('runs/subscribe', { runId, since: run.lastSeq });
      log.info(`run ${runId}: had ${run.lastSeq}, server has ${lastSeq}`);
    } catch (error) {
      log.warn(`run ${runId} cannot be followed: ${error instanceof Error ? error.message : error}`);
    }
  }

  function unfollow(runId: string, run: FollowedRun, listener: Listener): void {
    run.listeners.delete(listener);
    if (run.listeners.size > 0 || followed.get(runId) !== run) return;
    followed.delete(runId);
    if (isConnected()) request('runs/unsubscribe', { runId }).catch(() => {});
  }

  return {
    follow(runId: string, listener: Listener): Disposable {
      const known = followed.get(runId);
      const run = known ?? { lastSeq: 0, events: [], listeners: new Set() };
      if (!known) {
        followed.set(runId, run);
        if (isConnected()) void subscribe(runId, run); // otherwise resubscribe() will
      } else if (run.events.length > 0) listener([...run.events]);
      run.listeners.add(listener);
      return { dispose: () => unfollow(runId, run, listener) };
    },
    receive({ runId, events }: ServerNotifications['runs/events']): void {
      const run = followed.get(runId);
      const fresh = run ? events.filter(({ seq }) => seq > run.lastSeq) : [];
      if (!run || fresh.length === 0) return; // a repeat
      if (fresh[0]!.seq !== run.lastSeq + 1)
        log.warn(`run ${runId}: events ${run.lastSeq + 1} to ${fresh[0]!.seq - 1} are missing`);
      run.lastSeq = fresh.at(-1)!.seq;
      run.events.push(...fresh);
      for (const listener of run.listeners) listener(fresh);
    },
    /** To be called with every new connection. */
    async resubscribe(): Promise<void> {
      for (const [runId, run] of followed) await subscribe(runId, run);
    },
  };
}
