// The runs of a server: each is on disk before it starts, has its turn on its device, and leaves numbered events that can
// be read again. A run belongs to the server, not to the client that started it. Here are the requests about runs; what
// happens to a run is in runLife.ts.
import { engineExists } from '../engineClient/engine';
import { isUserError, UserError } from '../errors';
import type { Plan, RunControl } from '../protocol/engine';
import { isResumable, type Recipe, type Report } from '../recipes/kinds';
import type { RunEvent, RunSummary, ServerRequests } from '../protocol/server';
import { type AutoDevice, openDeviceQueue } from './deviceQueue';
import { reservedBehind } from './eventNumbers';
import {
  type Dispatch,
  append,
  diskSentence,
  eventsAtHand,
  eventsOf,
  loadedEvents,
  openDispatch,
  type RunParts,
  type RunSubscriber,
  type RunReporting,
} from './effects';
import type { Query } from './queryQueue';
import { elsewhere, look, openNeighbours } from './neighbours';
import { openOwners } from './owners';
import { goesOnElsewhere, isActive, runStateOf } from './runLife';
import { isAtWorkHere, newRun, openRunTable, type Run, summaryOf } from './runTable';
import { openSpeeds } from './speeds';
import { openRunStore } from './store';
import { newRecord } from './storedRun';
import { openWarmEngines } from './warmEngines';

export type Runs = ReturnType<typeof openRuns>;

export function openRuns(dataFolder: string, reporting: RunReporting, auto: AutoDevice) {
  const parts = openParts(dataFolder, reporting.log, auto);
  const { table, warm } = parts;
  const dispatch = openDispatch(parts, reporting);
  const neighbours = openNeighbours(parts, dispatch, reporting.log);
  return {
    /** Returns how to end the subscription. */
    subscribe(subscriber: RunSubscriber): () => void {
      parts.subscribers.add(subscriber);
      return () => void parts.subscribers.delete(subscriber);
    },
    /** Starts once however often it is called with the same id. */
    start: (runId: string, recipe: Recipe, roots: readonly string[], hubToken: string | null = null): RunSummary =>
      start(parts, dispatch, { runId, recipe, roots, hubToken }),
    list: table.summaries,
    /** Reads the events of a run in turns with other work, so that what needs them is done at once. */
    async load(runId: string): Promise<void> {
      await loadedEvents(parts, table.find(runId));
    },
    get(runId: string): ServerRequests['runs/get']['result'] {
      const run = table.find(runId);
      const report = reportOf(parts, run, dispatch);
      const events = eventsOf(parts, run);
      return {
        run: summaryOf(run),
        recipe: run.recipe,
        plan: newestPlan(events),
        warnings: warningsIn(events),
        report,
      };
    },
    rootsOf: (runId: string): readonly string[] => table.find(runId).record.roots,
    recipeOf: (runId: string): Recipe => table.find(runId).recipe,
    /** A log that is mended when it is loaded has one more. */
    lastSeq: (runId: string): number => table.find(runId).record.lastSeq,
    eventsAfter(runId: string, since: number): RunEvent[] {
      const run = table.get(runId);
      return run ? after(eventsOf(parts, run), since) : [];
    },
    /** As far as they are at hand. Where the log has to be read first, subscribers are told of events when that is done. */
    eventsAtHand(runId: string, since: number): RunEvent[] {
      const run = table.get(runId);
      if (!run) return [];
      const events = eventsAtHand(parts, run);
      if (events) return after(events, since);
      tellWhenLoaded(parts, run);
      return [];
    },
    /** Ends a run that waits or works; of an analysis that is done, the warm engine is evicted. */
    async cancel(runId: string): Promise<RunSummary> {
      const run = table.find(runId);
      dispatch(run, { kind: 'cancel' });
      await warm.evict(runId);
      return summaryOf(run);
    },
    control: (runId: string, action: RunControl): RunSummary => control(table.find(runId), action, dispatch),
    /** @param roots of who resumes it, for a run that has lost its own */
    resume: (runId: string, roots: readonly string[] = [], hubToken: string | null = null): RunSummary =>
      resume(parts, table.find(runId), { roots, hubToken }, dispatch),
    remove: (runId: string): Promise<{ freedBytes: number }> => remove(parts, runId),
    /** Asks the analysed model of a run. */
    ask: <T>(runId: string, query: Query<T>): Promise<T> => ask(parts, table.find(runId), query),
    newestAnalysisOf: table.newestAnalysisOf,
    operationsPerSecond: parts.speeds.operationsPerSecond,
    /** The client is gone. */
    cancelQueriesOf: warm.cancelAllOf,
    nActive: table.nActive,
    /** Sees what servers of other hosts have done with runs. To be called every few seconds. */
    lookAround: neighbours.look,
    canStartEngines: engineExists,
    /** Ends all engines; active runs become interrupted. */
    async end(): Promise<void> {
      parts.devices.close();
      const active = table.active();
      for (const run of active) dispatch(run, { kind: 'serverEnds' });
      await Promise.all([...active.map(({ attempt }) => attempt?.over), warm.evictAll()]);
    },
  };
}

