// What a walk works on: an open checkpoint on a device, and the windows cut in micro-batches.
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { ModelConfig } from '../model/config';
import type { BatchShape } from '../model/blockInputs';
import { scaledEmbeddings } from '../model/form';
import { embeddingName, finalNormName } from '../model/weights';
import type { Device } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import type { MemoryPlan } from './memoryPlan';
import type { WeightStore } from './weightStore';

/** A model ready to be walked. */
export interface Model {
  readonly checkpoint: Checkpoint;
  readonly config: ModelConfig;
  readonly device: Device;
  readonly store: WeightStore;
  readonly plan: MemoryPlan;
}

/** h[0] of tokens, [ids, D]: their embeddings, gathered by row from the checkpoint and scaled where the family does. */
export const embed = ({ checkpoint, config, device }: Model, ids: ArrayLike<number>): Promise<Tensor> =>
  device.upload(
    scaledEmbeddings(config, checkpoint.gatherRowsF32(embeddingName, ids)),
    [ids.length, config.width],
    'result',
  );

/** The weight of the final norm, [D]; whoever asks for it disposes it. */
export const finalNormWeight = async ({ checkpoint, config, device }: Model): Promise<Tensor> =>
  device.upload(await checkpoint.readF32(finalNormName), [config.width], 'weight');

/** Windows [first, end). */
export interface WindowRange {
  readonly first: number;
  readonly end: number;
}

/** Consecutive windows that pass a block in one run. */
export interface MicroBatch extends BatchShape {
  readonly firstWindow: number;
}

/** The windows from `first` on, `windowsEach` at a time. */
export function microBatches(group: readonly Int32Array[], first: number, windowsEach: number): MicroBatch[] {
  const batches: MicroBatch[] = [];
  for (let at = 0; at < group.length; at += windowsEach) {
    const batch = Math.min(windowsEach, group.length - at);
    batches.push({ firstWindow: first + at, batch, tokens: group[at]!.length });
  }
  return batches;
}

/** The ids of a micro-batch, row after row. */
export function batchIds(windows: readonly Int32Array[], { firstWindow, batch, tokens }: MicroBatch): Int32Array {
  const ids = new Int32Array(batch * tokens);
  for (let b = 0; b < batch; b++) ids.set(windows[firstWindow + b]!, b * tokens);
  return ids;
}
