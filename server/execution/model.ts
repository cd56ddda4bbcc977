// What an execution works on: an open checkpoint on a device, and sequences cut in batches.
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

/** Sequences [first, end). */
export interface SequenceRange {
  readonly first: number;
  readonly end: number;
}

/** Consecutive sequences as a batch. */
export interface MicroBatch extends Batch {
  readonly firstSequence: number;
}

/** The sequences of a range in batches, and the batches in rounds: those of a round go through the model together. */
export function roundsOf(
  sequences: readonly Int32Array[],
  { groupSequences, microBatchSequences }: Pick<MemoryPlan, 'groupSequences' | 'microBatchSequences'>,
  { first, end }: SequenceRange = { first: 0, end: sequences.length },
): MicroBatch[][] {
  const rounds: MicroBatch[][] = [];
  for (let at = first; at < end; at += groupSequences)
    rounds.push(microBatches(sequences, microBatchSequences, { first: at, end: Math.min(end, at + groupSequences) }));
  return rounds;
}

/** The sequences of a range, `sequencesEach` at a time. */
export function microBatches(
  sequences: readonly Int32Array[],
  sequencesEach: number,
  { first, end }: SequenceRange = { first: 0, end: sequences.length },
): MicroBatch[] {
  const batches: MicroBatch[] = [];
  for (let at = first; at < end; at += sequencesEach) {
    const some = sequences.slice(at, Math.min(end, at + sequencesEach));
    const tokens = some[0]!.length;
    const ids = new Int32Array(some.length * tokens);
    for (const [b, sequence] of some.entries()) ids.set(sequence, b * tokens);
    batches.push({ firstSequence: at, batch: some.length, tokens, ids });
  }
  return batches;
}
