// The questions that the choose-blocks page asks the engine of an analysis. The engine answers one question of a window at a
// time, and a newer one ends the older one. So a timing waits until the loss is known, and a newer loss ends the timing.
import { UserError } from '../../../server/errors';
import type { DropSet } from '../../../server/protocol/recipes';
import type { Estimate, MeasuredSpeed } from '../../../server/protocol/reports';
import type { Connection } from '../../connection';

export interface Questions {
  /** What a drop set costs. Estimates on the way become better and better. */
  loss(question: number, drop: DropSet, onEstimate: (estimate: Estimate) => void): Promise<Estimate>;
  speed(drop: DropSet): Promise<MeasuredSpeed>;
}

/** @param analysis the run to ask; null: there is none */
export function openQuestions(
  connection: Pick<Connection, 'on' | 'request'>,
  analysis: () => string | null,
): Questions {
  let newest: Promise<unknown> = Promise.resolve();
  const runOf = () => {
    const runId = analysis();
    if (runId === null)
      throw new UserError('badData', 'There is no analysis of this model to ask yet; analyze it first.');
    return runId;
  };
  const ask = async (...[question, drop, onEstimate]: Parameters<Questions['loss']>): Promise<Estimate> => {
    const runId = runOf();
    const relay = connection.on('runs/estimate', (event) => {
      if (event.runId === runId && event.question === question) onEstimate(event.estimate);
    });
    try {
      return await connection.request('runs/ask', { runId, question, drop });
    } finally {
      relay.dispose();
    }
  };
  return {
    loss(...question) {
      const answer = ask(...question);
      newest = answer.catch(() => {});
      return answer;
    },
    async speed(drop) {
      const before = newest;
      await before;
      if (newest !== before) throw new UserError('superseded', 'A newer question took the place of this one.');
      return connection.request('runs/time', { runId: runOf(), drop });
    },
  };
}
