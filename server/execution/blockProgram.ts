// Blocks as compiled programs: each is compiled once for all blocks that are configured alike.
import { dependsOn } from '../graph/value';
import { type BatchShape, noAdapters } from '../model/blockInputs';
import type { ModelConfig } from '../model/config';
import { blockGraph } from '../model/block';
import type { AdapterUse, BlockAdapters } from '../model/lora';
import { type Stage, stageKey } from '../model/path';
import type { Program } from '../runtime/sessions';
import type { Model } from './model';

/** From hidden to hiddenOut, with the inputs of blockParts. */
export const blockProgram = (
  { config, device }: Model,
  stage: Stage,
  batch: BatchShape,
  adapters: AdapterUse = noAdapters,
): Promise<Program> =>
  device.program(blockGraph, config, stageArgument(config, stage), shapeOf(batch), {
    adapters: adapterArgument(adapters),
  });

const known = new WeakMap<ModelConfig, Map<string, Stage>>();

/** A stage as an argument of a program: its graph depends on how the block is configured, not on which block it is. */
export function stageArgument(config: ModelConfig, stage: Stage): Stage {
  const stages = known.get(config) ?? new Map<string, Stage>();
  known.set(config, stages);
  const key = stageKey(stage);
  const made = stages.get(key) ?? withDependence(stage, { ...config.blocks[stage.block], sublayers: stage.sublayers });
  stages.set(key, made);
  return made;
}

/** Of a batch what a graph depends on. */
export const shapeOf = ({ batch, tokens }: BatchShape): BatchShape => ({ batch, tokens });

/** Of adapters what a graph depends on. */
export const adapterArgument = ({ layers, dropout }: AdapterUse): AdapterUse => ({
  layers: new Map([...layers].map(([layer, { rank, scaling }]) => [layer, { rank, scaling }])) as BlockAdapters,
  dropout,
});

const withDependence = (stage: Stage, on: unknown): Stage & { readonly [dependsOn]: unknown } => ({
  ...stage,
  [dependsOn]: on,
});
