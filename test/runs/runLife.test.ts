// Every state of a run's life with every event: where it leads and what follows from it. `-`: nothing changes; `refused`: the
// client hears that it cannot be.
import { describe, expect, it } from 'vitest';
import { UserError } from '../../server/errors';
import type { Outcome, WorkEvent } from '../../server/protocol/engine';
import type { Report } from '../../server/recipes/kinds';
import type { RunState } from '../../server/protocol/server';
import { isActive, type RunLife, type RunLifeEvent, runStateOf, transition } from '../../server/runs/runLife';

const running: Extract<RunState, { state: 'running' }> = { state: 'running', step: 'train', fraction: 0.5 };
const paused = { ...running, state: 'paused' } as const;
const report = { kind: 'prune' } as Report;
const outcomes = {
  done: { kind: 'done', report },
  failed: { kind: 'failed', code: 'badData', message: 'No text.' },
  cancelled: { kind: 'failed', code: 'cancelled', message: 'Cancelled; nothing was written.' },
} as const satisfies Record<string, Outcome>;
const work: WorkEvent = { kind: 'text', text: 'a' };
const fault = { code: 'cannotWrite', message: 'The disk is full.' };

const states = {
  created: { state: 'created' },
  queued: { state: 'queued' },
  running,
  paused,
  cancelling: { state: 'cancelling', seenAs: paused },
  stoppingByFault: { state: 'stopping', into: { state: 'failed', ...fault }, seenAs: running },
  stoppingWithServer: { state: 'stopping', into: { state: 'interrupted' }, seenAs: running },
  finishingDone: { state: 'finishing', outcome: outcomes.done, cancelled: false, seenAs: running },
  finishingDoneCancelled: { state: 'finishing', outcome: outcomes.done, cancelled: true, seenAs: running },
  finishingFailed: { state: 'finishing', outcome: outcomes.failed, cancelled: false, seenAs: running },
  finishingFailedCancelled: { state: 'finishing', outcome: outcomes.failed, cancelled: true, seenAs: running },
  finishingCancelled: { state: 'finishing', outcome: outcomes.cancelled, cancelled: false, seenAs: running },
  done: { state: 'done' },
  failed: { state: 'failed', code: 'device', message: 'No device.' },
  cancelled: { state: 'cancelled' },
  interrupted: { state: 'interrupted' },
  elsewhere: { state: 'elsewhere', host: 'node7', seenAs: running },
  goneElsewhere: { state: 'elsewhere', host: 'node7', seenAs: { state: 'interrupted' } },
} as const satisfies Record<string, RunLife>;

const events = {
  enqueue: { kind: 'enqueue' },
  turn: { kind: 'turn' },
  emitted: { kind: 'emitted', event: work, progress: null },
  progress: { kind: 'emitted', event: work, progress: { step: 'write', fraction: 0.75 } },
  paused: { kind: 'paused' },
  continued: { kind: 'continued' },
  outcome: { kind: 'outcome', outcome: outcomes.done, staysWarm: false },
  warmOutcome: { kind: 'outcome', outcome: outcomes.done, staysWarm: true },
  failedOutcome: { kind: 'outcome', outcome: outcomes.failed, staysWarm: false },
  engineGone: { kind: 'engineGone' },
  cancel: { kind: 'cancel' },
  control: { kind: 'control', action: 'pause' },
  fault: { kind: 'fault', ...fault },
  serverEnds: { kind: 'serverEnds' },
  seen: { kind: 'seen', life: { state: 'elsewhere', host: 'node8', seenAs: running } },
} as const satisfies Record<string, RunLifeEvent>;

const enqueued = 'queued: open saveState joinQueue';
/** Of a state in which the work is not going on: what an engine says there is of an earlier attempt. */
const noEngine = {
  turn: '-',
  emitted: '-',
  progress: '-',
  paused: '-',
  continued: '-',
  outcome: '-',
  warmOutcome: '-',
  failedOutcome: '-',
  engineGone: '-',
  seen: '-',
} as const;
const works = {
  enqueue: '-',
  turn: '-',
  outcome: 'finishing done: stopEngine',
  warmOutcome: 'done: keepWarm saveReport append saveState close',
  failedOutcome: 'finishing failed: stopEngine',
  engineGone: '-',
  cancel: 'cancelling: stopEngine',
  fault: 'stopping into failed: stopEngine',
  serverEnds: 'stopping into interrupted: killEngine',
  seen: '-',
} as const;
const finishes = {
  ...noEngine,
  enqueue: '-',
  fault: 'stopping into failed: stopEngine',
  serverEnds: 'stopping into interrupted: killEngine',
} as const;
const stops = {
  ...noEngine,
  enqueue: '-',
  cancel: '-',
  fault: '-',
  serverEnds: 'stopping into interrupted: killEngine',
};
const hasEnded = {
  ...noEngine,
  enqueue: enqueued,
  cancel: '-',
  control: 'refused',
  serverEnds: '-',
  seen: 'elsewhere running: publish',
} as const;

