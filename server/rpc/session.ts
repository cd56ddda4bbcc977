// One connected client: the life cycle of the language server protocol by hand, and the table of methods behind it. `exit`
// and a lost socket end this session; the server and its runs live on.
import { type CancellationToken, createMessageConnection, ErrorCodes, ResponseError } from 'vscode-jsonrpc/node';
import * as z from 'zod';
import { isUserError } from '../errors';
import type { ClientOptions, ErrorData, ServerFacts } from '../protocol/server';
import type { Runs } from '../runs/runs';
import { protocolName } from './guards';
import { type Caller, isMethod, methods } from './methods';
import { openOutbox } from './outbox';
import { type Roots, rootsOf } from './roots';
import type { ClientSocket } from './socket';

export interface SessionServer {
  facts(): ServerFacts;
  readonly runs: Runs;
  readonly control: Caller['server'];
  /** For defects of ours. */
  log(text: string): void;
  /** Does something later, unless it is called off by what it gives back. */
  after?(ms: number, act: () => void): () => void;
}

/** LSP's codes for a request that was well-formed and could not be done, and for one that was taken back. */
const requestFailed = -32803;
const requestCancelled = -32800;

/** Whoever does not introduce himself by then is not waited for. */
export const introductionMs = 10_000;

const clientOptions: z.ZodType<ClientOptions> = z.object({
  protocol: z.literal(protocolName),
  build: z.string().max(200),
  roots: z.array(z.string().max(4096)).max(1000),
});
/** Clients of another build may speak otherwise, so only what names them is read first. */
const introduction = z.object({ protocol: z.string().max(100), build: z.string().max(200) });

export function openSession(socket: ClientSocket, { facts, runs, control, log, after = onClock }: SessionServer): void {
  const connection = createMessageConnection(socket.reader, socket.writer, {
    error: () => {},
    warn: () => {},
    info: () => {},
    log: () => {},
  });
  const outbox = openOutbox({
    eventsAfter: runs.eventsAfter,
    // A socket may close between two events: what is not heard any more is replayed to whoever comes back.
    send: (method, params) => void connection.sendNotification(method, params).catch(() => {}),
    waitingBytes: socket.waitingBytes,
  });
  const forget = runs.listen(outbox);
  let phase: { kind: 'new' } | { kind: 'ready'; roots: Roots } | { kind: 'shutdown' } = { kind: 'new' };

  const introduced = after(introductionMs, () => {
    log('a client did not introduce itself');
    socket.close(1008, 'initialize did not come');
  });

  function initialize(params: unknown): unknown {
    if (phase.kind !== 'new')
      throw new ResponseError(ErrorCodes.InvalidRequest, 'This connection is initialized already.');
    const given = (params as { initializationOptions?: unknown } | null)?.initializationOptions;
    const { protocol, build, ...rest } = facts();
    const named = introduction.safeParse(given);
    if (named.success && (named.data.protocol !== protocol || named.data.build !== build))
      throw new ResponseError<ErrorData & { retry: boolean }>(
        requestFailed,
        `The running server is build ${build}, this client is build ${named.data.build}; restart the server.`,
        { code: 'otherBuild', build, retry: false },
      );
    const options = clientOptions.safeParse(given);
    if (!options.success) throw invalidParams('initialize', options.error);
    phase = { kind: 'ready', roots: rootsOf(options.data.roots) };
    introduced();
    return {
      capabilities: {},
      serverInfo: { name: 'espalier', version: build },
      espalier: { protocol, build, ...rest } satisfies ServerFacts,
    };
  }

  connection.onRequest(async (method: string, params: unknown, token: CancellationToken): Promise<unknown> => {
    if (method === 'initialize') return initialize(params);
    if (phase.kind === 'new') throw new ResponseError(ErrorCodes.ServerNotInitialized, 'Send initialize first.');
    if (phase.kind === 'shutdown') throw new ResponseError(ErrorCodes.InvalidRequest, 'This connection was shut down.');
    if (method === 'shutdown') {
      phase = { kind: 'shutdown' };
      outbox.end();
      return null;
    }
    if (!isMethod(method)) throw new ResponseError(ErrorCodes.MethodNotFound, `There is no method ${shown(method)}.`);
    const row = methods[method];
    const checked = row.params.safeParse(params ?? {});
    if (!checked.success) throw invalidParams(method, checked.error);
    const { signal, unlisten } = signalOf(token);
    const caller: Caller = { roots: phase.roots, outbox, runs, signal, server: control };
    try {
      // The row of a method takes what its own schema gave.
      return await (row.handle as (params: unknown, caller: Caller) => unknown)(checked.data, caller);
    } catch (error) {
      if (isUserError(error)) {
        const code = signal.aborted && error.code === 'cancelled' ? requestCancelled : requestFailed;
        throw new ResponseError<ErrorData>(code, error.message, { code: error.code });
      }
      log(`${method}: ${error instanceof Error ? error.stack : String(error)}`);
      throw new ResponseError<ErrorData>(ErrorCodes.InternalError, `${method} failed by a defect; see the log.`, {
        code: 'internal',
      });
    } finally {
      unlisten();
    }
  });
  connection.onNotification((method: string) => {
    if (method === 'exit') socket.close();
  });
  // What arrives broken has no id to answer to.
  connection.onError(() => {});
  connection.onClose(() => {
    introduced();
    forget();
    runs.forget(outbox);
    outbox.end();
    connection.dispose();
  });
  connection.listen();
}

const onClock: NonNullable<SessionServer['after']> = (ms, act) => {
  const timer = setTimeout(act, ms);
  return () => clearTimeout(timer);
};

/** What a client says by $/cancelRequest, as the rest of us hears it. */
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
