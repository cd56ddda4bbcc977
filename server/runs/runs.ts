// The runs of a server: each is on disk before it starts, has its turn on its device, and leaves numbered events that can
// be read again. A run belongs to the server, not to whoever started it.
import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { checkpointName } from '../checkpoint/folder';
import { type Engine, startEngine, type ToldEvent } from '../engineClient/engine';
import { UserError } from '../errors';
import type { Plan, RunControl } from '../protocol/engine';
import { isResumable, modelsOf, type Recipe, titleOf } from '../recipes/kinds';
import type { Report } from '../protocol/reports';
import type { RunEvent, RunState, RunSummary } from '../protocol/server';
import { isAnswer, type Question } from './conversation';
import { deviceOf, type Job, openDeviceQueue } from './deviceQueue';
import { type PacedEvent, paceEvents } from './pacing';
import { openStaying } from './staying';
import { openRunStore, type RunRecord } from './store';

/** Hears what happens to runs. */
export interface RunListener {
  grew(runId: string): void;
  changed(run: RunSummary): void;
  deleted(runId: string): void;
}

interface Run {
  readonly runId: string;
  readonly recipe: Recipe;
  readonly record: RunRecord;
  /** Its events while it is active; otherwise they are read from disk. */
  events: RunEvent[] | null;
  job: Job | null;
  engine: Engine | null;
  cancelling: boolean;
  /** Not its first attempt. */
  again: boolean;
}

/** How long a cancelled engine may take to tidy up before it is killed. */
const graceMs = 2000;

export type Runs = ReturnType<typeof openRuns>;

