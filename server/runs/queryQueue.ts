// The queries of all clients to one warm engine. The engine works on one query and drops it for a newer one; here each
// client has its turn, and only its own newer query replaces its older one.
import type { Engine } from '../engineClient/engine';
import { type ErrorCode, UserError } from '../errors';
import type { AnswerEvent, EngineRequest } from '../protocol/engine';
import type { DropSet } from '../protocol/recipes';
import type { Estimate, MeasuredSpeed } from '../protocol/reports';

/** A query whose answer is a T. */
export interface Query<T> {
  /** Identifies who sent it; a newer query of the same client replaces an older one, whatever its kind. */
  readonly client: object;
  readonly kind: Extract<EngineRequest, { drop: DropSet }>['kind'];
  readonly drop: DropSet;
  /** Cancels it. */
  readonly signal: AbortSignal;
  /** Returns the answer once it has come. */
  onEvent(event: AnswerEvent): T | null;
}

/** What a drop set costs; better and better estimates before the final one. */
export const lossQuery = (
  client: object,
  drop: DropSet,
  signal: AbortSignal,
  onEstimate: (estimate: Estimate) => void,
): Query<Estimate> => ({
  client,
  kind: 'ask',
  drop,
  signal,
  onEvent(event) {
    if (event.kind !== 'estimate') return null;
    if (event.estimate.final) return event.estimate;
    onEstimate(event.estimate);
    return null;
  },
});

/** How much time a drop set saves. */
export const speedQuery = (client: object, drop: DropSet, signal: AbortSignal): Query<MeasuredSpeed> => ({
  client,
  kind: 'time',
  drop,
  signal,
  onEvent: (event) => (event.kind === 'timed' ? event.speed : null),
});

export const superseded = () => new UserError('superseded', 'A newer question took the place of this one.');

export const queryCancelled = () => new UserError('cancelled', 'The question was cancelled.');

export type QueryQueue = ReturnType<typeof openQueryQueue>;

/** A query that has no answer yet. */
interface Pending {
  readonly client: object;
  readonly request: Extract<EngineRequest, { drop: DropSet }>;
  /** True once it is answered. */
  onEvent(event: AnswerEvent): boolean;
  reject(error: Error): void;
}

export function openQueryQueue(engine: Pick<Engine, 'send'>) {
  let nAsked = 0;
  let current: Pending | null = null;
  let waiting: Pending[] = [];
  let over: Error | null = null;

  const send = (query: Pending | null) => {
    current = query;
    if (query) engine.send(query.request);
  };
  const rejectWaiting = (isMeant: (query: Pending) => boolean, error: Error) => {
    for (const query of waiting.filter(isMeant)) query.reject(error);
    waiting = waiting.filter((query) => !isMeant(query));
  };
  /** The engine is told to withdraw the current query only where no other one replaces it. */
  const cancel = (isMeant: (query: Pending) => boolean, error: Error) => {
    rejectWaiting(isMeant, error);
    if (!current || !isMeant(current)) return;
    const { request, reject } = current;
    reject(error);
    send(waiting.shift() ?? null);
    if (!current) engine.send({ kind: 'withdraw', question: request.question });
  };
  const add = (query: Pending) => {
    const isOlder = ({ client }: Pending) => client === query.client;
    rejectWaiting(isOlder, superseded());
    if (!current) send(query);
    else if (isOlder(current)) {
      current.reject(superseded());
      send(query);
    } else waiting.push(query);
  };
  return {
    ask: <T>(query: Query<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        if (over) return reject(over);
        if (query.signal.aborted) return reject(queryCancelled());
        const pending = pendingOf(query, ++nAsked, resolve, reject);
        add(pending);
        const onAbort = () => cancel((other) => other === pending, queryCancelled());
        query.signal.addEventListener('abort', onAbort, { once: true });
      }),
    onEvent(event: AnswerEvent): void {
      // A late event about a query that was replaced.
      if (!current || event.question !== current.request.question) return;
      if (event.kind === 'refused') current.reject(new UserError(event.code as ErrorCode, event.message));
      else if (!current.onEvent(event)) return;
      send(waiting.shift() ?? null);
    },
    /** The client is gone: its queries need not be computed. */
    cancelAllOf: (client: object): void => cancel((query) => query.client === client, superseded()),
    isBusy: () => current !== null,
    end(error: Error): void {
      over = error;
      current?.reject(error);
      current = null;
      rejectWaiting(() => true, error);
    },
  };
}

const pendingOf = <T>(
  { client, kind, drop, onEvent }: Query<T>,
  question: number,
  resolve: (answer: T) => void,
  reject: (error: Error) => void,
): Pending => ({
  client,
  request: { kind, question, drop },
  reject,
  onEvent(event) {
    const answer = onEvent(event);
    if (answer !== null) resolve(answer);
    return answer !== null;
  },
});
