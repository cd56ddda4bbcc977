// One connected client: the life cycle of LSP by hand, since a ready-made one would end the shared server when one window
// says exit; and the way from a request to its handler and back to exactly one answer.
import { randomUUID } from 'node:crypto';
import { type CancellationToken, createMessageConnection, ErrorCodes, ResponseError } from 'vscode-jsonrpc/node';
import { z } from 'zod';
import { isUserError, UserError } from '../errors';
import type { ErrorData, ServerFacts } from '../protocol';
import type { Runs } from '../runs/types';
import { limits } from './limits';
import { isMethod, type MethodName, methods } from './methods';
import { makeOutbox, type Outbox } from './outbox';
import { canonicalRoots } from './roots';
import type { Client, Log } from './socket';
import { makeSubscriptions, type Subscriptions } from './subscriptions';

/** What the sessions of a server share. */
export interface Serving {
  runs: Runs;
  facts: ServerFacts;
  nClients(): number;
  /** Ends the server, after the answer is out. */
  stop(): void;
  log: Log;
}

/** What a handler knows of the client that asks. */
export interface Session extends Serving {
  client: string;
  roots: readonly string[];
  outbox: Outbox;
  subscriptions: Subscriptions;
}

type Phase = 'new' | 'mismatched' | 'ready' | 'over';

/** A client of another build may still see what runs, and make room for its own server. */
const servedToAnybody: readonly string[] = ['server/status', 'server/stop'] satisfies MethodName[];

export function openSession(client: Client, serving: Serving): Outbox {
  const connection = createMessageConnection(client.reader, client.writer);
  const outbox = makeOutbox({
    waitingBytes: client.waitingBytes,
    // The socket may close at any moment, and what it then misses is replayed to the next one.
    send: ({ method, params }) => void connection.sendNotification(method, params).catch(() => {}),
  });
  const session: Session = {
    ...serving,
    client: randomUUID(),
    roots: [],
    outbox,
    subscriptions: makeSubscriptions(serving.runs, outbox),
  };
  const { facts, log } = serving;
  const gone = new AbortController();
  let phase: Phase = 'new';
  let nOpen = 0;

  const lateInitialize = setTimeout(() => {
    if (phase === 'new') client.close(1008, 'No initialize came.');
  }, limits.initializeMs);

  connection.onRequest(async (method: string, params: unknown, token: CancellationToken) => {
    if (nOpen >= limits.openRequests) return failure(ErrorCodes.InvalidRequest, 'usage', 'Too many requests are open.');
    nOpen++;
    const aborted = abortSignal(token, gone.signal);
    try {
      return await answer(method, params, aborted.signal);
    } catch (error) {
      return toResponse(error, method, log);
    } finally {
      aborted.end();
      nOpen--;
    }
  });

  async function answer(method: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    if (method === 'initialize') return initialize(params);
    const served = phase === 'ready' || (phase === 'mismatched' && servedToAnybody.includes(method));
    if (!served)
      return phase === 'over'
        ? failure(ErrorCodes.InvalidRequest, 'notReady', 'The connection was shut down.')
        : failure(ErrorCodes.ServerNotInitialized, 'notReady', 'Say initialize first.');
    if (method === 'shutdown') {
      phase = 'over';
      session.subscriptions.leaveAll();
      outbox.end();
      return null;
    }
    if (!isMethod(method)) return failure(ErrorCodes.MethodNotFound, 'unknownMethod', `There is no method ${method}.`);
    return methods[method](params, session, signal);
  }

  async function initialize(params: unknown): Promise<unknown> {
    if (phase !== 'new') return failure(ErrorCodes.InvalidRequest, 'usage', 'initialize came a second time.');
    const parsed = initializeSchema.safeParse(params);
    if (!parsed.success)
      return failure(ErrorCodes.InvalidParams, 'usage', `initialize: ${z.prettifyError(parsed.error)}`);
    const { protocol, build, roots } = parsed.data.initializationOptions;
    const mismatch =
      protocol !== facts.protocol
        ? `speaks ${facts.protocol} and this client ${protocol}`
        : build !== facts.build && `is build ${facts.build} and this client ${build}`;
    if (mismatch) {
      phase = 'mismatched';
      const message = `The Espalier server that runs ${mismatch}; restart the server.`;
      const data: ErrorData & { retry: boolean } = { code: 'versionMismatch', server: facts, retry: false };
      return new ResponseError(requestFailed, message, data);
    }
    session.roots = await canonicalRoots(roots);
    phase = 'ready';
    return { capabilities: {}, serverInfo: { name: 'espalier', version: facts.build }, espalier: facts };
  }

  connection.onNotification((method: string) => {
    if (method === 'exit') client.close(1000, 'Goodbye.');
  });
  // What the reader cannot use it has answered already, and what cannot be written is replayed.
  connection.onError(() => {});

  void client.closed.then(() => {
    clearTimeout(lateInitialize);
    gone.abort();
    session.subscriptions.leaveAll();
    outbox.end();
    connection.dispose();
  });
  connection.listen();
  return outbox;
}

const initializeSchema = z.object({
  initializationOptions: z.object({
    protocol: z.string().max(100),
    build: z.string().max(100),
    roots: z.array(z.string().min(1).max(4096)).max(1000),
  }),
});

// Of the Language Server Protocol.
const requestFailed = -32803;
const requestCancelled = -32800;

const failure = (code: number, ours: string, message: string) =>
  new ResponseError<ErrorData>(code, message, { code: ours });

/** What a person can act on goes out as it is; anything else is a defect of ours and goes into the log as well. */
function toResponse(error: unknown, method: string, log: Log): ResponseError<ErrorData> {
  if (error instanceof z.ZodError)
    return failure(ErrorCodes.InvalidParams, 'usage', `${method}: ${z.prettifyError(error)}`);
  if (isUserError(error))
    return failure(error.code === 'cancelled' ? requestCancelled : requestFailed, error.code, error.message);
  log(`${method} failed: ${error instanceof Error ? error.stack : String(error)}`);
  const message = error instanceof Error ? error.message : String(error);
  return failure(ErrorCodes.InternalError, 'internal', `${method} failed (${message}); the server's log has more.`);
}

/** Aborted by the client's cancel or by the end of its connection. */
function abortSignal(token: CancellationToken, gone: AbortSignal): { signal: AbortSignal; end(): void } {
  const controller = new AbortController();
  const abort = () => controller.abort(new UserError('cancelled', 'The request was cancelled.'));
  gone.addEventListener('abort', abort);
  // A token that was cancelled before anybody looked never tells its listeners.
  if (token.isCancellationRequested || gone.aborted) abort();
  const listener = token.onCancellationRequested(abort);
  return {
    signal: controller.signal,
    end() {
      gone.removeEventListener('abort', abort);
      listener.dispose();
    },
  };
}
