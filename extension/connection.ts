// The one connection of this window to the compute server: a language client whose socket may come and go. Runs outlive
// the socket, so after every reconnect each followed run is asked for again from the last event seen.
import { setTimeout as sleep } from 'node:timers/promises';
import { CancellationTokenSource, type Disposable, EventEmitter, type LogOutputChannel, workspace } from 'vscode';
import { CloseAction, ErrorAction, LanguageClient, State } from 'vscode-languageclient/node';
import type { ConnectionState } from '../server/protocol/pages/page';
import type { ClientOptions, RunEvent, ServerNotifications, ServerRequests } from '../server/protocol/server';
import { isUserError, UserError } from '../server/errors';
import { endServer, reachServer, type ServerPlace } from './serverProcess';
import { openSocket } from './socket';
import { requireTrust } from './trust';

declare const __ESPALIER_BUILD__: string;

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

/** What goes wrong with the connection is in the status bar and the log; the client's pop-ups would only repeat it. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

interface Followed {
  lastSeq: number;
  readonly events: RunEvent[];
  readonly listeners: Set<(events: RunEvent[]) => void>;
}

export function openConnection(place: () => ServerPlace, roots: () => string[], log: LogOutputChannel): Connection {
  const states = new EventEmitter<ConnectionState>();
  const followed = new Map<string, Followed>();
  const listeners = new Map<string, Set<(params: never) => void>>();
  let state: ConnectionState = { state: 'stopped' };
  let client: LanguageClient | null = null;
  let wanted = new AbortController();
  let everConnected = false;

  const show = (next: ConnectionState) => {
    state = next;
    log.info(`connection ${next.state}${'message' in next ? `: ${next.message}` : ''}`);
    states.fire(next);
  };
  const clientOptions = (): ClientOptions => ({ protocol: 'espalier.v1', build: __ESPALIER_BUILD__, roots: roots() });

  /** Retries until it works: a language client whose first start fails never starts again. */
  async function connect(signal: AbortSignal) {
    for (let attempt = 1; ; attempt++) {
      try {
        const transports = await openSocket(await reachServer(place(), signal));
        if (signal.aborted) transports.writer.end();
        signal.throwIfAborted();
        return { ...transports, detached: true };
      } catch (error) {
        if (signal.aborted) throw error;
        const message = error instanceof Error ? error.message : String(error);
        log.info(`attempt ${attempt} to reach the server: ${message}`);
        // What only a person can mend is shown; the next attempt comes all the same.
        if (isUserError(error)) show({ state: 'failed', message });
        else show(everConnected ? { state: 'reconnecting', attempt } : { state: 'starting' });
      }
      await pause(Math.min(5000, 100 * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2), signal);
    }
  }

  function start(): void {
    if (client || !workspace.isTrusted) return;
    wanted = new AbortController();
    const { signal } = wanted;
    show({ state: 'starting' });
    const made = new QuietClient('espalier', 'Espalier', () => connect(signal), {
      documentSelector: [{ language: 'espalier-recipe' }],
      outputChannel: log,
      initializationOptions: clientOptions,
      initializationFailedHandler: (error) => {
        failedToInitialize(error);
        return false;
      },
      errorHandler: {
        error: () => ({ action: ErrorAction.Continue, handled: true }),
        closed: () => {
          if (signal.aborted) return { action: CloseAction.DoNotRestart, handled: true };
          show({ state: 'reconnecting', attempt: 0 });
          return { action: CloseAction.Restart, handled: true };
        },
      },
    });
    client = made;
    for (const method of notifications)
      made.onNotification(method, (params) => {
        if (method === 'runs/events') receive(params as ServerNotifications['runs/events']);
        for (const listener of listeners.get(method) ?? []) listener(params as never);
      });
    made.onDidChangeState(({ newState }) => {
      if (newState !== State.Running) void replaceIfOver(made, signal);
      else if (client === made) void connected();
      // It was let go while its socket opened, when it could not be stopped; a second client would keep the server awake.
      else
        void made
          .start()
          .then(() => made.stop())
          .catch((error) => log.debug(`stop: ${error instanceof Error ? error.message : error}`));
    });
    // It rejects when the socket is lost during initialize; the restart that was asked for goes on by itself.
    made.start().catch((error) => log.debug(`start: ${error instanceof Error ? error.message : error}`));
  }

  /**
   * A client whose server ends right behind its answer to initialize stops for good: another takes its place. Between two
   * sockets of its own it says that it stopped, too, but starts in the same breath.
   */
  async function replaceIfOver(made: LanguageClient, signal: AbortSignal): Promise<void> {
    await pause(100, signal).catch(() => {});
    if (client !== made || signal.aborted || made.state === State.Running || made.state === State.Starting) return;
    wanted.abort();
    client = null;
    start();
  }

  function failedToInitialize(error: unknown): void {
    const { message, data } = error as { message?: string; data?: { code?: string } };
    if (data?.code === 'otherBuild' || data?.code === 'versionMismatch') {
      show({ state: 'failed', message: message ?? 'The running server is of another build; restart the server.' });
      wanted.abort();
      client = null;
    } else log.warn(`initialize: ${message}`);
  }

  async function connected(): Promise<void> {
    everConnected = true;
    show({ state: 'connected' });
    for (const [runId, run] of followed) await subscribe(runId, run);
  }

  async function subscribe(runId: string, run: Followed): Promise<void> {
    try {
      const { lastSeq } = await request('runs/subscribe', { runId, since: run.lastSeq });
      log.info(`run ${runId}: had ${run.lastSeq}, server has ${lastSeq}`);
    } catch (error) {
      log.warn(`run ${runId} cannot be followed: ${error instanceof Error ? error.message : error}`);
    }
  }

  function receive({ runId, events }: ServerNotifications['runs/events']): void {
    const run = followed.get(runId);
    const fresh = run ? events.filter(({ seq }) => seq > run.lastSeq) : [];
    if (!run || fresh.length === 0) return; // a repeat
    if (fresh[0]!.seq !== run.lastSeq + 1)
      log.warn(`run ${runId}: events ${run.lastSeq + 1} to ${fresh[0]!.seq - 1} are missing`);
    run.lastSeq = fresh.at(-1)!.seq;
    run.events.push(...fresh);
    for (const listener of run.listeners) listener(fresh);
  }

  async function request<M extends keyof ServerRequests>(
    method: M,
    params: ServerRequests[M]['params'],
    cancelled?: AbortSignal,
  ): Promise<ServerRequests[M]['result']> {
    const now = client;
    if (!now?.isRunning()) throw new UserError('device', 'The compute server is not connected; try again in a moment.');
    const source = new CancellationTokenSource();
    const cancel = () => source.cancel();
    cancelled?.addEventListener('abort', cancel);
    try {
      return await now.sendRequest(method as string, params, source.token);
    } finally {
      cancelled?.removeEventListener('abort', cancel);
      source.dispose();
    }
  }

  async function ready(): Promise<void> {
    requireTrust();
    if (state.state === 'connected') return;
    start();
    await new Promise<void>((resolve, reject) => {
      const settle = (now: ConnectionState) => {
        if (now.state === 'connected') resolve();
        else if (now.state === 'failed') reject(new UserError('device', now.message));
        else if (now.state === 'stopped')
          reject(new UserError('device', 'The compute server was stopped; start it again from the status bar.'));
        else return;
        waiting.dispose();
      };
      const waiting = states.event(settle);
    });
  }

  async function stop(): Promise<void> {
    const before = client;
    client = null;
    wanted.abort();
    everConnected = false;
    show({ state: 'stopped' });
    if (before?.isRunning()) await before.stop().catch((error) => log.debug(`stop: ${error}`)); // throws in other states
  }

  return {
    get state() {
      return state;
    },
    onState: (listener) => states.event(listener),
    request,
    on(method, listener) {
      const known = listeners.get(method) ?? new Set();
      listeners.set(method, known);
      known.add(listener as (params: never) => void);
      return { dispose: () => void known.delete(listener as (params: never) => void) };
    },
    follow(runId, listener) {
      let run = followed.get(runId);
      if (!run) {
        run = { lastSeq: 0, events: [], listeners: new Set() };
        followed.set(runId, run);
        if (client?.isRunning()) void subscribe(runId, run); // else connected() will
      } else if (run.events.length > 0) listener([...run.events]);
      run.listeners.add(listener);
      const { listeners: heard } = run;
      return {
        dispose() {
          heard.delete(listener);
          if (heard.size > 0) return;
          followed.delete(runId);
          if (client?.isRunning()) request('runs/unsubscribe', { runId }).catch(() => {});
        },
      };
    },
    start,
    ready,
    async restart() {
      const asked = request('server/stop', {});
      await Promise.race([asked, refuseAfter(answerMs)]).catch(() => endServer(place().dataFolder));
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

/** A server that does not answer by then is ended. */
const answerMs = 3000;

const refuseAfter = async (ms: number): Promise<never> => {
  await sleep(ms, undefined, { ref: false });
  throw new Error('no answer');
};

/** Rejects when the signal is aborted. */
const pause = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal });

const notifications = ['runs/events', 'runs/changed', 'runs/estimate'] as const satisfies (keyof ServerNotifications)[];
