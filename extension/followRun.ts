// Following a run, in the same way for every panel: its events are replayed and applied one by one, its report is fetched
// at the end, and after a reconnect the run is fetched again. A reducer says what a panel makes of it.
import type { Disposable } from 'vscode';
import type { RunEvent, RunSummary, ServerRequests } from '../server/protocol/server';
import type { Connection } from './connection';

/** What the server has of a run. */
export type RunDetails = ServerRequests['runs/get']['result'];

/** What is shown of a run, as a function of what the server has of it and of its events; pure. */
export interface RunReducer<S extends { readonly run: RunSummary }> {
  /** `before`: what was shown so far; null: nothing. Throws UserError where the run is of another kind. */
  fetched(details: RunDetails, before: S | null): S;
  /** One more event; `state.run` has it already. */
  applied?(state: S, event: RunEvent['event']): S;
  /** Events say what no report says, so they are replayed even of a run that is done. */
  readonly replaysDone?: boolean;
}

export interface RunListener<S> {
  changed(state: S, before: S): void;
  /** After they were applied. */
  events?(events: readonly RunEvent[]): void;
}

export interface FollowedRun<S> extends Disposable {
  readonly state: S;
  update(change: (state: S) => S): void;
}

type Server = Pick<Connection, 'request' | 'follow' | 'on' | 'onState'>;

/** Fetches a run and follows it. Throws where there is no such run, or the reducer refuses it. */
export async function openRun<S extends { readonly run: RunSummary }>(
  runId: string,
  server: Server,
  reducer: RunReducer<S>,
  listener: RunListener<S>,
): Promise<FollowedRun<S>> {
  const details = await server.request('runs/get', { runId });
  return followRun(reducer.fetched(details, null), server, reducer, listener);
}

/** Follows a run of which `first` is known. */
export function followRun<S extends { readonly run: RunSummary }>(
  first: S,
  server: Server,
  reducer: RunReducer<S>,
  listener: RunListener<S>,
): FollowedRun<S> {
  const { runId } = first.run;
  let state = first;
  let disposed = false;
  const become = (next: S) => {
    const before = state;
    state = next;
    if (!disposed) listener.changed(state, before);
  };

  function receive(events: readonly RunEvent[]): void {
    become(events.reduce((next, event) => reduceEvent(reducer, next, event), state));
    listener.events?.(events);
    // Only the server knows the times and the report.
    if (events.some(({ event }) => event.kind === 'reported' || event.kind === 'state')) void fetchAgain();
  }
  async function fetchAgain(): Promise<void> {
    // It fails without a connection, and is asked again after the next one.
    const details = await server.request('runs/get', { runId }).catch(() => null);
    if (details && !disposed) become(reducer.fetched(details, state));
  }

  const isDone = first.run.state === 'done';
  const listening = [
    ...(isDone && !reducer.replaysDone ? [] : [server.follow(runId, receive)]),
    server.onState((connection) => {
      if (connection.state === 'connected' && !isDone) void fetchAgain();
    }),
    server.on('runs/changed', ({ runs }) => {
      const summary = runs.find((run) => run.runId === runId);
      if (summary && summary.lastSeq >= state.run.lastSeq) become({ ...state, run: summary });
    }),
  ];
  return {
    get state() {
      return state;
    },
    update: (change) => become(change(state)),
    dispose() {
      disposed = true;
      for (const each of listening) each.dispose();
    },
  };
}

/** The one run that a panel shows. */
export interface ShownRun<Run extends Disposable> extends Disposable {
  readonly run: Run | null;
  /** Another run, or none. What was shown before is disposed, and so is a run that was overtaken while it was opened. */
  show(runId: string | null): Promise<void>;
}

export function openShownRun<Run extends Disposable>(open: (runId: string) => Promise<Run>): ShownRun<Run> {
  let wanted: string | null = null;
  let shown: { readonly runId: string; readonly run: Run } | null = null;
  const drop = () => {
    shown?.run.dispose();
    shown = null;
  };
  return {
    get run() {
      return shown?.run ?? null;
    },
    async show(runId) {
      wanted = runId;
      if (shown?.runId !== runId) drop();
      if (runId === null || shown) return;
      const run = await open(runId);
      if (wanted !== runId || shown) run.dispose();
      else shown = { runId, run };
    },
    dispose() {
      wanted = null;
      drop();
    },
  };
}

const reduceEvent = <S extends { readonly run: RunSummary }>(reducer: RunReducer<S>, state: S, event: RunEvent): S => {
  const next = { ...state, run: applyRunEvent(state.run, event) };
  return reducer.applied?.(next, event.event) ?? next;
};

/** A run after one more event. Events that the run has seen already, as they are replayed, change nothing. */
export function applyRunEvent(run: RunSummary, { event, seq }: RunEvent): RunSummary {
  if (seq <= run.lastSeq) return run;
  if (event.kind === 'state') return { ...run, ...event.state, lastSeq: seq } as RunSummary;
  if (event.kind === 'progress')
    return { ...run, state: 'running', step: event.step, fraction: event.fraction, lastSeq: seq } as RunSummary;
  return { ...run, lastSeq: seq };
}
