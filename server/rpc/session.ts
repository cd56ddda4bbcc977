// One connected client: the life cycle of the language server protocol, and the table of methods behind it. `exit` and a lost
// socket end this session; the server and its runs live on.
import { type CancellationToken, createMessageConnection, ErrorCodes, ResponseError } from 'vscode-jsonrpc/node';
import * as z from 'zod';
import { isUserError } from '../errors';
import { cannotRead } from '../shared/systemErrors';
import { incompatibilityOf, incompatibilitySentence, type Peer, protocolName } from '../protocol/compatibility';
import type { ClientOptions, ErrorData, ServerFacts } from '../protocol/server';
import type { Readers } from '../readerClient/readers';
import type { Runs } from '../runs/runs';
import type { Devices } from './devices';
import { type Caller, isMethod, methods } from './methods';
import { type Outbox, openOutbox } from './outbox';
import { type Roots, rootsOf } from './roots';
import type { ClientSocket } from './socket';

export interface SessionServer {
  facts(): ServerFacts;
  readonly runs: Runs;
  readonly readers: Readers;
  readonly devices: Devices;
  readonly control: Caller['server'];
  /** For defects. */
  log(text: string): void;
  /** Does something later, unless it is cancelled by the function that it returns. */
  after?(ms: number, act: () => void): () => void;
}

/** LSP's codes for a request that was well-formed and could not be done, and for one that was cancelled. */
const requestFailed = -32803;
const requestCancelled = -32800;

/** A connection that has not sent `initialize` by then is closed. */
export const initializeWithinMs = 10_000;

const clientOptions: z.ZodType<ClientOptions> = z.object({
  protocol: z.literal(protocolName),
  wire: z.string().max(200),
  build: z.string().max(200),
  roots: z.array(z.string().max(4096)).max(1000),
});
/** Clients of another build may send other options, so only what names them is read first. */
const peer = z.object({
  protocol: z.string().max(100),
  wire: z.string().max(200).optional(),
  build: z.string().max(200),
});

interface Session {
  readonly server: SessionServer;
  readonly outbox: Outbox;
  phase: { kind: 'new' } | { kind: 'ready'; roots: Roots } | { kind: 'shutdown' };
  /** Aborted when the client has gone. */
  readonly gone: AbortController;
  /** `initialize` has come: the connection stays open. */
  stopTimer(): void;
}

export function openSession(socket: ClientSocket, server: SessionServer): void {
  const { runs, log, after = onClock } = server;
  const quiet = () => {};
  const connection = createMessageConnection(socket.reader, socket.writer, {
    error: quiet,
    warn: quiet,
    info: quiet,
    log: quiet,
  });
  const outbox = openOutbox({
    eventsAfter: runs.eventsAtHand,
    // A socket may close between two events: what is not received is replayed when the client comes back.
    send: (method, params) => void connection.sendNotification(method, params).catch(() => {}),
    waitingBytes: socket.waitingBytes,
  });
  const unsubscribe = runs.subscribe(outbox);
  const stopTimer = after(initializeWithinMs, () => {
    log('a client did not send initialize');
    socket.close(1008, 'initialize did not come');
  });
  const session: Session = { server, outbox, phase: { kind: 'new' }, gone: new AbortController(), stopTimer };

  connection.onRequest((method: string, params: unknown, token: CancellationToken) =>
    answer(session, method, params, token),
  );
  connection.onNotification((method: string) => {
    if (method === 'exit') socket.close();
  });
  // What arrives broken has no id to answer to.
  connection.onError(quiet);
  connection.onClose(() => {
    stopTimer();
    session.gone.abort();
    unsubscribe();
    runs.cancelQueriesOf(outbox);
    outbox.end();
    connection.dispose();
  });
  connection.listen();
}

/** The life cycle of the protocol; everything else is a row in the table of methods. */
async function answer(session: Session, method: string, params: unknown, token: CancellationToken): Promise<unknown> {
  const { phase, outbox } = session;
  if (method === 'initialize') return initialize(session, params);
  if (phase.kind === 'new') throw new ResponseError(ErrorCodes.ServerNotInitialized, 'Send initialize first.');
  if (phase.kind === 'shutdown') throw new ResponseError(ErrorCodes.InvalidRequest, 'This connection was shut down.');
  if (method === 'shutdown') {
    session.phase = { kind: 'shutdown' };
    outbox.end();
    return null;
  }
  return callMethod(session, phase.roots, { method, params, token });
}

