// What an execution works on: an open checkpoint on a device, and windows cut in batches.
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { BatchShape } from '../model/blockInputs';
import type { ModelConfig } from '../model/config';
import { scaledEmbeddings } from '../model/form';
import { embeddingName, finalNormName } from '../model/weights';
import type { Scope } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import type { MemoryPlan } from './memoryPlan';
import type { WeightStore } from './weightStore';

/** A model ready to be run. */
export interface Model {
  readonly checkpoint: Checkpoint;
  readonly config: ModelConfig;
  /** Owns what is made for the model: the whole device, or a scope of it. */
  readonly device: Scope;
  readonly store: WeightStore;
  readonly plan: MemoryPlan;
}

/** The same model, whose tensors are made in a scope. */
export const within = (scope: Scope, model: Model): Model => ({ ...model, device: scope });

/** h[0] of tokens, [ids, D]: their embeddings, gathered by row from the checkpoint and scaled where the family does. */
export const embed = ({ checkpoint, config, device }: Model, ids: ArrayLike<number>): Promise<Tensor> =>
  device.upload(
    scaledEmbeddings(config, checkpoint.gatherRowsF32(embeddingName, ids)),
    [ids.length, config.width],
    'result',
  );

/** The weight of the final norm, [D]. */
export const finalNormWeight = async ({ checkpoint, config, device }: Model): Promise<Tensor> =>
  device.upload(await checkpoint.readF32(finalNormName), [config.width], 'weight');

/** Sequences of equal length that pass a block in one run. */
export interface Batch extends BatchShape {
  /** Sequence after sequence, [B*T]. */
  readonly ids: Int32Array;
}

/** Windows [first, end). */
export interface WindowRange {
  readonly first: number;
  readonly end: number;
}

/** Consecutive windows as a batch. */
export interface MicroBatch extends Batch {
  readonly firstWindow: number;
}

/** The windows of a range in batches, and the batches in rounds: those of a round go through the model together. */
export function roundsOf(
  windows: readonly Int32Array[],
  { groupWindows, microBatchWindows }: Pick<MemoryPlan, 'groupWindows' | 'microBatchWindows'>,
  { first, end }: WindowRange = { first: 0, end: windows.length },
): MicroBatch[][] {
  const rounds: MicroBatch[][] = [];
  for (let at = first; at < end; at += groupWindows)
    rounds.push(microBatches(windows, microBatchWindows, { first: at, end: Math.min(end, at + groupWindows) }));
  return rounds;
}

/** The windows of a range, `windowsEach` at a time. */
export function microBatches(
  windows: readonly Int32Array[],
  windowsEach: number,
  { first, end }: WindowRange = { first: 0, end: windows.length },
): MicroBatch[] {
  const batches: MicroBatch[] = [];
  for (let at = first; at < end; at += windowsEach) {
    const some = windows.slice(at, Math.min(end, at + windowsEach));
    const tokens = some[0]!.length;
    const ids = new Int32Array(some.length * tokens);
    for (const [b, window] of some.entries()) ids.set(window, b * tokens);
    batches.push({ firstWindow: at, batch: some.length, tokens, ids });
  }
  return batches;
}
