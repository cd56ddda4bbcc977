// The loss of a batch and its gradient by the last hidden state, gathered while the vocabulary passes in slices.
import type { BatchShape } from '../model/blockInputs';
import { distillationLoss } from '../model/distillation';
import { finalNormBackward, headSliceWithRows, weightedLoss } from '../model/headGradient';
import type { Program } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import { headRowsOf, logSumExp, openHeadWalk, predicted } from './headWalk';
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
  pass(slice: Tensor, firstRow: number): Promise<void>;
  /** The sum of weights times nats, and its gradient by the last hidden state, [B*T, D]. */
  finish(): Promise<{ loss: number; hiddenOutGradient: Tensor }>;
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
  const { temperature = 1 } = batch.expected ?? {};
  const walk = await openHeadWalk(model, batch, last, norm, {
    running: { ...logSumExp, headRows: { width: config.width, from: 0 } },
    slice: (rows, sliceRows) => ({
      key: `headSliceWithRows ${rows}x${sliceRows} / ${temperature}`,
      build: () => headSliceWithRows(config, rows, sliceRows, temperature),
    }),
    temperature,
  });
  return {
    pass: walk.pass,
    async finish() {
      const goal = await goalOf(model, batch, walk.rows);
      const weights = await device.upload(batch.weights, [walk.rows, 1], 'table');
      const ended = await device.run(goal.program, { ...goal.tensors, ...walk.tensors(), weights });
      const key = `finalNormBackward ${batch.batch}x${batch.tokens}`;
      const back = await device.program(key, () => finalNormBackward(config, batch));
      const { loss, normedGradient } = ended;
      const { hiddenOutGradient } = await device.run(back, { hidden: last, norm, normedGradient: normedGradient! });
      const [value] = await device.read(loss!);
      for (const tensor of [weights, ...Object.values(goal.tensors), ...Object.values(ended)]) tensor.dispose();
      return { loss: value!, hiddenOutGradient: hiddenOutGradient! };
    },
    dispose() {
      walk.dispose();
      last.dispose();
    },
  };
}

/** The end of the walk over the vocabulary: what the predictions are held against, and the graph that does it. */
async function goalOf(
  model: Model,
  { ids, tokens, expected }: WeightedBatch,
  rows: number,
): Promise<{ program: Program; tensors: Record<string, Tensor> }> {
  const { config, device } = model;
  if (!expected)
    return {
      program: await device.program(`weightedLoss ${rows}`, () => weightedLoss(config, rows)),
      tensors: { targets: await headRowsOf(model, predicted(ids, tokens)) },
    };
  const { topK, temperature } = expected;
  return {
    program: await device.program(`distillationLoss ${rows} ${topK} ${temperature}`, () =>
      distillationLoss(config, rows, topK, temperature),
    ),
    tensors: {
      teacherRows: await headRowsOf(model, expected.ids, [rows, topK, config.width]),
      teacherLogProbabilities: await device.upload(expected.logProbabilities, [rows, topK], 'table'),
    },
  };
}