/** @param onIdle is called whenever the last active run has ended */
export function openRuns(dataFolder: string, onIdle: () => void) {
  const store = openRunStore(dataFolder);
  const runs = new Map<string, Run>();
  const listeners = new Set<RunListener>();
  const staying = openStaying();
  const queue = openDeviceQueue(staying.makeRoom);
  let ending = false;

  for (const stored of store.list()) {
    const run: Run = { ...stored, ...idle };
    runs.set(run.runId, run);
    if (!isActive(run.record.state)) continue;
    run.record.lastSeq = store.events(run.runId).length;
    store.forgetEvents(run.runId);
    interrupt(run);
  }

  function find(runId: string): Run {
    const run = runs.get(runId);
    if (!run) throw new UserError('notFound', `There is no run ${runId}; it may have been deleted.`);
    return run;
  }

  function append(run: Run, event: RunEvent['event']): void {
    const next: RunEvent = { seq: run.record.lastSeq + 1, atEpochMs: Date.now(), event };
    store.append(run.runId, next);
    run.record.lastSeq = next.seq;
    run.events?.push(next);
    for (const listener of listeners) listener.grew(run.runId);
  }

  function setState(run: Run, state: RunState): void {
    const { record } = run;
    record.state = state;
    if (state.state === 'running') record.startedAtEpochMs ??= Date.now();
    if (!isActive(state)) record.endedAtEpochMs = Date.now();
    append(run, { kind: 'state', state });
    store.saveRecord(run.runId, record);
    for (const listener of listeners) listener.changed(summaryOf(run));
  }

  /** Where that cannot be written, the disk still says that the run is active, and the next server reads the same in it. */
  function interrupt(run: Run): void {
    try {
      setState(run, { state: 'interrupted' });
    } catch {
      run.record.state = { state: 'interrupted' };
    }
  }

  /** Ends a run whatever the disk says: a full disk must not take the server along. */
  function endRun(run: Run, state: RunState): void {
    try {
      setState(run, state);
    } catch (error) {
      run.record.state = { state: 'failed', code: 'cannotWrite', message: diskSentence(error) };
      for (const listener of listeners) listener.changed(summaryOf(run));
    }
    run.events = null;
    run.engine = null;
    run.job = null;
    store.forgetEvents(run.runId);
    if (![...runs.values()].some(({ record }) => isActive(record.state))) onIdle();
  }

  function enqueue(run: Run): void {
    run.cancelling = false;
    run.events = [...store.events(run.runId)];
    // The newest may be gone with the power, after the record that counts them was synced.
    run.record.lastSeq = run.events.length;
    store.forgetEvents(run.runId);
    try {
      setState(run, { state: 'queued' });
    } catch (error) {
      const message = diskSentence(error);
      endRun(run, { state: 'failed', code: 'cannotWrite', message });
      throw new UserError('cannotWrite', message);
    }
    const failed = (error: unknown) => endRun(run, { state: 'failed', code: 'internal', message: String(error) });
    run.job = { start: () => carryOut(run).catch(failed) };
    queue.add(deviceOf(run.recipe), run.job);
  }

  async function carryOut(run: Run): Promise<void> {
    if (ending || run.record.state.state !== 'queued') return;
    const { runId } = run;
    const recipe = run.again ? resumed(run.recipe) : run.recipe;
    try {
      setState(run, { state: 'running', step: 'start', fraction: 0 });
    } catch (error) {
      return endRun(run, { state: 'failed', code: 'cannotWrite', message: diskSentence(error) });
    }
    let broken: unknown = null;
    const orBreak = (write: () => void) => {
      if (broken || ending) return;
      try {
        write();
      } catch (error) {
        broken = error;
        run.engine?.cancel(graceMs);
      }
    };
    const progressOf = progressReader();
    const pacing = paceEvents((event) =>
      orBreak(() => {
        append(run, event);
        if (event.kind === 'plan') store.rememberSpeed(event.plan);
        const progress = progressOf(event);
        if (!progress) return;
        run.record.state = { ...progress, state: run.record.state.state === 'paused' ? 'paused' : 'running' };
        for (const listener of listeners) listener.changed(summaryOf(run));
      }),
    );
    let hear: ((event: ToldEvent) => void) | null = null;
    const engine = startEngine(recipe, (event) => {
      if (hear) hear(event);
      else if (event.kind === 'paused') {
        pacing.flush();
        orBreak(() => pause(run, event.paused));
      } else if (!isAnswer(event)) pacing.push(event);
    });
    run.engine = engine;
    const outcome = await engine.outcome;
    pacing.flush();
    if (ending) return;

    const stays = outcome.kind === 'done' && recipe.kind === 'analyze' && recipe.stay && !run.cancelling;
    if (stays) hear = staying.keep(runId, recipe, engine);
    else {
      // The work is over; an engine that does not end now never will.
      engine.cancel(graceMs);
      await engine.ended;
    }
    if (ending) return;
    if (broken) endRun(run, { state: 'failed', code: 'cannotWrite', message: diskSentence(broken) });
    else if (outcome.kind === 'done') endRun(run, report(run, outcome.report));
    else if (run.cancelling || outcome.code === 'cancelled') endRun(run, { state: 'cancelled' });
    else endRun(run, { state: 'failed', code: outcome.code, message: outcome.message });
  }

  function pause(run: Run, paused: boolean): void {
    const now = run.record.state;
    if (now.state !== 'running' && now.state !== 'paused') return;
    const state = paused ? 'paused' : 'running';
    if (now.state !== state) setState(run, { ...now, state });
  }

  function report(run: Run, done: Report): RunState {
    try {
      store.saveReport(run.runId, done);
      append(run, { kind: 'reported' });
      return { state: 'done' };
    } catch (error) {
      return { state: 'failed', code: 'cannotWrite', message: diskSentence(error) };
    }
  }

  function removed(runId: string): number {
    try {
      return store.remove(runId);
    } catch (error) {
      throw new UserError('cannotWrite', `The run cannot be deleted (${errorCode(error)}); look into the data folder.`);
    }
  }

  return {
    listen(listener: RunListener): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** Starts once however often it is called with the same id. */
    start(runId: string, recipe: Recipe, roots: readonly string[]): RunSummary {
      const known = runs.get(runId);
      if (known) {
        if (JSON.stringify(known.recipe) === JSON.stringify(recipe)) return summaryOf(known);
        throw new UserError('badState', `The run ${runId} has another recipe; choose a new id.`);
      }
      const model = modelsOf(recipe)[0]!;
      const record: RunRecord = {
        title: titleOf(recipe.kind, checkpointName(model) || basename(model)),
        model,
        roots: [...roots],
        createdAtEpochMs: Date.now(),
        startedAtEpochMs: null,
        endedAtEpochMs: null,
        lastSeq: 0,
        state: { state: 'queued' },
      };
      const run: Run = { runId, recipe, record, ...idle };
      try {
        store.create({ runId, recipe, record });
      } catch (error) {
        throw new UserError('cannotWrite', diskSentence(error));
      }
      runs.set(runId, run);
      enqueue(run);
      return summaryOf(run);
    },
    list: (): RunSummary[] => [...runs.values()].map(summaryOf),
    get(runId: string): { run: RunSummary; recipe: Recipe; plan: Plan | null; report: Report | null } {
      const run = find(runId);
      return { run: summaryOf(run), recipe: run.recipe, plan: newestPlan(eventsOf(run)), report: store.report(runId) };
    },
    rootsOf: (runId: string): readonly string[] => find(runId).record.roots,
    recipeOf: (runId: string): Recipe => find(runId).recipe,
    lastSeq: (runId: string): number => find(runId).record.lastSeq,
    /** Sequence numbers have no gaps, so the events after `since` begin at that index. */
    eventsAfter(runId: string, since: number): RunEvent[] {
      const run = runs.get(runId);
      return run ? eventsOf(run).slice(since) : [];
    },
    /** Ends a run that waits or works; an analysis that is done ends its staying engine. */
    async cancel(runId: string): Promise<RunSummary> {
      const run = find(runId);
      if (run.record.state.state === 'queued' && run.job && queue.remove(run.job)) endRun(run, { state: 'cancelled' });
      else if (run.record.state.state === 'queued') endRun(run, { state: 'cancelled' });
      else if (isActive(run.record.state)) {
        run.cancelling = true;
        run.engine?.cancel(graceMs);
      } else await staying.endOf(runId);
      return summaryOf(run);
    },
    /** Tells the engine of a heal run; what came of it is told as its state. */
    control(runId: string, action: RunControl): RunSummary {
      const run = find(runId);
      const { state } = run.record.state;
      if (run.recipe.kind !== 'heal')
        throw new UserError('badState', `Only a healing can be paused; cancel this run instead.`);
      if (!run.engine || (state !== 'running' && state !== 'paused'))
        throw new UserError('badState', `This run is ${state}; only a run that goes on can be paused or stopped.`);
      run.engine.send({ kind: 'control', action });
      return summaryOf(run);
    },
    /** Another attempt of the same recipe; its events go on behind those of the last one. */
    resume(runId: string): RunSummary {
      const run = find(runId);
      const { state } = run.record.state;
      if (isActive(run.record.state)) return summaryOf(run);
      if (!isResumable(run.recipe.kind))
        throw new UserError('badState', `A ${run.recipe.kind} run is not resumed; start a new one.`);
      if (state === 'done') throw new UserError('badState', 'This run is done; start a new one.');
      run.record.startedAtEpochMs = null;
      run.record.endedAtEpochMs = null;
      run.again = true;
      enqueue(run);
      return summaryOf(run);
    },
    async remove(runId: string): Promise<{ freedBytes: number }> {
      const check = () => {
        if (isActive(find(runId).record.state))
          throw new UserError('badState', 'This run is still active; cancel it before deleting it.');
      };
      check();
      await staying.endOf(runId);
      // Somebody else may have deleted or resumed it meanwhile.
      check();
      const freedBytes = removed(runId);
      runs.delete(runId);
      for (const listener of listeners) listener.deleted(runId);
      return { freedBytes };
    },
    ask<T>(runId: string, question: Question<T>): Promise<T> {
      const run = find(runId);
      const { recipe } = run;
      if (recipe.kind !== 'analyze') throw new UserError('badState', 'Only an analysis can be asked.');
      if (run.record.state.state !== 'done')
        throw new UserError('badState', 'This analysis is not done; ask when it is.');
      return staying.ask(runId, recipe, question, queue);
    },
    /** The newest analysis of a model that is done or on its way; null: none. */
    newestAnalysisOf(folder: string): string | null {
      const useful = ({ recipe, record }: Run) =>
        recipe.kind === 'analyze' &&
        record.model === folder &&
        (record.state.state === 'done' || isActive(record.state));
      return [...runs.values()].findLast(useful)?.runId ?? null;
    },
    operationsPerSecond: store.operationsPerSecond,
    /** Whoever asked is gone. */
    forget: staying.forget,
    nActive: () => [...runs.values()].filter(({ record }) => isActive(record.state)).length,
    /** Ends all engines; active runs become interrupted. */
    async end(): Promise<void> {
      ending = true;
      queue.close();
      const active = [...runs.values()].filter(({ record }) => isActive(record.state));
      for (const run of active) run.engine?.cancel(0);
      await Promise.all([...active.map(({ engine }) => engine?.ended), staying.endAll()]);
      for (const run of active) interrupt(run);
    },
  };

  function eventsOf(run: Run): RunEvent[] {
    return run.events ?? store.events(run.runId);
  }
}