function openParts(dataFolder: string, log: RunReporting['log'], auto: AutoDevice): RunParts {
  const warm = openWarmEngines(auto);
  const parts: RunParts = {
    store: openRunStore(dataFolder),
    owners: openOwners(dataFolder),
    speeds: openSpeeds(dataFolder),
    table: openRunTable(),
    warm,
    devices: openDeviceQueue(warm.evictFrom, auto),
    subscribers: new Set(),
  };
  const dispatch = openDispatch(parts, { onIdle() {}, log() {} });
  for (const found of parts.store.list()) {
    if (found.kind === 'lost') {
      parts.table.addLost(found.summary);
      log(`run ${found.summary.runId}: ${found.summary.message}`);
      continue;
    }
    const { runId, record } = found.stored;
    const other = isActive(record.state) ? parts.owners.otherOf(runId) : null;
    const run = newRun(found.stored, other ? elsewhere(other, record.state) : record.state);
    record.state = runStateOf(run.life);
    parts.table.add(run);
    if (other) continue;
    if (found.kind === 'restored') {
      log(`run ${runId}: ${found.said}`);
      sayRestored(parts, run, found.said);
    }
    if (isActive(record.state)) interrupt(parts, run, dispatch);
  }
  return parts;
}

/** A disk that takes nothing now keeps the run as it is, to be restored by the next server. */
function sayRestored(parts: RunParts, run: Run, said: string): void {
  try {
    parts.owners.take(run.runId);
    eventsOf(parts, run);
    // Nobody is told of it before the record is written.
    run.record.reserved = reservedBehind(run.record.lastSeq);
    append(parts, run, { kind: 'warning', text: said });
    run.record.reserved = null;
    parts.store.saveBoth(run);
    parts.owners.release(run.runId);
  } catch {}
  parts.store.ended.forget(run.runId);
}

/** The server that had an active run has ended without writing that. */
function interrupt(parts: RunParts, run: Run, dispatch: Dispatch): void {
  try {
    parts.owners.take(run.runId);
    eventsOf(parts, run);
  } catch {
    // Its log cannot be read now: what may have been told counts.
    run.record.lastSeq = Math.max(run.record.lastSeq, run.record.reserved?.upTo ?? 0);
  }
  parts.store.ended.forget(run.runId);
  dispatch(run, { kind: 'serverEnds' });
}

/** Of a run that is done and has no report that can be used, it is said that it failed, and it can be started again. */
function reportOf({ store, owners }: RunParts, run: Run, dispatch: Dispatch): Report | null {
  const file = store.report(run.runId);
  if (file.kind === 'read') return file.value as Report;
  if (file.kind === 'unreadable')
    throw new UserError('badState', `The report of this run cannot be read now (${file.code}); try it again.`);
  if (run.life.state !== 'done') return null;
  const why = file.kind === 'absent' ? 'is missing' : 'is damaged';
  owners.take(run.runId);
  dispatch(run, { kind: 'fault', code: 'badData', message: `The report of this run ${why}; run it again.` });
  return null;
}

const againMs = 500;

/** A log that cannot be read while too many files are open can be later. */
function tellWhenLoaded(parts: RunParts, run: Run): void {
  const tell = () => {
    for (const subscriber of parts.subscribers) subscriber.onEvents(run.runId);
  };
  loadedEvents(parts, run).then(tell, () => void setTimeout(tell, againMs).unref());
}

/** Numbers ascend; one is missing only where its line was damaged. */
function after(events: readonly RunEvent[], since: number): RunEvent[] {
  if (since === 0 || events[since - 1]?.seq === since) return events.slice(since);
  const first = events.findIndex(({ seq }) => seq > since);
  return first < 0 ? [] : events.slice(first);
}

