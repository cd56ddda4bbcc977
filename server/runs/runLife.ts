// The life of a run as a pure function: from a state and an event to the next state and the effects that follow from it.
// Nothing is started or written here; effects.ts carries the effects out.
//
//   created ──enqueue──▶ queued ──turn──▶ running ◀──▶ paused
//      failed, cancelled, interrupted ──enqueue──▶ queued
//   running, paused ──outcome──▶ finishing ──engineGone──▶ done, failed, cancelled
//   running, paused ──cancel, fault, serverEnds──▶ stopping ──engineGone──▶ cancelled, failed, interrupted
//   ended, elsewhere ──seen──▶ ended, elsewhere, as a server of another host has written
import { UserError } from '../errors';
import type { Outcome, RunControl, WorkEvent } from '../protocol/engine';
import type { Report } from '../recipes/kinds';
import type { RunEvent, RunState } from '../protocol/server';

/** How long an engine may take to tidy up before it is killed. */
const graceMs = 2000;

type Working = Extract<RunState, { state: 'running' | 'paused' }>;
type Ended = Extract<RunState, { state: 'done' | 'failed' | 'cancelled' | 'interrupted' }>;
type Failed = Extract<RunState, { state: 'failed' }>;
export type Seen = Ended | Extract<RunLife, { state: 'elsewhere' }>;

/** Clients see `stopping` and `finishing` as the state in which the work was. */
export type RunLife =
  | { state: 'created' }
  | { state: 'queued' }
  | Working
  /** The engine was asked to end, and the run ends as `into` whatever the engine reports. */
  | { state: 'stopping'; into: Failed | { state: 'interrupted' }; seenAs: Working }
  /** The engine was asked to end by a client; a report that it sends all the same is kept. */
  | { state: 'cancelling'; seenAs: Working }
  /** The engine has reported its outcome; its process is ending. */
  | { state: 'finishing'; outcome: Outcome; cancelled: boolean; seenAs: Working }
  | Ended
  /** Another server has it. `seenAs` is interrupted where that server gives no sign of life. */
  | { state: 'elsewhere'; host: string; seenAs: RunState };

export type RunLifeEvent =
  /** The first attempt, or another one. */
  | { kind: 'enqueue' }
  /** The device is free. */
  | { kind: 'turn' }
  | { kind: 'emitted'; event: WorkEvent; progress: { step: string; fraction: number } | null }
  | { kind: 'paused' }
  | { kind: 'continued' }
  | { kind: 'outcome'; outcome: Outcome; staysWarm: boolean }
  | { kind: 'engineGone' }
  /** Requests of clients. */
  | { kind: 'cancel' }
  | { kind: 'control'; action: RunControl }
  /** An effect could not be carried out, such as a write to a full disk. */
  | { kind: 'fault'; code: string; message: string }
  /** The server ends, or the one that had this run has ended. */
  | { kind: 'serverEnds' }
  /** Another server has changed it, or has begun or ceased to give signs of life. */
  | { kind: 'seen'; life: Seen };

export type RunEffect =
  /** Reads the events of earlier attempts, behind which new ones are appended. */
  | { do: 'open' }
  | { do: 'joinQueue' }
  | { do: 'leaveQueue' }
  | { do: 'startEngine' }
  | { do: 'tellEngine'; action: RunControl }
  /** Without an engine `engineGone` follows at once. */
  | { do: 'stopEngine'; graceMs: number }
  | { do: 'keepWarm' }
  | { do: 'append'; event: RunEvent['event'] }
  | { do: 'saveReport'; report: Report }
  /** Appends the state as an event, saves it and publishes it. */
  | { do: 'saveState' }
  /** Tells the subscribers of the new state without writing it. */
  | { do: 'publish' }
  /** Frees the device and what is kept in memory for an active run. */
  | { do: 'close' };

export interface Transition {
  readonly life: RunLife;
  readonly effects: readonly RunEffect[];
}

/** Throws UserError('badState') where a client requests what the state does not allow. What comes too late changes nothing. */
export function transition(life: RunLife, event: RunLifeEvent): Transition {
  // The row of a state takes that state, and its rule for a kind of event takes that kind.
  const rule = rules[life.state][event.kind] as ((life: RunLife, event: RunLifeEvent) => Transition) | undefined;
  return rule ? rule(life, event) : { life, effects: [] };
}

/** What clients see, and what is on disk. */
export function runStateOf(life: RunLife): RunState {
  if (life.state === 'created') return { state: 'queued' };
  return 'seenAs' in life ? life.seenAs : life;
}

export const isActive = ({ state }: RunState): boolean =>
  state === 'queued' || state === 'running' || state === 'paused';

/** What each kind of event does in a state; a kind without a rule changes nothing. */
type Row<L extends RunLife> = {
  readonly [E in RunLifeEvent['kind']]?: (life: L, event: Extract<RunLifeEvent, { kind: E }>) => Transition;
};

const to = (life: RunLife, ...effects: RunEffect[]): Transition => ({ life, effects });
const save = { do: 'saveState' } as const;
const close = { do: 'close' } as const;
const stopEngine = { do: 'stopEngine', graceMs } as const;
const killEngine = { do: 'stopEngine', graceMs: 0 } as const;

const enqueue = () => to({ state: 'queued' }, { do: 'open' }, save, { do: 'joinQueue' });
const failed = ({ code, message }: { code: string; message: string }): Failed => ({ state: 'failed', code, message });

