// Questions to an engine that stays. The engine works on one question and drops it for a newer one; here every client has
// its turn, and only its own newer question takes the place of its older one.
import type { Engine, ToldEvent } from '../engineClient/engine';
import { type ErrorCode, UserError } from '../errors';
import type { DropSet, Estimate } from '../protocol';

export interface Question {
  /** Whoever asks; a newer question of the same one supersedes. */
  readonly asker: object;
  readonly drop: DropSet;
  onEstimate(estimate: Estimate): void;
}

export const superseded = () => new UserError('superseded', 'A newer question took the place of this one.');

export type Conversation = ReturnType<typeof openConversation>;

export function openConversation(engine: Pick<Engine, 'send'>) {
  type Open = Question & { number: number; answer(estimate: Estimate): void; refuse(error: Error): void };
  let nAsked = 0;
  let current: Open | null = null;
  let waiting: Open[] = [];
  let over: Error | null = null;

  const put = (question: Open | null) => {
    current = question;
    if (question) engine.send({ kind: 'ask', question: question.number, drop: question.drop });
  };
  return {
    ask: (question: Question): Promise<Estimate> =>
      new Promise((answer, refuse) => {
        if (over) return refuse(over);
        const open: Open = { ...question, number: ++nAsked, answer, refuse };
        const isOlder = (other: Open) => other.asker === question.asker;
        for (const older of waiting.filter(isOlder)) older.refuse(superseded());
        waiting = waiting.filter((other) => !isOlder(other));
        if (current && isOlder(current)) {
          current.refuse(superseded());
          put(open);
        } else if (current) waiting.push(open);
        else put(open);
      }),
    hear(event: Extract<ToldEvent, { kind: 'estimate' | 'refused' }>): void {
      // What the engine still says about a question that was superseded concerns nobody.
      if (!current || event.question !== current.number) return;
      if (event.kind === 'estimate' && !event.estimate.final) {
        current.onEstimate(event.estimate);
        return;
      }
      if (event.kind === 'refused') current.refuse(new UserError(event.code as ErrorCode, event.message));
      else current.answer(event.estimate);
      put(waiting.shift() ?? null);
    },
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