const table: Record<keyof typeof states, Record<keyof typeof events, string>> = {
  created: { ...noEngine, enqueue: enqueued, cancel: '-', control: '-', fault: '-', serverEnds: '-' },
  queued: {
    ...noEngine,
    enqueue: '-',
    turn: 'running start 0: saveState startEngine',
    cancel: 'cancelled: leaveQueue saveState close',
    control: 'refused',
    fault: 'failed: saveState close',
    serverEnds: 'interrupted: saveState',
  },
  running: {
    ...works,
    emitted: 'running train 0.5: append',
    progress: 'running write 0.75: append publish',
    paused: 'paused train 0.5: saveState',
    continued: '-',
    control: 'running train 0.5: tellEngine',
  },
  paused: {
    ...works,
    emitted: 'paused train 0.5: append',
    progress: 'paused write 0.75: append publish',
    paused: '-',
    continued: 'running train 0.5: saveState',
    control: 'paused train 0.5: tellEngine',
  },
  cancelling: {
    ...noEngine,
    enqueue: '-',
    emitted: 'cancelling: append',
    progress: 'cancelling: append publish',
    outcome: 'finishing done, cancelled: stopEngine',
    // An engine that a client has cancelled is not kept.
    warmOutcome: 'finishing done, cancelled: stopEngine',
    failedOutcome: 'finishing failed, cancelled: stopEngine',
    engineGone: 'cancelled: saveState close',
    cancel: '-',
    control: 'cancelling: tellEngine',
    fault: 'stopping into failed: stopEngine',
    serverEnds: 'stopping into interrupted: killEngine',
  },
  stoppingByFault: { ...stops, engineGone: 'failed: saveState close', control: 'stopping into failed: tellEngine' },
  stoppingWithServer: {
    ...stops,
    engineGone: 'interrupted: saveState close',
    control: 'stopping into interrupted: tellEngine',
  },
  finishingDone: {
    ...finishes,
    engineGone: 'done: saveReport append saveState close',
    cancel: 'finishing done, cancelled:',
    control: 'finishing done: tellEngine',
  },
  finishingDoneCancelled: {
    ...finishes,
    engineGone: 'done: saveReport append saveState close',
    cancel: 'finishing done, cancelled:',
    control: 'finishing done, cancelled: tellEngine',
  },
  finishingFailed: {
    ...finishes,
    engineGone: 'failed: saveState close',
    cancel: 'finishing failed, cancelled:',
    control: 'finishing failed: tellEngine',
  },
  finishingFailedCancelled: {
    ...finishes,
    engineGone: 'cancelled: saveState close',
    cancel: 'finishing failed, cancelled:',
    control: 'finishing failed, cancelled: tellEngine',
  },
  finishingCancelled: {
    ...finishes,
    engineGone: 'cancelled: saveState close',
    cancel: 'finishing failed, cancelled:',
    control: 'finishing failed: tellEngine',
  },
  done: { ...hasEnded, enqueue: 'refused', fault: 'failed: saveState close' },
  failed: { ...hasEnded, fault: 'failed: publish close' },
  cancelled: { ...hasEnded, fault: 'failed: saveState close' },
  interrupted: { ...hasEnded, fault: '-' },
  elsewhere: { ...hasEnded, enqueue: 'refused', cancel: 'refused', fault: '-' },
  goneElsewhere: { ...hasEnded, fault: '-' },
};

/** A state in a few words. */
function shown(life: RunLife): string {
  switch (life.state) {
    case 'running':
    case 'paused':
      return `${life.state} ${life.step} ${life.fraction}`;
    case 'stopping':
      return `stopping into ${life.into.state}`;
    case 'finishing':
      return `finishing ${life.outcome.kind}${life.cancelled ? ', cancelled' : ''}`;
    case 'elsewhere':
      return `elsewhere ${life.seenAs.state}`;
    default:
      return life.state;
  }
}

function resultOf(life: RunLife, event: RunLifeEvent): string {
  try {
    const next = transition(life, event);
    if (next.life === life && next.effects.length === 0) return '-';
    const effects = next.effects.map((effect) =>
      effect.do === 'stopEngine' && effect.graceMs === 0 ? 'killEngine' : effect.do,
    );
    return `${shown(next.life)}: ${effects.join(' ')}`.trim();
  } catch (error) {
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({ code: 'badState' });
    return 'refused';
  }
}

const names = Object.keys(events) as (keyof typeof events)[];

describe('a run that is', () => {
  it.each(Object.keys(states) as (keyof typeof states)[])('%s does with each event what its row says', (state) => {
    const row = Object.fromEntries(names.map((event) => [event, resultOf(states[state], events[event])]));
    expect(row).toEqual(table[state]);
  });
});

describe('a transition', () => {
  it('says why a run fails, and what its report is', () => {
    expect(transition(states.finishingFailed, events.engineGone).life).toEqual({
      state: 'failed',
      code: 'badData',
      message: 'No text.',
    });
    expect(transition(states.running, events.fault).life).toMatchObject({ into: { state: 'failed', ...fault } });
    expect(transition(states.finishingDone, events.engineGone).effects).toContainEqual({ do: 'saveReport', report });
    expect(() => transition(states.done, events.enqueue)).toThrow('This run is done; start a new one.');
    expect(() => transition(states.queued, events.control)).toThrow(
      'This run is queued; only a run that goes on can be paused or stopped.',
    );
  });

  it('changes nothing in what it is given', () => {
    const before = structuredClone(states);
    for (const state of Object.values(states)) for (const event of Object.values(events)) resultOf(state, event);
    expect(states).toEqual(before);
  });
});

describe('clients see', () => {
  it.each<{ life: keyof typeof states; as: RunState['state']; active: boolean }>([
    { life: 'created', as: 'queued', active: true },
    { life: 'queued', as: 'queued', active: true },
    { life: 'running', as: 'running', active: true },
    { life: 'cancelling', as: 'paused', active: true },
    { life: 'stoppingByFault', as: 'running', active: true },
    { life: 'finishingDone', as: 'running', active: true },
    { life: 'done', as: 'done', active: false },
    { life: 'failed', as: 'failed', active: false },
    { life: 'interrupted', as: 'interrupted', active: false },
  ])('$life as $as', ({ life, as, active }) => {
    const state = runStateOf(states[life]);
    expect(state.state).toBe(as);
    expect(isActive(state)).toBe(active);
  });
});
