// How a run is followed: what events make of it, when it is asked for again, and when listeners are no longer called.
import { describe, expect, it } from 'vitest';
import type { Connection } from '../../extension/connection';
import {
  applyRunEvent,
  followRun,
  openRun,
  openShownRun,
  type RunDetails,
  type RunReducer,
} from '../../extension/followRun';
import type { ConnectionState } from '../../server/protocol/pages/page';
import type { Recipe } from '../../server/recipes/kinds';
import type { RunEvent, RunState, RunSummary } from '../../server/protocol/server';
import { runSummary } from './rows';

const event = (seq: number, of: RunEvent['event']): RunEvent => ({ seq, atEpochMs: 0, event: of });
const stateEvent = (seq: number, state: RunState) => event(seq, { kind: 'state', state });
const running: RunState = { state: 'running', step: 'train', fraction: 0.5 };
const paused: RunState = { state: 'paused', step: 'train', fraction: 0.5 };

describe('a run after an event', () => {
  const run = runSummary(running, { kind: 'heal', lastSeq: 1 });
  it.each<{ name: string; of: RunEvent[]; is: Partial<RunSummary> }>([
    { name: 'a state takes the place of the one before', of: [stateEvent(2, paused)], is: { ...paused, lastSeq: 2 } },
    {
      name: 'it goes on by its states',
      of: [stateEvent(2, paused), stateEvent(3, running)],
      is: { ...running, lastSeq: 3 },
    },
    {
      name: 'progress means that it runs',
      of: [stateEvent(2, { state: 'queued' }), event(3, { kind: 'progress', step: 'write', fraction: 0.7 })],
      is: { state: 'running', step: 'write', fraction: 0.7, lastSeq: 3 },
    },
    {
      name: 'what else happens is counted alone',
      of: [event(2, { kind: 'reported' })],
      is: { ...running, lastSeq: 2 },
    },
    {
      name: 'what it has seen already changes nothing',
      of: [stateEvent(1, { state: 'queued' })],
      is: { ...running, lastSeq: 1 },
    },
    {
      name: 'a failure brings its sentence',
      of: [stateEvent(2, { state: 'failed', code: 'cannotFit', message: 'It needs 9 GB.' })],
      is: { state: 'failed', message: 'It needs 9 GB.' } as Partial<RunSummary>,
    },
  ])('$name', ({ of, is }) => {
    expect(of.reduce(applyRunEvent, run)).toMatchObject(is);
  });
});

/** Shows the text of a run so far, and how often it was fetched. */
interface Shown {
  readonly run: RunSummary;
  readonly text: string;
  readonly nFetched: number;
}
const reducer: RunReducer<Shown> = {
  fetched: ({ run }, before) => ({ run, text: before?.text ?? '', nFetched: (before?.nFetched ?? 0) + 1 }),
  applied: (state, of) => (of.kind === 'text' ? { ...state, text: state.text + of.text } : state),
};

