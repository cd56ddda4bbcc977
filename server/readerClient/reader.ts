// A reader as a child process: one request at a time, each within its limits. One that is over them is killed, and the request
// is refused in a sentence.
import { startChild } from '../child/startChild';
import { type ErrorCode, UserError } from '../errors';
import {
  mostHeapBytes,
  mostReaderBytes,
  type ReaderLimit,
  readerLimits,
  type ReaderMethod,
  type ReaderReply,
  type ReaderRequest,
} from '../protocol/reader';

export interface Reader {
  /** One at a time. Throws UserError; any other error is a defect. */
  ask(method: ReaderMethod, params: unknown, signal: AbortSignal): Promise<unknown>;
  /** Whether it can be asked more: it lives, and is small. */
  isFit(): boolean;
  kill(): void;
}

/** One that has grown is not kept for the next request. */
const mostKeptBytes = mostReaderBytes / 4;

interface Pending {
  readonly id: number;
  resolve(result: unknown): void;
  reject(error: Error): void;
}

export function startReader(): Reader {
  const heap = `--max-old-space-size=${mostHeapBytes / 2 ** 20}`;
  const started = startChild({ name: 'reader', execArgv: [heap] });
  if ('hindrance' in started) return notStarted(started.hindrance);
  const { child, said } = started;
  let pending: Pending | null = null;
  let nextId = 0;
  let isFit = true;
  const settle = (act: (pending: Pending) => void) => {
    const settled = pending;
    pending = null;
    if (settled) act(settled);
  };
  child.on('message', (reply: ReaderReply) => {
    if (reply.id !== pending?.id) return;
    isFit &&= reply.rssBytes < mostKeptBytes;
    settle(({ resolve, reject }) => ('result' in reply ? resolve(reply.result) : reject(asError(reply.error))));
  });
  child.on('close', (code, signal) => {
    isFit = false;
    settle(({ reject }) => reject(new Death(signal ?? `code ${code}`, said())));
  });
  const kill = () => {
    isFit = false;
    child.kill('SIGKILL');
  };
  /** The process dies later than this is answered. */
  const giveUp = (error: Error) => {
    kill();
    settle(({ reject }) => reject(error));
  };
  return {
    ask(method, params, signal) {
      const limit = readerLimits[method];
      const request: ReaderRequest = { id: nextId++, method, params };
      const answered = new Promise<unknown>((resolve, reject) => {
        pending = { id: request.id, resolve, reject };
      });
      const timer = setTimeout(
        () => giveUp(overLimit(limit, `took longer than ${limit.withinMs / 1000} s`)),
        limit.withinMs,
      );
      const cancel = () => giveUp(new UserError('cancelled', 'The request was cancelled.'));
      if (signal.aborted) cancel();
      else child.send(request, () => {});
      signal.addEventListener('abort', cancel, { once: true });
      return answered
        .catch((error) => {
          throw error instanceof Death ? error.inWords(limit) : error;
        })
        .finally(() => {
          clearTimeout(timer);
          signal.removeEventListener('abort', cancel);
        });
    },
    isFit: () => isFit,
    kill,
  };
}

function notStarted(hindrance: Promise<{ code: ErrorCode | 'internal'; message: string }>): Reader {
  return {
    ask: async () => {
      throw asError(await hindrance);
    },
    isFit: () => false,
    kill() {},
  };
}

const overLimit = ({ what, remedy }: ReaderLimit, how: string) =>
  new UserError('overLimit', `${what} ${how} and was ended; ${remedy}.`);

/** What a process says that was ended for its memory: by V8 for its heap, by its own watch or the system for all of it. */
const endsByMemory = ['SIGABRT', 'SIGKILL', 'code 134'];

class Death extends Error {
  constructor(
    readonly how: string,
    readonly said: string,
  ) {
    super();
  }
  inWords(limit: ReaderLimit): Error {
    if (endsByMemory.includes(this.how))
      return overLimit(limit, `took more than ${mostReaderBytes / 2 ** 30} GiB of memory`);
    return new Error(`the reader ended with ${this.how}\n${this.said}`);
  }
}

function asError({ code, message, stack }: { code: string; message: string; stack?: string }): Error {
  if (code !== 'internal') return new UserError(code as ErrorCode, message);
  return Object.assign(new Error(message), stack && { stack });
}