export const goesOnElsewhere = (host: string): UserError =>
  new UserError('badState', `This run goes on on ${host}; pause, end or delete it from a window there.`);

const refuseControl = ({ state }: { state: string }): never => {
  throw new UserError('badState', `This run is ${state}; only a run that goes on can be paused or stopped.`);
};
const tellEngine = (life: RunLife, { action }: { action: RunControl }) => to(life, { do: 'tellEngine', action });

type Emitted = Extract<RunLifeEvent, { kind: 'emitted' }>;

const keepEvent = (life: RunLife, { event, progress }: Emitted): Transition =>
  progress ? to(life, { do: 'append', event }, { do: 'publish' }) : to(life, { do: 'append', event });

/** A run ends with its report, also where a client cancelled it too late. */
function finished({ outcome, cancelled }: Extract<RunLife, { state: 'finishing' }>): Transition {
  if (outcome.kind === 'done')
    return to(
      { state: 'done' },
      { do: 'saveReport', report: outcome.report },
      { do: 'append', event: { kind: 'reported' } },
      save,
      close,
    );
  return to(cancelled || outcome.code === 'cancelled' ? { state: 'cancelled' } : failed(outcome), save, close);
}

const working: Row<Working> = {
  emitted: (life, event) => keepEvent({ ...life, ...event.progress }, event),
  outcome(life, { outcome, staysWarm }) {
    const finishing = { state: 'finishing', outcome, cancelled: false, seenAs: life } as const;
    if (!staysWarm) return to(finishing, stopEngine);
    const { life: done, effects } = finished(finishing);
    return to(done, { do: 'keepWarm' }, ...effects);
  },
  cancel: (life) => to({ state: 'cancelling', seenAs: life }, stopEngine),
  control: tellEngine,
  fault: (life, fault) => to({ state: 'stopping', into: failed(fault), seenAs: life }, stopEngine),
  serverEnds: (life) => to({ state: 'stopping', into: { state: 'interrupted' }, seenAs: life }, killEngine),
};

const seen = (_: RunLife, { life }: { life: Seen }) => to(life, { do: 'publish' });

type Elsewhere = Extract<RunLife, { state: 'elsewhere' }>;
const refuseWhereItLives = ({ host, seenAs }: Elsewhere): void => {
  if (isActive(seenAs)) throw goesOnElsewhere(host);
};

const rules: { readonly [S in RunLife['state']]: Row<Extract<RunLife, { state: S }>> } = {
  created: { enqueue },
  queued: {
    turn: () => to({ state: 'running', step: 'start', fraction: 0 }, save, { do: 'startEngine' }),
    cancel: () => to({ state: 'cancelled' }, { do: 'leaveQueue' }, save, close),
    control: refuseControl,
    fault: (_, fault) => to(failed(fault), save, close),
    serverEnds: () => to({ state: 'interrupted' }, save),
  },
  running: { ...working, paused: (life) => to({ ...life, state: 'paused' }, save) },
  paused: { ...working, continued: (life) => to({ ...life, state: 'running' }, save) },
  cancelling: {
    emitted: (life, event) => keepEvent({ ...life, seenAs: { ...life.seenAs, ...event.progress } }, event),
    outcome: ({ seenAs }, { outcome }) => to({ state: 'finishing', outcome, cancelled: true, seenAs }, stopEngine),
    control: tellEngine,
    fault: ({ seenAs }, fault) => to({ state: 'stopping', into: failed(fault), seenAs }, stopEngine),
    engineGone: () => to({ state: 'cancelled' }, save, close),
    serverEnds: ({ seenAs }) => to({ state: 'stopping', into: { state: 'interrupted' }, seenAs }, killEngine),
  },
  stopping: {
    control: tellEngine,
    engineGone: ({ into }) => to(into, save, close),
    serverEnds: (life) => to({ ...life, into: { state: 'interrupted' } }, killEngine),
  },
  finishing: {
    control: tellEngine,
    cancel: (life) => to({ ...life, cancelled: true }),
    engineGone: finished,
    fault: ({ seenAs }, fault) => to({ state: 'stopping', into: failed(fault), seenAs }, stopEngine),
    serverEnds: ({ seenAs }) => to({ state: 'stopping', into: { state: 'interrupted' }, seenAs }, killEngine),
  },
  // A fault there means that the end could not be written; the run has failed, in memory at least.
  done: {
    enqueue() {
      throw new UserError('badState', 'This run is done; start a new one.');
    },
    control: refuseControl,
    fault: (_, fault) => to(failed(fault), save, close),
    seen,
  },
  cancelled: { enqueue, control: refuseControl, fault: (_, fault) => to(failed(fault), save, close), seen },
  failed: { enqueue, control: refuseControl, fault: (_, fault) => to(failed(fault), { do: 'publish' }, close), seen },
  // Where this cannot be written, the disk still says that the run is active, and the next server reads the same in it.
  interrupted: { enqueue, control: refuseControl, seen },
  elsewhere: {
    enqueue(life) {
      refuseWhereItLives(life);
      return enqueue();
    },
    cancel(life) {
      refuseWhereItLives(life);
      return to(life);
    },
    control(life) {
      refuseWhereItLives(life);
      return refuseControl(life.seenAs);
    },
    seen,
  },
};
