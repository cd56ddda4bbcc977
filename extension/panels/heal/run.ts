// A healing that is followed: its run, what its engine reported before the first step, the points of its curve, and the
// run that merges its adapter.
import type { Disposable } from 'vscode';
import { UserError } from '../../../server/errors';
import type { RunControl } from '../../../server/protocol/engine';
import type { HealingState } from '../../../server/protocol/pages/heal';
import { openRun, type RunReducer } from '../../followRun';
import { modelName } from '../../trees/modelNodes';
import { askOutputFolder } from '../dialogs';
import type { PanelHost } from '../pages';
import { openWriting } from '../writing';
import { openPoints, type Points } from './points';
import { mergeRecipe } from './recipe';

/** What the events and the report of the run itself say. */
export type HealingRun = Omit<HealingState, 'merging'>;

export const healingReducer: RunReducer<HealingRun> = {
  // The points of the curve are in the events alone.
  replaysDone: true,
  fetched({ run, recipe, plan, report }, before) {
    if (recipe.kind !== 'heal') throw new UserError('usage', 'This run heals nothing; open it in its own panel.');
    const nothingYet = { adapter: null, data: null, references: null, remainingSeconds: null, asked: null };
    return { ...(before ?? nothingYet), run, recipe, plan, report: report?.kind === 'heal' ? report : null };
  },
  applied(state, event) {
    if (event.kind === 'plan') return { ...state, plan: event.plan };
    if (event.kind === 'healing') return { ...state, adapter: event.adapter, data: event.data };
    if (event.kind === 'references' && event.pruned)
      return { ...state, references: { dense: event.dense, pruned: event.pruned } };
    if (event.kind === 'step') return { ...state, remainingSeconds: event.remainingSeconds };
    if (event.kind === 'state') return { ...state, asked: null };
    return state;
  },
};

export interface FollowedHealing extends Disposable {
  readonly state: HealingState;
  readonly points: Points;
  control(action: RunControl): Promise<void>;
  /** Asks where to, and folds the adapter into the weights; null: cancelled by the user. */
  merge(folder: string): Promise<{ runId: string } | null>;
}

export interface HealingListener {
  changed(): void;
  /** There are new points. */
  appended(): void;
}

/** Throws where there is no such run, or it is none of these. */
export async function followHealing(
  runId: string,
  host: PanelHost,
  listener: HealingListener,
): Promise<FollowedHealing> {
  const { connection, settings } = host;
  const points = openPoints();
  const followed = await openRun(runId, connection, healingReducer, {
    changed: listener.changed,
    events(events) {
      points.append(events);
      listener.appended();
    },
  });
  const merging = openWriting(`merging ${runId}`, host, listener.changed);
  await merging.restore();
  return {
    get state() {
      return { ...followed.state, merging: merging.state };
    },
    points,
    async control(action) {
      followed.update((state) => ({ ...state, asked: action }));
      try {
        await connection.request('runs/control', { runId, action });
      } catch (error) {
        followed.update((state) => ({ ...state, asked: null }));
        throw error;
      }
    },
    async merge(folder) {
      const out = await askOutputFolder(`Merge into ${modelName(folder)}`, folder, settings, 'healed');
      return out === null ? null : merging.start(mergeRecipe(followed.state.recipe, out));
    },
    dispose() {
      followed.dispose();
      merging.dispose();
    },
  };
}
