// The loss of a batch and its gradient by the last hidden state, gathered while the vocabulary passes in slices.
import type { BatchShape } from '../model/blockInputs';
import { distillationLoss } from '../model/distillation';
import { finalNorm } from '../model/head';
import { finalNormBackward, headSliceWithRows, weightedLoss } from '../model/headGradient';
import { embeddingName, headName } from '../model/weights';
import type { Program } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import type { Model } from './model';

/** Windows of equal length with what each prediction counts in the loss. */
export interface WeightedBatch extends BatchShape {
  /** [B*T] */
  readonly ids: Int32Array;
  /** [B*(T-1)]; zero for a prediction that does not count. */
  readonly weights: Float32Array;
  /** The loss is the distance to it, in place of the next token's cross-entropy. */
  readonly expected?: Expected;
}

/** What a teacher expects at each prediction of a batch, [rows, K] each. */
export interface Expected {
  readonly topK: number;
  readonly ids: Int32Array;
  readonly logProbabilities: Float32Array;
  readonly temperature: number;
}

export interface HeadGradient {
  pass(slice: Tensor): Promise<void>;
  /** The sum of weights times nats, and its gradient by the last hidden state, [B*T, D]. */
  finish(): Promise<{ loss: number; leavingGradient: Tensor }>;
  dispose(): void;
}

/** Takes over `last`, the hidden state [B*T, D] after the last block. */
export async function openHeadGradient(
  model: Model,
  batch: WeightedBatch,
  last: Tensor,
  norm: Tensor,
): Promise<HeadGradient> {
  const { config, device } = model;
  const D = config.width;
  const rows = batch.batch * (batch.tokens - 1);
  const shape = `${batch.batch}x${batch.tokens}`;
  const cooling = batch.expected?.temperature ?? 1;
  const program = await device.program(`finalNorm ${shape} / ${cooling}`, () => finalNorm(config, batch, cooling));
  const { normed } = await device.run(program, { hidden: last, norm });
  const zeros = (width: number, value = 0) =>
    device.upload(new Float32Array(rows * width).fill(value), [rows, width], 'table');
  let running: Record<'largest' | 'sum' | 'headRows', Tensor> = {
    largest: await zeros(1, -3e38),
    sum: await zeros(1),
    headRows: await zeros(D),
  };
  const release = () => {
    for (const tensor of [...Object.values(running), normed!, last]) tensor.dispose();
  };
  return {
    async pass(head) {
      const sliceRows = head.shape[0]!;
      const program = await device.program(`headSliceWithRows ${rows}x${sliceRows}`, () =>
        headSliceWithRows(config, rows, sliceRows),
      );
      const next = await device.run(program, { normed: normed!, head, ...running });
      for (const tensor of Object.values(running)) tensor.dispose();
      running = { largest: next.nextLargest!, sum: next.nextSum!, headRows: next.nextHeadRows! };
    },
    async finish() {
      const goal = await goalOf(model, batch, rows);
      const weights = await device.upload(batch.weights, [rows, 1], 'table');
      const ended = await device.run(goal.program, { ...goal.tensors, normed: normed!, weights, ...running });
      const back = await device.program(`finalNormBackward ${shape}`, () => finalNormBackward(config, batch));
      const { loss, normedGradient } = ended;
      const { leavingGradient } = await device.run(back, { hidden: last, norm, normedGradient: normedGradient! });
      const [value] = await device.read(loss!);
      for (const tensor of [weights, ...Object.values(goal.tensors), ...Object.values(ended)]) tensor.dispose();
      return { loss: value!, leavingGradient: leavingGradient! };
    },
    dispose: release,
  };
}

/** The end of the walk over the vocabulary: what the predictions are held against, and the graph that does it. */
async function goalOf(
  { checkpoint, config, device }: Model,
  { ids, tokens, expected }: WeightedBatch,
  rows: number,
): Promise<{ program: Program; tensors: Record<string, Tensor> }> {
  const D = config.width;
  const headWeight = config.tiedEmbeddings ? embeddingName : headName;
  if (!expected) {
    const targetIds = ids.filter((_, i) => i % tokens !== 0);
    return {
      program: await device.program(`weightedLoss ${rows}`, () => weightedLoss(config, rows)),
      tensors: { targets: await device.upload(checkpoint.gatherRowsF32(headWeight, targetIds), [rows, D], 'table') },
    };
  }
  const { topK, temperature } = expected;
  const teacherRows = checkpoint.gatherRowsF32(headWeight, expected.ids);
  return {
    program: await device.program(`distillationLoss ${rows} ${topK} ${temperature}`, () =>
      distillationLoss(config, rows, topK, temperature),
    ),
    tensors: {
      teacherRows: await device.upload(teacherRows, [rows, topK, D], 'table'),
      teacherLogProbabilities: await device.upload(expected.logProbabilities, [rows, topK], 'table'),
    },
  };
}
