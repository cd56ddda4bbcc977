// A language client of the compute server, over a websocket. It opens sockets by itself, as long as its signal is not
// aborted, and emits what happens to its connection.
import { setTimeout as sleep } from 'node:timers/promises';
import type { LogOutputChannel } from 'vscode';
import { CloseAction, ErrorAction, LanguageClient, State } from 'vscode-languageclient/node';
import { isUserError } from '../server/errors';
import type { ClientOptions, ErrorData, ServerLock, ServerNotifications } from '../server/protocol/server';
import type { ConnectionEvent } from './connectionLife';
import { notifications, openSocket } from './socket';

export interface ServerClientWiring {
  /** The lock of a server that runs; starts one where there is none. */
  reachServer(signal: AbortSignal): Promise<ServerLock>;
  options(): ClientOptions;
  /** Aborted when the client is not wanted any more. */
  readonly signal: AbortSignal;
  emit(event: ConnectionEvent): void;
  onNotification<M extends keyof ServerNotifications>(method: M, params: ServerNotifications[M]): void;
  readonly log: LogOutputChannel;
}

/** What goes wrong with the connection is in the status bar and the log; the client's pop-ups would only repeat it. */
class QuietClient extends LanguageClient {
  override error(message: string, data?: unknown): void {
    super.error(message, data, false);
  }
}

export function startServerClient(wiring: ServerClientWiring): LanguageClient {
  const { options, signal, emit, onNotification, log } = wiring;
  const client = new QuietClient('espalier', 'Espalier', () => openTransports(wiring), {
    documentSelector: [{ language: 'espalier-recipe' }],
    outputChannel: log,
    initializationOptions: options,
    initializationFailedHandler(error: { message?: string; data?: ErrorData } | undefined) {
      if (error?.data?.code === 'otherBuild')
        emit({
          kind: 'refused',
          message: error.message ?? 'The running server is of another build; restart the server.',
        });
      else log.warn(`initialize: ${error?.message}`);
      return false;
    },
    errorHandler: {
      error: () => ({ action: ErrorAction.Continue, handled: true }),
      closed() {
        if (signal.aborted) return { action: CloseAction.DoNotRestart, handled: true };
        emit({ kind: 'lost' });
        return { action: CloseAction.Restart, handled: true };
      },
    },
  });
  for (const method of notifications)
    client.onNotification(method, (params) => onNotification(method, params as ServerNotifications[typeof method]));
  client.onDidChangeState(({ newState }) => {
    if (newState !== State.Running) void emitIfOver(client, wiring);
    else if (!signal.aborted) emit({ kind: 'opened' });
    else void stopLate(client, log);
  });
  // It rejects when the socket is lost during initialize; the restart that was asked for goes on by itself.
  client.start().catch((error) => log.debug(`start: ${error instanceof Error ? error.message : error}`));
  return client;
}

/** After so long without a server its failure is said to a person, who may know why; the attempts go on. */
const patienceMs = 10_000;

/** Retries until it works: a language client whose first start fails never starts again. */
async function openTransports({ reachServer, signal, emit, log }: ServerClientWiring) {
  const began = performance.now();
  for (let attempt = 1; ; attempt++) {
    try {
      const transports = await openSocket(await reachServer(signal));
      if (signal.aborted) transports.writer.end();
      signal.throwIfAborted();
      return { ...transports, detached: true };
    } catch (error) {
      if (signal.aborted) throw error;
      const message = error instanceof Error ? error.message : String(error);
      log.info(`attempt ${attempt} to reach the server: ${message}`);
      const failure = { kind: 'attemptFailed', attempt } as const;
      if (isUserError(error)) emit({ ...failure, message, needsPerson: true });
      else emit({ ...failure, message: silence(message), needsPerson: performance.now() - began > patienceMs });
    }
    await pause(Math.min(5000, 100 * 2 ** (attempt - 1)) * (0.75 + Math.random() / 2), signal);
  }
}

const silence = (how: string) => `The compute server does not answer (${how}); restart it.`;

/**
 * A client whose server ends right behind its answer to initialize stops for good. Between two sockets of its own it says
 * that it stopped, too, but starts in the same breath.
 */
async function emitIfOver(client: LanguageClient, { signal, emit }: ServerClientWiring): Promise<void> {
  await pause(100, signal).catch(() => {});
  if (signal.aborted || client.state === State.Running || client.state === State.Starting) return;
  emit({ kind: 'clientOver' });
}

/** It was dropped while its socket opened, when it could not be stopped; a second client would keep the server awake. */
async function stopLate(client: LanguageClient, log: LogOutputChannel): Promise<void> {
  try {
    await client.start();
    await client.stop();
  } catch (error) {
    log.debug(`stop: ${error instanceof Error ? error.message : error}`);
  }
}

/** Rejects when the signal is aborted. */
const pause = (ms: number, signal: AbortSignal): Promise<void> => sleep(ms, undefined, { signal });
