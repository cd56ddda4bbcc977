// Engines that keep an analysed model and its hidden states after their work, to answer what a drop set would cost. They
// hold a device without working on it, so they go when it is wanted, when nobody has asked for a while, or when told to.
import { type Engine, startEngine, type ToldEvent } from '../engineClient/engine';
import { UserError } from '../errors';
import type { AnalyzeRecipe } from '../recipes/analyze/recipe';
import { type Conversation, isAnswer, openConversation, type Question, superseded, takenBack } from './conversation';
import { deviceOf, type openDeviceQueue } from './deviceQueue';

const idleMs = 5 * 60_000;
const graceMs = 2000;

interface Stay {
  readonly runId: string;
  readonly device: string | null;
  readonly engine: Engine;
  readonly conversation: Conversation;
  /** Ends it when nobody has asked for a while. */
  timer: NodeJS.Timeout | undefined;
}

const letGo = () => new UserError('badState', 'The engine was needed for other work; ask again.');

/** A question that waits for an engine. */
interface Waiting {
  readonly asker: object;
  put(conversation: Conversation): void;
  refuse(error: unknown): void;
}

/** An engine that is to come up, and who waits for it. */
interface Start {
  questions: Waiting[];
  /** null while the device is busy. */
  engine: Engine | null;
}

export type Staying = ReturnType<typeof openStaying>;

export function openStaying() {
  const stays = new Map<string, Stay>();
  /** By run. One that nobody waits for any more is not here. */
  const starting = new Map<string, Start>();

  const end = async (stay: Stay) => {
    clearTimeout(stay.timer);
    if (stays.get(stay.runId) === stay) stays.delete(stay.runId);
    stay.conversation.end(letGo());
    stay.engine.cancel(graceMs);
    await stay.engine.ended;
  };
  const restartTimer = (stay: Stay) => {
    clearTimeout(stay.timer);
    stay.timer = setTimeout(() => (stay.conversation.isBusy() ? restartTimer(stay) : void end(stay)), idleMs);
  };

  /** An engine that is not up yet and that nobody waits for any more does not come up. */
  const turnAway = (runId: string, error: Error, isMeant: (question: Waiting) => boolean) => {
    const start = starting.get(runId);
    if (!start) return;
    for (const question of start.questions.filter(isMeant)) question.refuse(error);
    start.questions = start.questions.filter((question) => !isMeant(question));
    if (start.questions.length > 0) return;
    starting.delete(runId);
    start.engine?.cancel(graceMs);
  };

  const staying = {
    /** An engine that has done its work and stays. Gives back what is to hear what it tells from now on. */
    keep(runId: string, recipe: AnalyzeRecipe, engine: Engine): (event: ToldEvent) => void {
      const conversation = openConversation(engine);
      const stay: Stay = { runId, device: deviceOf(recipe), engine, conversation, timer: undefined };
      restartTimer(stay);
      stays.set(runId, stay);
      void engine.ended.then(() => {
        clearTimeout(stay.timer);
        conversation.end(new UserError('badState', 'The engine that answers has ended; ask again.'));
        if (stays.get(runId) === stay) stays.delete(runId);
      });
      return (event) => {
        if (isAnswer(event)) conversation.hear(event);
      };
    },

    /** Asks the engine of a run, or one that is started for it when the device is free. */
    ask<T>(
      runId: string,
      recipe: AnalyzeRecipe,
      question: Question<T>,
      queue: ReturnType<typeof openDeviceQueue>,
    ): Promise<T> {
      const stay = stays.get(runId);
      if (stay) {
        restartTimer(stay);
        return stay.conversation.ask(question);
      }
      return new Promise((answer, refuse) => {
        const mine: Waiting = {
          asker: question.asker,
          put: (conversation) => void conversation.ask(question).then(answer, refuse),
          refuse,
        };
        if (question.signal.aborted) return refuse(takenBack());
        question.signal.addEventListener('abort', () => turnAway(runId, takenBack(), (other) => other === mine), {
          once: true,
        });
        const known = starting.get(runId);
        if (known) {
          const older = known.questions.findIndex(({ asker }) => asker === question.asker);
          if (older >= 0) known.questions.splice(older, 1)[0]!.refuse(superseded());
          known.questions.push(mine);
          return;
        }
        const start: Start = { questions: [mine], engine: null };
        starting.set(runId, start);
        queue.add(deviceOf(recipe), {
          async start() {
            if (start.questions.length === 0) return;
            const failure = await bringUp(runId, recipe, start).catch((error: unknown) => error);
            if (start.questions.length === 0) return;
            starting.delete(runId);
            const now = stays.get(runId);
            for (const each of start.questions) {
              if (now) each.put(now.conversation);
              else each.refuse(failure);
            }
          },
        });
      });
    },

    /** Whoever asked is gone. */
    forget(asker: object): void {
      for (const { conversation } of stays.values()) conversation.forget(asker);
      for (const runId of [...starting.keys()]) turnAway(runId, superseded(), (question) => question.asker === asker);
    },
    /** Ends what stays on a device. */
    async makeRoom(device: string): Promise<void> {
      await Promise.all([...stays.values()].filter((stay) => stay.device === device).map(end));
    },
    async endOf(runId: string): Promise<void> {
      turnAway(runId, letGo(), () => true);
      const stay = stays.get(runId);
      if (stay) await end(stay);
    },
    async endAll(): Promise<void> {
      await Promise.all([...stays.values()].map(end));
    },
    count: () => stays.size,
  };

  /** An engine that only computes the states again. Gives back why there is none. */
  async function bringUp(runId: string, recipe: AnalyzeRecipe, start: Start): Promise<Error | null> {
    let hear: (event: ToldEvent) => void = () => {};
    const engine = startEngine(
      {
        ...recipe,
        methods: [],
        measure: { removals: 'none', greedy: null, suggestions: 0, whatIf: [] },
        stay: true,
      },
      (event) => hear(event),
    );
    start.engine = engine;
    const outcome = await engine.outcome;
    if (outcome.kind === 'failed' || start.questions.length === 0) {
      await engine.ended;
      return outcome.kind === 'failed' ? new UserError('badState', outcome.message) : letGo();
    }
    hear = staying.keep(runId, recipe, engine);
    return null;
  }

  return staying;
}
