// The way forward through a block, compiled once for all blocks of its form.
import { type BatchShape, noAdapters } from '../model/blockInputs';
import { blockGraph, blockSignature } from '../model/block';
import { adapterSignature, type AdapterUse } from '../model/lora';
import type { Stage } from '../model/path';
import type { Program } from '../runtime/device';
import type { Model } from './model';

/** From hidden to hiddenOut, with the inputs of blockParts. */
export const blockProgram = (
  model: Model,
  stage: Stage,
  batch: BatchShape,
  adapters: AdapterUse = noAdapters,
): Promise<Program> =>
  model.device.program(`block ${blockKey(model, stage, batch, adapters)}`, () =>
    blockGraph(model.config, stage, batch, { adapters }),
  );

/** Equal for two blocks and batches exactly when one compiled graph serves both. */
export const blockKey = (
  { config }: Model,
  stage: Stage,
  { batch, tokens }: BatchShape,
  adapters: AdapterUse = noAdapters,
): string => `${blockSignature(config, stage)} ${batch}x${tokens} ${adapterSignature(adapters)}`;
