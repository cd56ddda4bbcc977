// Warm engines keep an analysed model and its hidden states after their work, to answer what a drop set would cost. They
// hold a device without working on it, so they are evicted when another run needs it, when there was no query for a while,
// or on request.
import type { Engine, OngoingEvent } from '../engineClient/engine';
import { UserError } from '../errors';
import { isAnswer } from '../protocol/engine';
import type { AnalyzeRecipe } from '../recipes/analyze/recipe';
import { type AutoDevice, deviceOf, type DeviceQueue } from './deviceQueue';
import { openQueryQueue, type Query, type QueryQueue, superseded } from './queryQueue';
import { type Analysed, openWarmStarts } from './warmStarts';

const idleMs = 5 * 60_000;
const graceMs = 2000;

interface WarmEngine {
  readonly runId: string;
  readonly device: string | null | Promise<string>;
  readonly engine: Engine;
  readonly queries: QueryQueue;
  /** Evicts it when there was no query for a while. */
  timer: NodeJS.Timeout | undefined;
}

const evicted = () => new UserError('badState', 'The engine was needed for other work; ask again.');

export type WarmEngines = ReturnType<typeof openWarmEngines>;

export function openWarmEngines(auto: AutoDevice) {
  const engines = new Map<string, WarmEngine>();
  const starts = openWarmStarts({ keep, queriesOf: (runId) => engines.get(runId)?.queries, evicted });

  const forget = ({ runId, timer, engine }: WarmEngine) => {
    clearTimeout(timer);
    if (engines.get(runId)?.engine === engine) engines.delete(runId);
  };
  const evict = async (warm: WarmEngine, waitMs = graceMs) => {
    forget(warm);
    warm.queries.end(evicted());
    warm.engine.cancel(waitMs);
    await warm.engine.ended;
  };
  const restartTimer = (warm: WarmEngine) => {
    clearTimeout(warm.timer);
    warm.timer = setTimeout(() => (warm.queries.isBusy() ? restartTimer(warm) : void evict(warm)), idleMs);
  };

  /** Takes over an engine that has done its work. Returns the listener for its events from now on. */
  function keep(runId: string, recipe: AnalyzeRecipe, engine: Engine): (event: OngoingEvent) => void {
    const queries = openQueryQueue(engine);
    const warm: WarmEngine = { runId, device: deviceOf(recipe, auto), engine, queries, timer: undefined };
    restartTimer(warm);
    engines.set(runId, warm);
    void engine.ended.then(() => {
      forget(warm);
      queries.end(new UserError('badState', 'The engine that answers has ended; ask again.'));
    });
    return (event) => {
      if (isAnswer(event)) queries.onEvent(event);
    };
  }

  return {
    keep,
    /** Asks the warm engine of a run, or one that is started for it when the device is free. */
    ask<T>(runId: string, analysed: Analysed, query: Query<T>, devices: DeviceQueue): Promise<T> {
      const warm = engines.get(runId);
      if (!warm) return starts.ask(runId, analysed, query, devices);
      restartTimer(warm);
      return warm.queries.ask(query);
    },
    /** The client is gone. */
    cancelAllOf(client: object): void {
      for (const { queries } of engines.values()) queries.cancelAllOf(client);
      starts.rejectAll((query) => query.client === client, superseded());
    },
    async evictFrom(device: string): Promise<void> {
      const evictThere = async (warm: WarmEngine) => {
        if ((await warm.device) === device) await evict(warm);
      };
      await Promise.all([...engines.values()].map(evictThere));
    },
    async evict(runId: string): Promise<void> {
      starts.reject(runId, () => true, evicted());
      const warm = engines.get(runId);
      if (warm) await evict(warm);
    },
    /** At once: they have nothing to tidy up. */
    evictAll: (): Promise<unknown> => Promise.all([...engines.values()].map((warm) => evict(warm, 0))),
  };
}
