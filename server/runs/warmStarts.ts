// Starts an engine for a query about an analysis whose engine is gone: it computes the hidden states again when the device
// is free, and becomes the warm engine of that run. An engine that no query waits for any more does not start.
import { type Engine, type OngoingEvent, startEngine } from '../engineClient/engine';
import { UserError } from '../errors';
import type { AnalyzeRecipe } from '../recipes/analyze/recipe';
import type { DeviceQueue } from './deviceQueue';
import { type Query, type QueryQueue, queryCancelled, superseded } from './queryQueue';

const graceMs = 2000;

/** A query that waits for an engine. */
interface WaitingQuery {
  readonly client: object;
  putTo(queries: QueryQueue): void;
  reject(error: unknown): void;
}

interface Start {
  queries: WaitingQuery[];
  /** null while the device is busy. */
  engine: Engine | null;
}

/** What was analysed, and the folders below which its run may read. */
export interface Analysed {
  readonly recipe: AnalyzeRecipe;
  readonly roots: readonly string[];
}

export interface WarmStartsWiring {
  /** Makes an engine the warm engine of a run; returns the listener for its events. */
  keep(runId: string, recipe: AnalyzeRecipe, engine: Engine): (event: OngoingEvent) => void;
  /** The queries of a run's warm engine. */
  queriesOf(runId: string): QueryQueue | undefined;
  evicted(): UserError;
}

export function openWarmStarts(wiring: WarmStartsWiring) {
  /** By run. One without a waiting query is not here. */
  const starts = new Map<string, Start>();

  const reject = (runId: string, isMeant: (query: WaitingQuery) => boolean, error: Error) => {
    const start = starts.get(runId);
    if (!start) return;
    for (const query of start.queries.filter(isMeant)) query.reject(error);
    start.queries = start.queries.filter((query) => !isMeant(query));
    if (start.queries.length > 0) return;
    starts.delete(runId);
    start.engine?.cancel(graceMs);
  };

  /** The job of a start: ends when the device is free again. */
  async function carryOut(runId: string, analysed: Analysed, start: Start): Promise<void> {
    if (start.queries.length === 0) return;
    const failure = await startWarmEngine(runId, analysed, start, wiring).catch((error: unknown) => error);
    if (start.queries.length === 0) return;
    starts.delete(runId);
    const queries = wiring.queriesOf(runId);
    for (const query of start.queries) {
      if (queries) query.putTo(queries);
      else query.reject(failure);
    }
  }

  function add(runId: string, analysed: Analysed, query: WaitingQuery, devices: DeviceQueue): void {
    const known = starts.get(runId);
    if (known) {
      replaceOlder(known, query);
      return;
    }
    const start: Start = { queries: [query], engine: null };
    starts.set(runId, start);
    devices.add(analysed.recipe, { start: () => carryOut(runId, analysed, start) });
  }

  return {
    ask: <T>(runId: string, analysed: Analysed, query: Query<T>, devices: DeviceQueue): Promise<T> =>
      new Promise((resolve, rejectQuery) => {
        if (query.signal.aborted) return rejectQuery(queryCancelled());
        const waiting: WaitingQuery = {
          client: query.client,
          putTo: (queries) => void queries.ask(query).then(resolve, rejectQuery),
          reject: rejectQuery,
        };
        query.signal.addEventListener('abort', () => reject(runId, (other) => other === waiting, queryCancelled()), {
          once: true,
        });
        add(runId, analysed, waiting, devices);
      }),
    /** Rejects the queries that are meant; an engine that is left without one is cancelled. */
    reject,
    rejectAll(isMeant: (query: WaitingQuery) => boolean, error: Error): void {
      for (const runId of [...starts.keys()]) reject(runId, isMeant, error);
    },
  };
}

function replaceOlder({ queries }: Start, query: WaitingQuery): void {
  const older = queries.findIndex(({ client }) => client === query.client);
  if (older >= 0) queries.splice(older, 1)[0]!.reject(superseded());
  queries.push(query);
}

/** Returns why there is no engine; null: there is one. */
async function startWarmEngine(
  runId: string,
  { recipe, roots }: Analysed,
  start: Start,
  { keep, evicted }: WarmStartsWiring,
): Promise<Error | null> {
  let onEvent: (event: OngoingEvent) => void = () => {};
  const engine = startEngine(statesOnly(recipe), (event) => onEvent(event), roots);
  start.engine = engine;
  const outcome = await engine.outcome;
  if (outcome.kind === 'failed' || start.queries.length === 0) {
    await engine.ended;
    return outcome.kind === 'failed' ? new UserError('badState', outcome.message) : evicted();
  }
  onEvent = keep(runId, recipe, engine);
  return null;
}

/** Scores and measured losses are in the report already. */
const statesOnly = (recipe: AnalyzeRecipe): AnalyzeRecipe => ({
  ...recipe,
  methods: [],
  measure: { removals: 'none', greedy: null, suggestions: 0, whatIf: [] },
  stay: true,
});
