// What matrices of fewer bits cost: the loss of the first sequences of a run's text in float32 and as the matrices are held.
import { pairedDifference } from '../analysis/measuredLoss';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { isUserError } from '../errors';
import { nCompared, planComparison, shapeOf } from '../execution/comparisonPlan';
import { forward } from '../execution/forward';
import type { MemoryLimits } from '../execution/memoryLimits';
import type { MicroBatch, Model } from '../execution/model';
import { plannedStore } from '../execution/plannedStore';
import { inFloat32 } from '../model/storage';
import type { Path } from '../model/path';
import type { WeightsCost } from '../protocol/reports';
import type { Device } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';

/** What is compared: the first of these sequences, all of one length. */
interface Compared {
  /** Absent: there is no text. */
  readonly sequences?: readonly Int32Array[];
  /** Default: all blocks. */
  readonly path?: Path;
}

export interface Comparison {
  /** With the model as its matrices are held; null where a loss is not finite, which the run itself will say. */
  cost(model: Model, signal: AbortSignal): Promise<WeightsCost | null>;
}

/**
 * Computes the losses in float32, weights streamed; to be called before the held weights take their room.
 * null: there is no text, matrices are float32, the plan does not fit the limit, or a loss is not finite.
 */
export async function openComparison(
  checkpoint: Checkpoint,
  device: Device,
  { sequences: all = [], path }: Compared,
  limits: MemoryLimits,
  signal: AbortSignal,
): Promise<Comparison | null> {
  const shape = shapeOf(all);
  const plan = shape && planComparison(checkpoint.config, shape, limits);
  if (!plan) return null;
  const sequences = all.slice(0, nCompared(shape));
  const options = { signal, ...(path && { path }) };
  const config = inFloat32(checkpoint.config);
  const original = { ...checkpoint, config };
  using store = plannedStore(original, device, plan);
  const float32 = await finiteNats({ checkpoint: original, config, device, store, plan }, sequences, options);
  // Programs are compiled for one width.
  await device.forgetPrograms();
  if (!float32) return null;
  return {
    async cost(model) {
      const held = await finiteNats(model, sequences, options);
      if (!held) return null;
      const { mean, standardError } = pairedDifference(held, float32);
      const lossNats = meanOf(held);
      return {
        nSequences: sequences.length,
        tokensPerSequence: shape.tokensPerSequence,
        float32LossNats: lossNats - mean,
        lossNats,
        costNats: mean,
        costStandardError: standardError,
      };
    },
  };
}

/** The losses of all predictions; null where one is not finite. */
async function finiteNats(
  model: Model,
  sequences: readonly Int32Array[],
  options: { readonly path?: Path; readonly signal: AbortSignal },
): Promise<Float32Array | null> {
  const each = sequences[0]!.length - 1;
  const nats = new Float32Array(sequences.length * each);
  const observer = {
    async tokens(tokenNats: Tensor, { firstSequence }: MicroBatch) {
      nats.set(await model.device.read(tokenNats), firstSequence * each);
    },
  };
  try {
    await forward(model, sequences, { ...options, observer });
    return nats;
  } catch (error) {
    if (isUserError(error) && error.code === 'notFinite') return null;
    throw error;
  }
}

const meanOf = (values: Float32Array) => values.reduce((sum, x) => sum + x, 0) / values.length;
