// A healing that is followed: its run, what its engine said before the first step, and the points of its curve.
import { randomUUID } from 'node:crypto';
import type { Disposable } from 'vscode';
import { UserError } from '../../server/errors';
import type { RunControl } from '../../server/protocol/engine';
import type { HealingState } from '../../server/protocol/pages/heal';
import type { RunEvent, RunSummary } from '../../server/protocol/server';
import type { Settings } from '../settings';
import { modelName } from '../trees/modelNodes';
import { askOut } from './asking';
import { grown } from './grown';
import { mergeRecipe, openPoints } from './healRecipe';
import type { PanelHost } from './panelHost';

export interface FollowedHealing extends Disposable {
  readonly state: HealingState;
  readonly points: ReturnType<typeof openPoints>;
  control(action: RunControl): Promise<void>;
  /** Asks where to, and folds the adapter into the weights; null: the person thought better of it. */
  merge(folder: string, settings: Settings): Promise<{ runId: string } | null>;
  /** Summaries that the server pushed: how far the run is. */
  heardOf(runs: readonly RunSummary[]): void;
}

interface Listener {
  changed(): void;
  /** There are new points. */
  grew(): void;
}

/** Throws where there is no such run, or it is none of these. */
export async function followHealing(
  runId: string,
  { connection, library, context }: PanelHost,
  listener: Listener,
): Promise<FollowedHealing> {
  const got = await connection.request('runs/get', { runId });
  if (got.recipe.kind !== 'heal') throw new UserError('usage', 'This run heals nothing; open it in its own panel.');
  const points = openPoints();
  const mergeKey = `merging ${runId}`;
  let merging: Disposable | null = null;
  let state: HealingState = {
    run: got.run,
    recipe: got.recipe,
    plan: got.plan,
    report: got.report?.kind === 'heal' ? got.report : null,
    adapter: null,
    data: null,
    references: null,
    remainingSeconds: null,
    asked: null,
    merging: null,
  };
  const set = (patch: Partial<HealingState>) => {
    state = { ...state, ...patch };
    listener.changed();
  };

  function heard(events: readonly RunEvent[]): void {
    let next = state;
    for (const told of events) {
      next = { ...next, run: grown(next.run, told) };
      points.hear(told);
      const { event } = told;
      if (event.kind === 'plan') next = { ...next, plan: event.plan };
      if (event.kind === 'healing') next = { ...next, adapter: event.adapter, data: event.data };
      if (event.kind === 'references' && event.pruned)
        next = { ...next, references: { dense: event.dense, pruned: event.pruned } };
      if (event.kind === 'step') next = { ...next, remainingSeconds: event.remainingSeconds };
      if (event.kind === 'state') next = { ...next, asked: null };
    }
    set(next);
    listener.grew();
    // Times and the report are the server's to say.
    if (events.some(({ event }) => event.kind === 'reported' || event.kind === 'state')) void refreshed();
  }
  async function refreshed(): Promise<void> {
    const now = await connection.request('runs/get', { runId }).catch(() => null);
    if (!now) return;
    set({ run: now.run, plan: now.plan, report: now.report?.kind === 'heal' ? now.report : null });
  }

  function followMerge(run: RunSummary, out: string): void {
    merging?.dispose();
    set({ merging: { run, out } });
    merging = connection.follow(run.runId, (events) => {
      set({ merging: { run: events.reduce(grown, state.merging!.run), out } });
      if (state.merging!.run.state === 'done') void library.refresh();
    });
  }
  const remembered = context.workspaceState.get<{ runId: string; out: string }>(mergeKey);
  if (remembered) {
    const merge = await connection.request('runs/get', { runId: remembered.runId }).catch(() => null);
    if (merge) followMerge(merge.run, remembered.out);
  }

  const following = connection.follow(runId, heard);
  return {
    get state() {
      return state;
    },
    points,
    async control(action) {
      set({ asked: action });
      try {
        await connection.request('runs/control', { runId, action });
      } catch (error) {
        set({ asked: null });
        throw error;
      }
    },
    async merge(folder, settings) {
      const out = await askOut(`Merge into ${modelName(folder)}`, folder, settings, 'healed');
      if (out === null) return null;
      const merge = randomUUID();
      const run = await connection.request('runs/start', { runId: merge, recipe: mergeRecipe(state.recipe, out) });
      await context.workspaceState.update(mergeKey, { runId: merge, out });
      followMerge(run, out);
      return { runId: merge };
    },
    heardOf(runs) {
      const mine = runs.find((it) => it.runId === runId);
      if (mine && mine.lastSeq >= state.run.lastSeq) set({ run: mine });
    },
    dispose() {
      following.dispose();
      merging?.dispose();
    },
  };
}
