// A model in numbers, for people and reports.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { size } from '../graph/value';
import { blockWeights, weightShapes } from '../model/weights';
import { groupedTensorNames } from '../shared/tensorNames';
import { hasAttention, hasMlp } from '../model/path';
import type { DropSet } from '../protocol/recipes';
import type { ModelSummary } from '../protocol/reports';
import { modelParts } from './modelParts';

export function summarize(checkpoint: Checkpoint): ModelSummary {
  const { config, provenance } = checkpoint;
  return {
    name: checkpoint.name,
    folder: checkpoint.folder,
    family: config.family,
    nBlocks: config.nBlocks,
    nParameters: [...weightShapes(config).values()].reduce((sum, shape) => sum + size(shape), 0),
    nParametersPerBlock: blockWeights(config).reduce((sum, { shape }) => sum + size(shape), 0),
    sizeBytes: checkpoint.sizeBytes,
    dtype: config.dtype,
    width: config.width,
    mlpWidth: config.mlpWidth,
    nHeads: config.nHeads,
    nKeyValueHeads: config.nKeyValueHeads,
    headWidth: config.headWidth,
    vocabularySize: config.vocabularySize,
    contextLength: config.contextLength,
    tiedEmbeddings: config.tiedEmbeddings,
    ownHeadDespiteTie: checkpoint.ownHeadDespiteTie,
    unusedTensors: groupedTensorNames(checkpoint.unusedNames),
    rope: config.ropes[0]!.type,
    droppedSublayers: {
      attention: config.blocks.flatMap(({ sublayers }, k) => (hasAttention(sublayers) ? [] : [k])),
      mlp: config.blocks.flatMap(({ sublayers }, k) => (hasMlp(sublayers) ? [] : [k])),
    },
    prunedFrom: provenance && { model: provenance.baseModel.name, removedBlocks: [...provenance.removedBlocks] },
    healed: provenance?.steps.some(({ kind }) => kind === 'merge') ?? false,
    parts: modelParts(checkpoint),
  };
}

/** A drop set as reports show it. */
export const droppedFields = ({ blocks, attention, mlp }: DropSet) => ({
  dropSet: blocks,
  droppedSublayers: { attention, mlp },
});
