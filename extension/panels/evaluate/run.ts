// An evaluation that is followed: how far it is, and what is known of its scores.
import { UserError } from '../../../server/errors';
import type { EvaluationRun } from '../../../server/protocol/pages/evaluate';
import type { Connection } from '../../connection';
import { type FollowedRun, openRun, type RunReducer } from '../../followRun';

export const evaluationReducer: RunReducer<EvaluationRun> = {
  fetched({ run, recipe, plan, report }, before) {
    if (recipe.kind !== 'evaluate')
      throw new UserError('usage', 'This run evaluates nothing; open it in its own panel.');
    const done = report?.kind === 'evaluate' ? report : (before?.report ?? null);
    return { run, recipe, plan, scored: done ? null : (before?.scored ?? null), report: done };
  },
  applied(state, event) {
    if (event.kind === 'plan') return { ...state, plan: event.plan };
    if (event.kind === 'scored' && !state.report) return { ...state, scored: event.report };
    return state;
  },
};

export type FollowedEvaluation = FollowedRun<EvaluationRun>;

/** Throws where there is no such run, or it is no evaluation. */
export const followEvaluation = (
  runId: string,
  connection: Pick<Connection, 'request' | 'follow' | 'on' | 'onState'>,
  changed: () => void,
): Promise<FollowedEvaluation> => openRun(runId, connection, evaluationReducer, { changed });

/** Follows the runs of this list, and those alone: some may be followed already, and one that is gone is left out. */
export async function followOnly(
  runIds: readonly string[],
  known: readonly FollowedEvaluation[],
  follow: (runId: string) => Promise<FollowedEvaluation>,
): Promise<FollowedEvaluation[]> {
  const followed: FollowedEvaluation[] = [];
  for (const runId of runIds) {
    const run = known.find(({ state }) => state.run.runId === runId) ?? (await follow(runId).catch(() => null));
    if (run) followed.push(run);
  }
  for (const other of known) if (!followed.includes(other)) other.dispose();
  return followed;
}
