// Carries out what follows from the transitions of a run's life: on disk, on its engine, in the queue of its device, and for
// those who subscribe to runs. An effect that fails is an event of that life, too: a full disk fails its run, and the server
// lives on.
import { isUserError } from '../errors';
import type { AnalyzeRecipe } from '../recipes/analyze/recipe';
import type { RunEvent, RunSummary } from '../protocol/server';
import { resumed, startAttempt } from './attempt';
import { refusalOf } from '../shared/systemErrors';
import type { DeviceQueue } from './deviceQueue';
import { goesOnElsewhere, isActive, type RunEffect, type RunLifeEvent, runStateOf, transition } from './runLife';
import { type Run, type RunTable, summaryOf } from './runTable';
import { type Reserved, reservedBehind } from './eventNumbers';
import type { Owners } from './owners';
import type { openSpeeds } from './speeds';
import type { RunStore } from './store';
import type { WarmEngines } from './warmEngines';

/** Gets what happens to runs. */
export interface RunSubscriber {
  onEvents(runId: string): void;
  onChanged(run: RunSummary): void;
  onDeleted(runId: string): void;
}

/** What the runs of a server share. */
export interface RunParts {
  readonly store: RunStore;
  readonly owners: Owners;
  readonly speeds: ReturnType<typeof openSpeeds>;
  readonly table: RunTable;
  readonly warm: WarmEngines;
  readonly devices: DeviceQueue;
  readonly subscribers: Set<RunSubscriber>;
}

export type Dispatch = (run: Run, event: RunLifeEvent) => void;

export interface RunReporting {
  /** Called whenever the last active run has ended. */
  onIdle(): void;
  /** Where a defect of an engine goes, with its stack: a run keeps the sentence alone. */
  log(text: string): void;
}

export function openDispatch(parts: RunParts, reporting: RunReporting): Dispatch {
  const dispatch: Dispatch = (run, event) => {
    const { life, effects } = transition(run.life, event);
    run.life = life;
    run.record.state = runStateOf(life);
    for (const effect of effects) {
      try {
        // The row of an effect takes that effect.
        (rows[effect.do] as (run: Run, effect: RunEffect) => void)(run, effect);
      } catch (error) {
        dispatch(run, faultOf(effect, error));
        return;
      }
    }
  };

  const rows = effectRows(parts, dispatch, reporting);
  return dispatch;
}

type EffectRows = { readonly [D in RunEffect['do']]: (run: Run, effect: Extract<RunEffect, { do: D }>) => void };

const effectRows = (parts: RunParts, dispatch: Dispatch, { onIdle, log }: RunReporting): EffectRows => ({
  open: (run) => open(parts, run),
  joinQueue: (run) => joinQueue(parts, run, dispatch),
  leaveQueue(run) {
    if (run.job) parts.devices.remove(run.job);
  },
  startEngine: (run) => startEngineOf(run, dispatch, log),
  tellEngine: (run, { action }) => run.attempt?.engine.send({ kind: 'control', action }),
  stopEngine(run, { graceMs }) {
    if (run.attempt) run.attempt.engine.cancel(graceMs);
    else dispatch(run, { kind: 'engineGone' });
  },
  keepWarm: (run) => keepWarm(parts, run),
  append: (run, { event }) => append(parts, run, event),
  saveReport({ runId }, { report }) {
    requireMine(parts, runId);
    parts.store.saveReport(runId, report);
  },
  saveState: (run) => saveState(parts, run),
  publish: (run) => publish(parts, run),
  close(run) {
    close(parts, run);
    if (parts.table.nActive() === 0) onIdle();
  },
});

function open(parts: RunParts, run: Run): void {
  parts.owners.take(run.runId);
  run.tail = null;
  run.events = [...eventsOf(parts, run)];
  run.record.startedAtEpochMs = null;
  run.record.endedAtEpochMs = null;
  parts.store.ended.forget(run.runId);
}

/** The events of a run; what its log lost is said in it, under a number of its own. */
export function eventsOf({ store }: Pick<RunParts, 'store'>, run: Run): RunEvent[] {
  if (run.events) return run.events;
  if (run.life.state === 'elsewhere') return elsewhereEvents(store, run);
  return counted(run, store.ended.events(run));
}

/** Those of them that are in memory, or are soon had; null: the log has to be loaded. */
export function eventsAtHand({ store }: Pick<RunParts, 'store'>, run: Run): RunEvent[] | null {
  return run.events ?? (run.life.state === 'elsewhere' ? elsewhereEvents(store, run) : store.ended.known(run.runId));
}

/** The same, read in turns with other work. */
export async function loadedEvents({ store }: RunParts, run: Run): Promise<RunEvent[]> {
  // A run that was begun again, or deleted, while its log was read is looked at anew.
  for (let tries = 0; tries < 3; tries++) {
    const events = eventsAtHand({ store }, run);
    if (events) return counted(run, events);
    await store.ended.load(run);
  }
  return eventsOf({ store }, run);
}

