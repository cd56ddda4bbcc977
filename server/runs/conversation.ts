// Questions to an engine that stays. The engine works on one question and drops it for a newer one; here every client has
// its turn, and only its own newer question takes the place of its older one.
import type { Engine, ToldEvent } from '../engineClient/engine';
import { type ErrorCode, UserError } from '../errors';
import type { EngineRequest } from '../protocol/engine';
import type { DropSet } from '../protocol/recipes';
import type { Estimate, MeasuredSpeed } from '../protocol/reports';

/** What an engine that stays tells about a question. */
export type AnswerEvent = Extract<ToldEvent, { kind: 'estimate' | 'timed' | 'refused' }>;

export const isAnswer = (event: ToldEvent): event is AnswerEvent =>
  event.kind === 'estimate' || event.kind === 'timed' || event.kind === 'refused';

/** A question whose answer is a T. */
export interface Question<T> {
  /** Whoever asks; a newer question of the same one supersedes, whatever its kind. */
  readonly asker: object;
  readonly kind: Extract<EngineRequest, { drop: DropSet }>['kind'];
  readonly drop: DropSet;
  /** Ends it, as a newer question would. */
  readonly signal: AbortSignal;
  /** Gives back the answer once it has heard it. */
  hear(event: AnswerEvent): T | null;
}

/** What a drop set costs; better and better values on the way. */
export const lossQuestion = (
  asker: object,
  drop: DropSet,
  signal: AbortSignal,
  onEstimate: (estimate: Estimate) => void,
): Question<Estimate> => ({
  asker,
  kind: 'ask',
  drop,
  signal,
  hear(event) {
    if (event.kind !== 'estimate') return null;
    if (event.estimate.final) return event.estimate;
    onEstimate(event.estimate);
    return null;
  },
});

/** How much time a drop set saves. */
export const speedQuestion = (asker: object, drop: DropSet, signal: AbortSignal): Question<MeasuredSpeed> => ({
  asker,
  kind: 'time',
  drop,
  signal,
  hear: (event) => (event.kind === 'timed' ? event.speed : null),
});

export const superseded = () => new UserError('superseded', 'A newer question took the place of this one.');

export const takenBack = () => new UserError('cancelled', 'The question was taken back.');

export type Conversation = ReturnType<typeof openConversation>;

/** A question that has no answer yet. */
interface Open {
  readonly asker: object;
  readonly request: Extract<EngineRequest, { drop: DropSet }>;
  /** True once it is answered. */
  hear(event: AnswerEvent): boolean;
  refuse(error: Error): void;
}

export function openConversation(engine: Pick<Engine, 'send'>) {
  let nAsked = 0;
  let current: Open | null = null;
  let waiting: Open[] = [];
  let over: Error | null = null;

  const put = (question: Open | null) => {
    current = question;
    if (question) engine.send(question.request);
  };
  /** Of the present one the engine hears, where no other takes its place. */
  const end = (isMeant: (open: Open) => boolean, error: Error) => {
    for (const open of waiting.filter(isMeant)) open.refuse(error);
    waiting = waiting.filter((open) => !isMeant(open));
    if (!current || !isMeant(current)) return;
    const { request, refuse } = current;
    refuse(error);
    put(waiting.shift() ?? null);
    if (!current) engine.send({ kind: 'withdraw', question: request.question });
  };
  return {
    ask: <T>({ asker, kind, drop, signal, hear }: Question<T>): Promise<T> =>
      new Promise((answer, refuse) => {
        if (over) return refuse(over);
        if (signal.aborted) return refuse(takenBack());
        const open: Open = {
          asker,
          request: { kind, question: ++nAsked, drop },
          refuse,
          hear(event) {
            const answered = hear(event);
            if (answered !== null) answer(answered);
            return answered !== null;
          },
        };
        const isOlder = (other: Open) => other.asker === asker;
        for (const older of waiting.filter(isOlder)) older.refuse(superseded());
        waiting = waiting.filter((other) => !isOlder(other));
        if (current && isOlder(current)) {
          current.refuse(superseded());
          put(open);
        } else if (current) waiting.push(open);
        else put(open);
        signal.addEventListener('abort', () => end((other) => other === open, takenBack()), { once: true });
      }),
    hear(event: AnswerEvent): void {
      // What the engine still says about a question that was superseded concerns nobody.
      if (!current || event.question !== current.request.question) return;
      if (event.kind === 'refused') current.refuse(new UserError(event.code as ErrorCode, event.message));
      else if (!current.hear(event)) return;
      put(waiting.shift() ?? null);
    },
    /** Whoever asked is gone: what it still waits for need not be computed. */
    forget: (asker: object): void => end((open) => open.asker === asker, superseded()),
    isBusy: () => current !== null,
    end(error: Error): void {
      over = error;
      current?.refuse(error);
      for (const { refuse } of waiting) refuse(error);
      current = null;
      waiting = [];
    },
  };
}