function initialize(session: Session, params: unknown): unknown {
  if (session.phase.kind !== 'new')
    throw new ResponseError(ErrorCodes.InvalidRequest, 'This connection is initialized already.');
  const given = (params as { initializationOptions?: unknown } | null)?.initializationOptions;
  const facts = session.server.facts();
  const client = peer.safeParse(given);
  if (client.success) refuseIncompatible(client.data, facts, session.server.runs.canStartEngines());
  const options = clientOptions.safeParse(given);
  if (!options.success) throw invalidParams('initialize', options.error);
  session.phase = { kind: 'ready', roots: rootsOf(options.data.roots) };
  session.stopTimer();
  return {
    capabilities: {},
    serverInfo: { name: 'espalier', version: facts.build },
    espalier: facts,
  };
}

function refuseIncompatible(client: Peer, server: ServerFacts, canStartEngines: boolean): void {
  const reason = incompatibilityOf(client, server) ?? (canStartEngines ? null : 'serverRemoved');
  if (!reason) return;
  throw new ResponseError<ErrorData & { retry: boolean }>(
    requestFailed,
    incompatibilitySentence(reason, client, server),
    { code: 'otherBuild', reason, build: server.build, retry: false },
  );
}

interface Call {
  readonly method: string;
  readonly params: unknown;
  readonly token: CancellationToken;
}

async function callMethod(session: Session, roots: Roots, { method, params, token }: Call): Promise<unknown> {
  const { server, outbox } = session;
  if (!isMethod(method)) throw new ResponseError(ErrorCodes.MethodNotFound, `There is no method ${shown(method)}.`);
  const row = methods[method];
  const checked = row.params.safeParse(params ?? {});
  if (!checked.success) throw invalidParams(method, checked.error);
  const { signal, unlisten } = signalOf(token);
  const read = server.readers.forClient(session, AbortSignal.any([signal, session.gone.signal]));
  const { runs, devices, log, control } = server;
  const caller: Caller = { roots, outbox, runs, devices, read, log, signal, server: control };
  try {
    // The row of a method takes what its own schema gave.
    return await (row.handle as (params: unknown, caller: Caller) => unknown)(checked.data, caller);
  } catch (error) {
    throw responseError(method, error, signal.aborted, server.log);
  } finally {
    unlisten();
  }
}

function responseError(
  method: string,
  thrown: unknown,
  aborted: boolean,
  log: SessionServer['log'],
): ResponseError<ErrorData> {
  const error = cannotRead(thrown);
  if (isUserError(error)) {
    const code = aborted && error.code === 'cancelled' ? requestCancelled : requestFailed;
    return new ResponseError<ErrorData>(code, error.message, { code: error.code });
  }
  log(`${method}: ${error instanceof Error ? error.stack : String(error)}`);
  return new ResponseError<ErrorData>(ErrorCodes.InternalError, `${method} failed by a defect; see the log.`, {
    code: 'internal',
  });
}

const onClock: NonNullable<SessionServer['after']> = (ms, act) => {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
};

/** The client's $/cancelRequest as a signal. */
function signalOf(token: CancellationToken): { signal: AbortSignal; unlisten(): void } {
  const abort = new AbortController();
  if (token.isCancellationRequested) abort.abort();
  const listening = token.onCancellationRequested(() => abort.abort());
  return { signal: abort.signal, unlisten: () => listening.dispose() };
}

function invalidParams(method: string, error: z.ZodError): ResponseError<ErrorData> {
  const issue = error.issues[0]!;
  const where = issue.path.join('.');
  return new ResponseError<ErrorData>(
    ErrorCodes.InvalidParams,
    `The params of ${method} are not right${where && ` at ${shown(where)}`}: ${shown(issue.message)}.`,
    { code: 'usage' },
  );
}

const shown = (text: string): string => (text.length > 200 ? `${text.slice(0, 197)}...` : text);