/** A server whose run is driven by the test. */
function served(state: RunState = running) {
  let details: RunDetails = {
    run: runSummary(state, { lastSeq: 0 }),
    recipe: {} as Recipe,
    plan: null,
    warnings: [],
    report: null,
  };
  let isConnected = true;
  const nothing = () => {};
  let emit: (events: RunEvent[]) => void = nothing;
  const states = new Set<(state: ConnectionState) => void>();
  const changes = new Set<(change: { runs: RunSummary[]; deleted: string[] }) => void>();
  const listen = <T>(set: Set<T>, listener: T) => {
    set.add(listener);
    return { dispose: () => void set.delete(listener) };
  };
  const asked: string[] = [];
  const connection = {
    async request(method: string) {
      asked.push(method);
      if (!isConnected) throw new Error('not connected');
      return details;
    },
    follow(_: string, listener: (events: RunEvent[]) => void) {
      emit = listener;
      return {
        dispose() {
          emit = nothing;
        },
      };
    },
    onState: (listener: (state: ConnectionState) => void) => listen(states, listener),
    on: (_: string, listener: never) => listen(changes, listener),
  } as unknown as Pick<Connection, 'request' | 'follow' | 'on' | 'onState'>;
  return {
    connection,
    asked,
    isFollowed: () => emit !== nothing,
    emit: (...events: RunEvent[]) => emit(events),
    become(next: RunState, lastSeq: number) {
      details = { ...details, run: runSummary(next, { lastSeq }) };
    },
    lose() {
      isConnected = false;
    },
    connect() {
      isConnected = true;
      for (const listener of states) listener({ state: 'connected' });
    },
    push(...runs: RunSummary[]) {
      for (const listener of changes) listener({ runs, deleted: [] });
    },
  };
}
const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe('a run that is followed', () => {
  async function following(state?: RunState) {
    const server = served(state);
    const log: string[] = [];
    const followed = await openRun('1', server.connection, reducer, {
      changed: (now, before) => log.push(`${before.text}>${now.text}`),
      events: (events) => log.push(`${events.length} events`),
    });
    return { server, followed, log };
  }

  it('is what its events make of it, one after the other, with one change for all that come together', async () => {
    const { server, followed, log } = await following();
    server.emit(event(1, { kind: 'text', text: 'a' }), event(2, { kind: 'text', text: 'b' }));
    server.emit(event(3, { kind: 'text', text: 'c' }));
    expect(followed.state).toMatchObject({ text: 'abc', run: { lastSeq: 3 }, nFetched: 1 });
    expect(log).toEqual(['>ab', '2 events', 'ab>abc', '1 events']);
  });

  it.each<{ name: string; of: RunEvent; nFetched: number }>([
    { name: 'asked for again when its report is there', of: event(1, { kind: 'reported' }), nFetched: 2 },
    { name: 'asked for again when its state changes', of: stateEvent(1, { state: 'done' }), nFetched: 2 },
    { name: 'not asked for again for less', of: event(1, { kind: 'text', text: 'a' }), nFetched: 1 },
  ])('is $name', async ({ of, nFetched }) => {
    const { server, followed } = await following();
    server.emit(of);
    await settled();
    expect(followed.state.nFetched).toBe(nFetched);
  });

  it('is asked for again after a reconnect, and once more where that failed', async () => {
    const { server, followed } = await following();
    server.become({ state: 'done' }, 5);
    server.lose();
    server.emit(stateEvent(1, { state: 'done' }));
    await settled();
    expect(followed.state).toMatchObject({ run: { state: 'done', lastSeq: 1 }, nFetched: 1 });
    server.connect();
    await settled();
    expect(followed.state).toMatchObject({ run: { state: 'done', lastSeq: 5 }, nFetched: 2 });
  });

  it('takes from the list of runs how far it is, and never less than it knows', async () => {
    const { server, followed } = await following();
    const at = (fraction: number, lastSeq: number) => runSummary({ ...running, fraction } as RunState, { lastSeq });
    server.push(at(0.7, 7), { ...at(0.9, 9), runId: 'other' });
    server.push(at(0.6, 6));
    expect(followed.state.run).toMatchObject({ fraction: 0.7, lastSeq: 7 });
  });

  it.each([
    { state: running, replaysDone: false, is: true },
    { state: { state: 'done' } as RunState, replaysDone: false, is: false },
    { state: { state: 'done' } as RunState, replaysDone: true, is: true },
  ])('that is $state.state has its events replayed: $is', ({ state, replaysDone, is }) => {
    const server = served(state);
    const first: Shown = { run: runSummary(state), text: '', nFetched: 1 };
    followRun(first, server.connection, { ...reducer, replaysDone }, { changed() {} });
    expect(server.isFollowed()).toBe(is);
  });

  it('calls no listener once it is disposed, whatever is on its way', async () => {
    const { server, followed, log } = await following();
    server.emit(event(1, { kind: 'reported' }));
    const before = log.length;
    followed.dispose();
    await settled();
    server.emit(event(2, { kind: 'text', text: 'late' }));
    server.push(runSummary(running, { lastSeq: 9 }));
    server.connect();
    await settled();
    expect(log).toHaveLength(before);
    expect(server.isFollowed()).toBe(false);
  });
});

describe('the run that a panel shows', () => {
  /** Runs that are opened when the test says so. */
  function opening() {
    const log: string[] = [];
    const opened = new Map<string, () => void>();
    const shown = openShownRun<{ runId: string; dispose(): void }>(
      (runId) =>
        new Promise((resolve) => {
          log.push(`open ${runId}`);
          opened.set(runId, () => resolve({ runId, dispose: () => void log.push(`dispose ${runId}`) }));
        }),
    );
    return { shown, log, open: (runId: string) => opened.get(runId)!() };
  }

  it('is opened once, and disposed when another takes its place', async () => {
    const { shown, log, open } = opening();
    const first = shown.show('a');
    open('a');
    await first;
    await shown.show('a');
    const second = shown.show('b');
    expect(shown.run).toBeNull();
    open('b');
    await second;
    expect(shown.run?.runId).toBe('b');
    await shown.show(null);
    expect(log).toEqual(['open a', 'dispose a', 'open b', 'dispose b']);
  });

  it.each<{ name: string; meanwhile: 'another' | 'none' | 'disposed'; is: string | null }>([
    { name: 'another one is shown', meanwhile: 'another', is: 'b' },
    { name: 'none is shown any more', meanwhile: 'none', is: null },
    { name: 'the panel is closed', meanwhile: 'disposed', is: null },
  ])('is disposed where, until it is opened, $name', async ({ meanwhile, is }) => {
    const { shown, log, open } = opening();
    const late = shown.show('a');
    const other = meanwhile === 'another' ? shown.show('b') : meanwhile === 'none' ? shown.show(null) : shown.dispose();
    if (meanwhile === 'another') open('b');
    await other;
    open('a');
    await late;
    expect(shown.run?.runId ?? null).toBe(is);
    expect(log).toContain('dispose a');
  });
});