interface Asked {
  readonly roots: readonly string[];
  readonly hubToken: string | null;
}

function start(
  parts: RunParts,
  dispatch: Dispatch,
  { runId, recipe, roots, hubToken }: Asked & { readonly runId: string; readonly recipe: Recipe },
): RunSummary {
  const { table, store, owners } = parts;
  if (!table.get(runId)) look(parts, runId, dispatch); // another server of this folder may have it
  const known = table.get(runId);
  if (known) {
    if (JSON.stringify(known.recipe) === JSON.stringify(recipe)) return summaryOf(known);
    throw new UserError('badState', `The run ${runId} has another recipe; choose a new id.`);
  }
  const run = newRun({ runId, recipe, record: newRecord(recipe, roots) }, { state: 'created' });
  try {
    owners.take(runId);
    store.create(run);
  } catch (error) {
    if (isUserError(error)) throw error;
    store.discard(runId);
    throw new UserError('cannotWrite', diskSentence(error));
  }
  table.add(run);
  run.hubToken = hubToken;
  return enqueue(run, dispatch);
}

/** Throws UserError('cannotWrite') where the disk does not take it. */
function enqueue(run: Run, dispatch: Dispatch): RunSummary {
  dispatch(run, { kind: 'enqueue' });
  if (run.life.state === 'failed' && run.life.code === 'cannotWrite')
    throw new UserError('cannotWrite', run.life.message);
  return summaryOf(run);
}

/** Another attempt of the same recipe; its events come behind those of the last one. */
function resume(parts: RunParts, run: Run, { roots, hubToken }: Asked, dispatch: Dispatch): RunSummary {
  if (isAtWorkHere(run)) return summaryOf(run);
  if (!isResumable(run.recipe.kind))
    throw new UserError('badState', `A ${run.recipe.kind} run is not resumed; start a new one.`);
  // Another server may have resumed it since it was looked at.
  look(parts, run.runId, dispatch);
  parts.owners.take(run.runId);
  if (run.record.roots.length === 0) run.record.roots = [...roots];
  run.resumes = true;
  run.hubToken = hubToken;
  try {
    return enqueue(run, dispatch);
  } finally {
    if (!isAtWorkHere(run)) parts.owners.release(run.runId);
  }
}

/** Passed on to the engine; the state changes when the engine says so. */
function control(run: Run, action: RunControl, dispatch: Dispatch): RunSummary {
  if (run.recipe.kind !== 'heal')
    throw new UserError('badState', `Only a healing can be paused; cancel this run instead.`);
  dispatch(run, { kind: 'control', action });
  return summaryOf(run);
}

async function remove(
  { table, store, owners, warm, subscribers }: RunParts,
  runId: string,
): Promise<{ freedBytes: number }> {
  const check = () => {
    if (table.isLost(runId)) return;
    const { life, record } = table.find(runId);
    if (life.state === 'elsewhere' && isActive(life.seenAs)) throw goesOnElsewhere(life.host);
    if (isActive(record.state))
      throw new UserError('badState', 'This run is still active; cancel it before deleting it.');
  };
  check();
  await warm.evict(runId);
  check(); // another client may have deleted or resumed it meanwhile
  let freedBytes: number;
  if (!table.isLost(runId)) owners.take(runId); // another server may have resumed it
  try {
    if (!table.isLost(runId)) owners.release(runId);
    freedBytes = store.remove(runId);
  } catch (error) {
    throw new UserError('cannotWrite', diskSentence(error, 'deleted'));
  }
  table.remove(runId);
  for (const subscriber of subscribers) subscriber.onDeleted(runId);
  return { freedBytes };
}

function ask<T>({ warm, devices }: RunParts, { runId, recipe, record }: Run, query: Query<T>): Promise<T> {
  if (recipe.kind !== 'analyze') throw new UserError('badState', 'Only an analysis can be asked.');
  if (record.state.state !== 'done') throw new UserError('badState', 'This analysis is not done; ask when it is.');
  return warm.ask(runId, { recipe, roots: record.roots }, query, devices);
}

const warningsIn = (events: readonly RunEvent[]): string[] =>
  events.flatMap(({ event }) => (event.kind === 'warning' ? [event.text] : []));

function newestPlan(events: readonly RunEvent[]): Plan | null {
  const last = events.findLast(({ event }) => event.kind === 'plan')?.event;
  return last?.kind === 'plan' ? last.plan : null;
}