const idle = { events: null, job: null, engine: null, cancelling: false, again: false };

/** A healing goes on from what its last attempt saved; one that saved nothing begins anew. */
const resumed = (recipe: Recipe): Recipe =>
  recipe.kind === 'heal' ? { ...recipe, resume: recipe.resume || existsSync(join(recipe.out, 'run')) } : recipe;

/** Reads how far a run is: told as such, or as the steps of a healing. */
function progressReader(): (event: PacedEvent) => { step: string; fraction: number } | null {
  let nSteps = 0;
  return (event) => {
    if (event.kind === 'progress') return { step: event.step, fraction: event.fraction };
    if (event.kind === 'healing') nSteps = event.steps;
    if (event.kind !== 'step' || nSteps === 0) return null;
    return { step: 'train', fraction: Math.min(1, (event.step.step + 1) / nSteps) };
  };
}

export const isActive = ({ state }: RunState): boolean =>
  state === 'queued' || state === 'running' || state === 'paused';

const summaryOf = ({ runId, recipe, record }: Run): RunSummary => ({
  runId,
  kind: recipe.kind,
  title: record.title,
  model: record.model,
  createdAtEpochMs: record.createdAtEpochMs,
  startedAtEpochMs: record.startedAtEpochMs,
  endedAtEpochMs: record.endedAtEpochMs,
  lastSeq: record.lastSeq,
  ...record.state,
});

function newestPlan(events: readonly RunEvent[]): Plan | null {
  const last = events.findLast(({ event }) => event.kind === 'plan')?.event;
  return last?.kind === 'plan' ? last.plan : null;
}

const errorCode = (error: unknown) => (error as NodeJS.ErrnoException).code ?? String(error);
const diskSentence = (error: unknown) => `The run cannot be kept on disk (${errorCode(error)}); free some space.`;
