// The readers of a server: started on demand, as many as clients ask at once, up to a few; gone when nobody asks. A client's
// requests are done one after the other, so that one client's hostile folder keeps no other client waiting.
import { UserError } from '../errors';
import type { ReaderMethod, ReaderRequests } from '../protocol/reader';
import { type Reader, startReader } from './reader';

/** Asks a reader on behalf of one client. Throws UserError: `overLimit` with a sentence, `cancelled`, or what was found. */
export type Read = <M extends ReaderMethod>(
  method: M,
  params: ReaderRequests[M]['params'],
) => Promise<ReaderRequests[M]['result']>;

export interface Readers {
  /** `signal`: the client takes its request back. */
  forClient(client: object, signal: AbortSignal): Read;
  end(): void;
}

const mostProcesses = 4;
const idleMs = 15_000;
/** Of one client; more are refused. */
const mostWaiting = 100;

interface Job {
  readonly client: object;
  readonly method: ReaderMethod;
  readonly params: unknown;
  readonly signal: AbortSignal;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

export function openReaders(start: () => Reader = startReader): Readers {
  const waiting: Job[] = [];
  const served = new Set<object>();
  const idle = new Map<Reader, NodeJS.Timeout>();
  const working = new Set<Reader>();

  const takeIdle = (): Reader | undefined => {
    for (const [reader, timer] of idle) {
      clearTimeout(timer);
      idle.delete(reader);
      if (reader.isFit()) return reader;
      reader.kill();
    }
    return undefined;
  };
  const keepIdle = (reader: Reader) => {
    const end = () => {
      idle.delete(reader);
      reader.kill();
    };
    if (reader.isFit()) idle.set(reader, setTimeout(end, idleMs).unref());
    else reader.kill();
  };
  const next = () => {
    while (working.size < mostProcesses) {
      const at = waiting.findIndex(({ client }) => !served.has(client));
      if (at < 0) return;
      void carryOut(waiting.splice(at, 1)[0]!);
    }
  };
  const carryOut = async ({ client, method, params, signal, resolve, reject }: Job) => {
    const reader = takeIdle() ?? start();
    served.add(client);
    working.add(reader);
    await reader.ask(method, params, signal).then(resolve, reject);
    working.delete(reader);
    served.delete(client);
    keepIdle(reader);
    next();
  };

  return {
    forClient: (client, signal) => (method, params) =>
      new Promise((resolve, reject) => {
        if (waiting.filter((job) => job.client === client).length >= mostWaiting)
          return reject(new UserError('overLimit', `${mostWaiting} requests are waiting already; ask again later.`));
        // The reader's answer is what the method's row says.
        waiting.push({ client, method, params, signal, resolve: resolve as Job['resolve'], reject });
        next();
      }),
    end() {
      for (const reader of [...idle.keys(), ...working]) reader.kill();
    },
  };
}
