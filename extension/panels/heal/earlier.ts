// Earlier healings to compare with: of the same model, and of models that were pruned from the same one.
import type { EarlierHealing } from '../../../server/protocol/pages/heal';
import type { ModelSummary } from '../../../server/protocol/reports';
import type { Connection } from '../../connection';

const mostCompared = 10;

export function openEarlier({ request }: Pick<Connection, 'request'>) {
  const known = new Map<string, EarlierHealing | null>();
  let list: EarlierHealing[] = [];
  return {
    /** Newest first. */
    get list() {
      return list;
    },
    /** Fetches those that are done, except for the run itself. */
    async load(model: ModelSummary, runId: string | null): Promise<void> {
      const base = model.prunedFrom?.model;
      const runs = (await request('runs/list', {}))
        .filter((run) => run.kind === 'heal' && run.state === 'done' && run.runId !== runId)
        .sort((a, b) => b.createdAtEpochMs - a.createdAtEpochMs);
      list = [];
      for (const run of runs) {
        if (list.length === mostCompared) break;
        if (!known.has(run.runId)) {
          const { recipe, report } = await request('runs/get', { runId: run.runId });
          const isOne = recipe.kind === 'heal' && report?.kind === 'heal';
          const of = isOne ? report.model : null;
          const alike = run.model === model.folder || (base !== undefined && of?.prunedFrom?.model === base);
          known.set(
            run.runId,
            isOne && alike
              ? { run, recipe, removedBlocks: of?.prunedFrom?.removedBlocks ?? [], evals: report.evals }
              : null,
          );
        }
        const earlier = known.get(run.runId);
        if (earlier) list.push(earlier);
      }
    },
  };
}