function counted(run: Run, events: RunEvent[]): RunEvent[] {
  run.record.lastSeq = Math.max(run.record.lastSeq, events.at(-1)?.seq ?? 0);
  return events;
}

/** Of a run that another server may write to: they are read, and never mended. */
function elsewhereEvents(store: RunStore, run: Run): RunEvent[] {
  run.tail ??= { events: [], nBytes: 0 };
  store.readFurther(run.runId, run.tail);
  run.record.lastSeq = run.tail.events.at(-1)?.seq ?? 0;
  return run.tail.events;
}

/** This server may have been taken for dead, as when its host was asleep: what another one writes by now is not written. */
function requireMine({ owners }: RunParts, runId: string): void {
  if (!owners.isMine(runId)) throw goesOnElsewhere(owners.otherOf(runId)?.host ?? 'another host');
}

function joinQueue({ devices }: RunParts, run: Run, dispatch: Dispatch): void {
  const job = {
    start: () =>
      new Promise<void>((free) => {
        if (run.job !== job || run.life.state !== 'queued') return free(); // cancelled while the device was made free
        run.free = free;
        dispatch(run, { kind: 'turn' });
      }),
  };
  run.job = job;
  devices.add(run.recipe, job);
}

function startEngineOf(run: Run, dispatch: Dispatch, log: RunReporting['log']): void {
  const recipe = run.resumes ? resumed(run.recipe) : run.recipe;
  const { hubToken } = run;
  run.hubToken = null;
  run.attempt = startAttempt(recipe, run.record.roots, hubToken, (event, attempt) => {
    if (event.kind === 'outcome' && event.outcome.kind === 'failed' && event.outcome.stack)
      log(`run ${run.runId} failed: ${event.outcome.stack}`);
    // A warm engine ends later than its run, which may have a new attempt by then.
    if (run.attempt === attempt) dispatch(run, event);
  });
}

function keepWarm({ warm }: RunParts, { runId, attempt }: Run): void {
  if (attempt) attempt.onWarmEvent = warm.keep(runId, attempt.recipe as AnalyzeRecipe, attempt.engine);
}

export function append(parts: RunParts, run: Run, event: RunEvent['event']): void {
  const { store, speeds, subscribers } = parts;
  requireMine(parts, run.runId);
  const next: RunEvent = { seq: run.record.lastSeq + 1, atEpochMs: Date.now(), event };
  if (next.seq > (run.record.reserved?.upTo ?? 0)) saveRecord(parts, run, reservedBehind(next.seq));
  store.append(run.runId, next);
  run.record.lastSeq = next.seq;
  run.events?.push(next);
  if (event.kind === 'plan') speeds.remember(event.plan);
  for (const subscriber of subscribers) subscriber.onEvents(run.runId);
}

function saveState(parts: RunParts, run: Run): void {
  const { record } = run;
  if (record.state.state === 'running') record.startedAtEpochMs ??= Date.now();
  if (!isActive(record.state)) record.endedAtEpochMs = Date.now();
  append(parts, run, { kind: 'state', state: record.state });
  saveRecord(parts, run, isActive(record.state) ? reservedBehind(record.lastSeq) : null);
  if (!isActive(record.state)) parts.owners.release(run.runId);
  publish(parts, run);
}

function saveRecord({ store }: RunParts, run: Run, reserved: Reserved | null): void {
  run.record.reserved = reserved;
  try {
    store.saveRecord(run);
  } catch (error) {
    run.record.reserved = null; // it may stand there or not, so that the next number asks again
    throw error;
  }
}

function publish({ subscribers }: RunParts, run: Run): void {
  for (const subscriber of subscribers) subscriber.onChanged(summaryOf(run));
}

function close({ store, owners }: RunParts, run: Run): void {
  run.hubToken = null;
  run.events = null;
  run.attempt = null;
  run.job = null;
  store.ended.forget(run.runId);
  run.free?.();
  run.free = null;
  owners.release(run.runId);
}

const diskEffects: readonly RunEffect['do'][] = ['open', 'append', 'saveReport', 'saveState'];

function faultOf(effect: RunEffect, error: unknown): RunLifeEvent {
  if (isUserError(error)) return { kind: 'fault', code: error.code, message: error.message };
  return diskEffects.includes(effect.do)
    ? { kind: 'fault', code: 'cannotWrite', message: diskSentence(error) }
    : { kind: 'fault', code: 'internal', message: String(error) };
}

/** @param what cannot be done to the run */
export function diskSentence(error: unknown, what = 'kept on disk'): string {
  const refusal = refusalOf(error);
  if (!refusal) return `The run cannot be ${what} (${String(error)}); look into the server's data folder.`;
  const { path } = error as NodeJS.ErrnoException;
  return `The run cannot be ${what} (${refusal.code} at ${path}): ${refusal.why}; ${refusal.remedy}.`;
}
