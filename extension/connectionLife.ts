// The life of the connection to the compute server as a pure function: from a state and an event to the next state and the
// effects that follow from it. connection.ts carries the effects out.
//
//   stopped ──start──▶ starting ──opened──▶ connected ──lost──▶ reconnecting ──opened──▶ connected
//   starting, reconnecting ──attemptFailed──▶ starting, reconnecting or failed, and the client tries again
//   any with a client ──refused──▶ failed, until the user restarts the server
import type { ConnectionState } from '../server/protocol/pages/page';

/** `wasConnected`: since the last stop. Only a connection that was there can be lost. */
export type ConnectionLife =
  | { readonly state: 'stopped' }
  | { readonly state: 'starting'; readonly wasConnected: boolean }
  | { readonly state: 'connected' }
  | { readonly state: 'reconnecting'; readonly attempt: number; readonly wasConnected: boolean }
  /** Retrying: the next attempt comes all the same. Otherwise there is no client. */
  | { readonly state: 'failed'; readonly message: string; readonly retrying: boolean; readonly wasConnected: boolean };

export type ConnectionEvent =
  | { readonly kind: 'start' }
  /** `needsPerson`: only the user can fix what went wrong. */
  | {
      readonly kind: 'attemptFailed';
      readonly attempt: number;
      readonly message: string;
      readonly needsPerson: boolean;
    }
  /** The server has answered to initialize. */
  | { readonly kind: 'opened' }
  /** The socket has closed; the client opens another one. */
  | { readonly kind: 'lost' }
  /** The server refused to initialize. */
  | { readonly kind: 'refused'; readonly message: string }
  /** The client has stopped for good. */
  | { readonly kind: 'clientOver' }
  | { readonly kind: 'stop' };

export type ConnectionEffect =
  | 'openClient'
  /** Without a shutdown: the client has no connection. */
  | 'dropClient'
  /** Shuts the connection down. */
  | 'stopClient'
  | 'followRuns';

export interface ConnectionTransition {
  readonly life: ConnectionLife;
  readonly effects: readonly ConnectionEffect[];
}

/** Returns the same life where nothing has changed. */
export function transition(life: ConnectionLife, event: ConnectionEvent): ConnectionTransition {
  const was = wasConnected(life);
  if (event.kind === 'stop') return to({ state: 'stopped' }, 'stopClient');
  if (!hasClient(life))
    return event.kind === 'start' ? to({ state: 'starting', wasConnected: was }, 'openClient') : to(life);
  switch (event.kind) {
    case 'start':
      return to(life);
    case 'attemptFailed':
      return to(afterFailure(event, was));
    case 'opened':
      return to({ state: 'connected' }, 'followRuns');
    case 'lost':
      return to({ state: 'reconnecting', attempt: 0, wasConnected: was });
    case 'refused':
      return to({ state: 'failed', message: event.message, retrying: false, wasConnected: was }, 'dropClient');
    case 'clientOver':
      return to({ state: 'starting', wasConnected: was }, 'dropClient', 'openClient');
  }
}

/** What is shown in the status bar and on pages. */
export function shownState(life: ConnectionLife): ConnectionState {
  switch (life.state) {
    case 'reconnecting':
      return { state: 'reconnecting', attempt: life.attempt };
    case 'failed':
      return { state: 'failed', message: life.message };
    default:
      return { state: life.state };
  }
}

const to = (life: ConnectionLife, ...effects: ConnectionEffect[]): ConnectionTransition => ({ life, effects });

const hasClient = (life: ConnectionLife): boolean =>
  life.state !== 'stopped' && (life.state !== 'failed' || life.retrying);

const wasConnected = (life: ConnectionLife): boolean =>
  life.state === 'connected' || ('wasConnected' in life && life.wasConnected);

function afterFailure(
  { attempt, message, needsPerson }: Extract<ConnectionEvent, { kind: 'attemptFailed' }>,
  was: boolean,
): ConnectionLife {
  if (needsPerson) return { state: 'failed', message, retrying: true, wasConnected: was };
  return was ? { state: 'reconnecting', attempt, wasConnected: was } : { state: 'starting', wasConnected: was };
}
