// An evaluation that is followed: how far it is, and what is known of its scores.
import type { Disposable } from 'vscode';
import { UserError } from '../../server/errors';
import type { EvaluationRun } from '../../server/protocol/pages/evaluate';
import type { RunEvent, RunSummary } from '../../server/protocol/server';
import type { Connection } from '../connection';
import { grown } from './grown';

export interface FollowedEvaluation extends Disposable {
  readonly state: EvaluationRun;
  /** Summaries that the server pushed: how far the run is. */
  heardOf(runs: readonly RunSummary[]): void;
}

/** Throws where there is no such run, or it is no evaluation. */
export async function followEvaluation(
  runId: string,
  connection: Pick<Connection, 'request' | 'follow'>,
  changed: () => void,
): Promise<FollowedEvaluation> {
  const { run, recipe, plan, report } = await connection.request('runs/get', { runId });
  if (recipe.kind !== 'evaluate') throw new UserError('usage', 'This run evaluates nothing; open it in its own panel.');
  let state: EvaluationRun = { run, recipe, plan, scored: null, report: report?.kind === 'evaluate' ? report : null };
  const set = (patch: Partial<EvaluationRun>) => {
    state = { ...state, ...patch };
    changed();
  };

  function heard(events: readonly RunEvent[]): void {
    let next = state;
    for (const told of events) {
      next = { ...next, run: grown(next.run, told) };
      const { event } = told;
      if (event.kind === 'plan') next = { ...next, plan: event.plan };
      if (event.kind === 'scored' && !next.report) next = { ...next, scored: event.report };
    }
    set(next);
    // Times and the report are the server's to say.
    if (events.some(({ event }) => event.kind === 'reported' || event.kind === 'state')) void refreshed();
  }
  async function refreshed(): Promise<void> {
    const now = await connection.request('runs/get', { runId }).catch(() => null);
    if (!now) return;
    const done = now.report?.kind === 'evaluate' ? now.report : state.report;
    set({ run: now.run, plan: now.plan, report: done, scored: done ? null : state.scored });
  }

  // Of one that is done the report says all; its events hold every score many times over.
  const following = run.state === 'done' && report ? null : connection.follow(runId, heard);
  return {
    get state() {
      return state;
    },
    heardOf(runs) {
      const mine = runs.find((it) => it.runId === runId);
      if (mine && mine.lastSeq >= state.run.lastSeq) set({ run: mine });
    },
    dispose: () => following?.dispose(),
  };
}
