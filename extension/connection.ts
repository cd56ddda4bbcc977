// The one connection of this window to the compute server, whose socket may come and go. What happens to it is in
// connectionLife.ts; here the effects are carried out, and requests are sent.
import { setTimeout as sleep } from 'node:timers/promises';
import { CancellationTokenSource, type Disposable, EventEmitter, type LogOutputChannel, workspace } from 'vscode';
import type { LanguageClient } from 'vscode-languageclient/node';
import { UserError } from '../server/errors';
import { protocolName } from '../server/protocol/compatibility';
import type { ConnectionState } from '../server/protocol/pages/page';
import type { ClientOptions, RunEvent, ServerNotifications, ServerRequests } from '../server/protocol/server';
import {
  type ConnectionEffect,
  type ConnectionEvent,
  type ConnectionLife,
  shownState,
  transition,
} from './connectionLife';
import { openRunEvents } from './runEvents';
import { startServerClient } from './serverClient';
import { endServer, reachServer, type ServerPlace } from './serverProcess';
import { requireTrust } from './settings';

declare const __ESPALIER_BUILD__: string;
declare const __ESPALIER_WIRE__: string;

export interface Connection extends Disposable {
  readonly state: ConnectionState;
  onState(listener: (state: ConnectionState) => void): Disposable;
  /** Rejects with the server's error and its data, or with a UserError while there is no connection. */
  request<M extends keyof ServerRequests>(
    method: M,
    params: ServerRequests[M]['params'],
    cancelled?: AbortSignal,
  ): Promise<ServerRequests[M]['result']>;
  on<M extends keyof ServerNotifications>(method: M, listener: (params: ServerNotifications[M]) => void): Disposable;
  /** Every event of a run from the first one, in order and once each, over any number of reconnects. */
  follow(runId: string, listener: (events: RunEvent[]) => void): Disposable;
  /** In Restricted Mode nothing is started. */
  start(): void;
  /** Resolves with the connection; rejects with a UserError where there will be none without a person's help. */
  ready(): Promise<void>;
  /** Ends the server, whatever it runs, and starts one of this build. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** The life of the connection, and the client that it has now. */
interface Link {
  life: ConnectionLife;
  client: LanguageClient | null;
  /** Aborted when the client is not wanted any more. */
  wanted: AbortController;
  /** The client that was there before is stopped. */
  stopping: Promise<void>;
}

const newLink = (): Link => ({
  life: { state: 'stopped' },
  client: null,
  wanted: new AbortController(),
  stopping: Promise.resolve(),
});

export function openConnection(place: () => ServerPlace, roots: () => string[], log: LogOutputChannel): Connection {
  const states = new EventEmitter<ConnectionState>();
  const listeners = openListeners();
  const link = newLink();
  const request: Connection['request'] = (method, params, cancelled) => sendRequest(link, method, params, cancelled);
  const runs = openRunEvents({ isConnected: () => link.client?.isRunning() ?? false, request, log });
  listeners.on('runs/events', runs.receive);

  const dispatch = (event: ConnectionEvent) => {
    const { life, effects: due } = transition(link.life, event);
    if (life !== link.life) {
      link.life = life;
      const shown = shownState(life);
      log.info(`connection ${shown.state}${'message' in shown ? `: ${shown.message}` : ''}`);
      states.fire(shown);
    }
    for (const effect of due) effects[effect]();
  };
  const effects = effectsOn(link, {
    open: (wanted) =>
      startServerClient({
        reachServer: (signal) => reachServer(place(), signal),
        options: () => ({ ...peer, roots: roots() }),
        signal: wanted,
        emit: (event) => wanted.aborted || dispatch(event),
        onNotification: listeners.emit,
        log,
      }),
    followRuns: () => void runs.resubscribe(),
    log,
  });
  const start = () => {
    if (workspace.isTrusted) dispatch({ kind: 'start' });
  };
  const stop = async () => {
    dispatch({ kind: 'stop' });
    await link.stopping;
  };
  return {
    get state() {
      return shownState(link.life);
    },
    onState: (listener) => states.event(listener),
    request,
    on: listeners.on,
    follow: runs.follow,
    start,
    ready: () => ready(link, start, states),
    async restart() {
      await askToEnd(request).catch(() => endServer(place().dataFolder));
      await stop();
      start();
    },
    stop,
    dispose() {
      states.dispose();
      void stop();
    },
  };
}

/** How this client introduces itself. */
const peer = {
  protocol: protocolName,
  wire: __ESPALIER_WIRE__,
  build: __ESPALIER_BUILD__,
} satisfies Partial<ClientOptions>;

interface EffectParts {
  /** Starts a client that is wanted until the signal is aborted. */
  open(wanted: AbortSignal): LanguageClient;
  followRuns(): void;
  readonly log: LogOutputChannel;
}

const effectsOn = (link: Link, { open, followRuns, log }: EffectParts): Record<ConnectionEffect, () => void> => ({
  openClient() {
    link.wanted = new AbortController();
    link.client = open(link.wanted.signal);
  },
  dropClient: () => void takeClient(link),
  stopClient() {
    link.stopping = stopClient(takeClient(link), log);
  },
  followRuns,
});

/** From now on nothing that the client does changes the connection. */
function takeClient(link: Link): LanguageClient | null {
  const { client } = link;
  link.client = null;
  link.wanted.abort();
  return client;
}

/** stop() throws in other states. */
async function stopClient(client: LanguageClient | null, log: LogOutputChannel): Promise<void> {
  if (client?.isRunning()) await client.stop().catch((error) => log.debug(`stop: ${error}`));
}

async function sendRequest<M extends keyof ServerRequests>(
  { client }: Link,
  method: M,
  params: ServerRequests[M]['params'],
  cancelled?: AbortSignal,
): Promise<ServerRequests[M]['result']> {
  if (!client?.isRunning())
    throw new UserError('device', 'The compute server is not connected; try again in a moment.');
  const source = new CancellationTokenSource();
  const cancel = () => source.cancel();
  cancelled?.addEventListener('abort', cancel);
  try {
    return await client.sendRequest(method as string, params, source.token);
  } finally {
    cancelled?.removeEventListener('abort', cancel);
    source.dispose();
  }
}

async function ready(link: Link, start: () => void, states: EventEmitter<ConnectionState>): Promise<void> {
  requireTrust();
  if (link.life.state === 'connected') return;
  start();
  await new Promise<void>((resolve, reject) => {
    const waiting = states.event((now) => {
      if (now.state === 'connected') resolve();
      else if (now.state === 'failed') reject(new UserError('device', now.message));
      else if (now.state === 'stopped')
        reject(new UserError('device', 'The compute server was stopped; start it again from the status bar.'));
      else return;
      waiting.dispose();
    });
  });
}

/** Who listens to which notification. */
function openListeners() {
  const byMethod = new Map<string, Set<(params: never) => void>>();
  return {
    on<M extends keyof ServerNotifications>(method: M, listener: (params: ServerNotifications[M]) => void): Disposable {
      const listeners = byMethod.get(method) ?? new Set();
      byMethod.set(method, listeners);
      listeners.add(listener as (params: never) => void);
      return { dispose: () => void listeners.delete(listener as (params: never) => void) };
    },
    emit<M extends keyof ServerNotifications>(method: M, params: ServerNotifications[M]): void {
      for (const listener of byMethod.get(method) ?? []) listener(params as never);
    },
  };
}

/** A server that does not answer by then is ended. */
const answerMs = 3000;

const askToEnd = (request: Connection['request']): Promise<unknown> =>
  Promise.race([request('server/stop', {}), refuseAfter(answerMs)]);

const refuseAfter = async (ms: number): Promise<never> => {
  await sleep(ms, undefined, { ref: false });
  throw new Error('no answer');
};
