// What a drop set changes of a model: parameters, bytes on disk, and an estimate of its speed.
import type { DropSet } from '../../server/protocol/recipes';
import type { Fitting, ModelSummary } from '../../server/protocol/reports';
import { isDropped } from './choice';

export interface Facts {
  nBlocksLeft: number;
  nParameters: number;
  /** Of dropped sublayers: zeroed and skipped, but still in the file. */
  nParametersZeroed: number;
  sizeBytes: number;
  /** Estimated from parameters: of the blocks that are left, and of the head. */
  speedUp: number;
}

/** @param fitting what goes beside the blocks; null: nothing */
export function factsOf(model: ModelSummary, drop: DropSet, fitting: Fitting | null = null): Facts {
  const n = drop.blocks.length;
  const each = sublayerParameters(model);
  const nParameters = fitting?.parameters ?? model.nParameters - n * model.nParametersPerBlock;
  return {
    nBlocksLeft: model.nBlocks - n,
    nParameters,
    nParametersZeroed: drop.attention.length * each.attention + drop.mlp.length * each.mlp,
    sizeBytes: (model.sizeBytes * nParameters) / model.nParameters,
    speedUp: workOf(model, { blocks: [], attention: [], mlp: [] }) / workOf(model, drop),
  };
}

/** The parameters of the head, in those of a block. */
export const headInBlocks = (model: ModelSummary): number =>
  (model.vocabularySize * model.width) / model.nParametersPerBlock;

function workOf(model: ModelSummary, drop: DropSet): number {
  const each = sublayerParameters(model);
  const perBlock = each.attention + each.mlp;
  let work = headInBlocks(model);
  for (let block = 0; block < model.nBlocks; block++)
    for (const name of ['attention', 'mlp'] as const)
      if (!isDropped(drop, { block, sublayer: name }) && !model.droppedSublayers[name].includes(block))
        work += each[name] / perBlock;
  return work;
}

/** Matrices only: projections of queries, keys, values and output; gate, up and down. */
function sublayerParameters({ width, mlpWidth, nHeads, nKeyValueHeads, headWidth }: ModelSummary) {
  return { attention: 2 * width * headWidth * (nHeads + nKeyValueHeads), mlp: 3 * width * mlpWidth };
}
