// Every state of the connection with every event: where it leads and what follows from it. `-`: nothing changes.
import { describe, expect, it } from 'vitest';
import { type ConnectionEvent, type ConnectionLife, shownState, transition } from '../../extension/connectionLife';
import type { ConnectionState } from '../../server/protocol/pages/page';

const states = {
  stopped: { state: 'stopped' },
  starting: { state: 'starting', wasConnected: false },
  startingAgain: { state: 'starting', wasConnected: true },
  connected: { state: 'connected' },
  reconnecting: { state: 'reconnecting', attempt: 3, wasConnected: true },
  reconnectingAtFirst: { state: 'reconnecting', attempt: 0, wasConnected: false },
  failedRetrying: { state: 'failed', message: 'No Node.', retrying: true, wasConnected: false },
  failedLater: { state: 'failed', message: 'No Node.', retrying: true, wasConnected: true },
  refused: { state: 'failed', message: 'Restart the server.', retrying: false, wasConnected: false },
  refusedLater: { state: 'failed', message: 'Restart the server.', retrying: false, wasConnected: true },
} as const satisfies Record<string, ConnectionLife>;

const events = {
  start: { kind: 'start' },
  attemptFailed: { kind: 'attemptFailed', attempt: 2, message: 'ECONNREFUSED', needsPerson: false },
  needsPerson: { kind: 'attemptFailed', attempt: 2, message: 'No Node.', needsPerson: true },
  opened: { kind: 'opened' },
  lost: { kind: 'lost' },
  refused: { kind: 'refused', message: 'Restart the server.' },
  clientOver: { kind: 'clientOver' },
  stop: { kind: 'stop' },
} as const satisfies Record<string, ConnectionEvent>;

type Row = Record<keyof typeof events, string>;

/** Without a client, only a start does something; what an old client still emits does not. */
const noClient: Omit<Row, 'start'> = {
  attemptFailed: '-',
  needsPerson: '-',
  opened: '-',
  lost: '-',
  refused: '-',
  clientOver: '-',
  stop: 'stopped: stopClient',
};
/** A client that has never been connected: nothing that could be lost is said to be. */
const first: Row = {
  start: '-',
  attemptFailed: 'starting:',
  needsPerson: 'failed, retrying:',
  opened: 'connected: followRuns',
  lost: 'reconnecting 0:',
  refused: 'failed: dropClient',
  clientOver: 'starting: dropClient openClient',
  stop: 'stopped: stopClient',
};
const later: Row = {
  ...first,
  attemptFailed: 'reconnecting 2, was connected:',
  needsPerson: 'failed, retrying, was connected:',
  lost: 'reconnecting 0, was connected:',
  refused: 'failed, was connected: dropClient',
  clientOver: 'starting, was connected: dropClient openClient',
};

const table: Record<keyof typeof states, Row> = {
  stopped: { ...noClient, start: 'starting: openClient' },
  starting: first,
  startingAgain: later,
  connected: later,
  reconnecting: later,
  reconnectingAtFirst: first,
  failedRetrying: first,
  failedLater: later,
  refused: { ...noClient, start: 'starting: openClient' },
  refusedLater: { ...noClient, start: 'starting, was connected: openClient' },
};

function shown(life: ConnectionLife): string {
  const facts = [
    life.state === 'reconnecting' ? `${life.state} ${life.attempt}` : life.state,
    'retrying' in life && life.retrying && 'retrying',
    'wasConnected' in life && life.wasConnected && 'was connected',
  ];
  return facts.filter(Boolean).join(', ');
}

function resultOf(life: ConnectionLife, event: ConnectionEvent): string {
  const next = transition(life, event);
  if (next.life === life && next.effects.length === 0) return '-';
  return `${shown(next.life)}: ${next.effects.join(' ')}`.trim();
}

const names = Object.keys(events) as (keyof typeof events)[];

describe('a connection that is', () => {
  it.each(Object.keys(states) as (keyof typeof states)[])('%s does with each event what its row says', (state) => {
    const row = Object.fromEntries(names.map((event) => [event, resultOf(states[state], events[event])]));
    expect(row).toEqual(table[state]);
  });

  it.each<{ state: keyof typeof states; is: ConnectionState }>([
    { state: 'stopped', is: { state: 'stopped' } },
    { state: 'startingAgain', is: { state: 'starting' } },
    { state: 'connected', is: { state: 'connected' } },
    { state: 'reconnecting', is: { state: 'reconnecting', attempt: 3 } },
    { state: 'failedRetrying', is: { state: 'failed', message: 'No Node.' } },
    { state: 'refused', is: { state: 'failed', message: 'Restart the server.' } },
  ])('$state is shown so', ({ state, is }) => {
    expect(shownState(states[state])).toEqual(is);
  });
});
