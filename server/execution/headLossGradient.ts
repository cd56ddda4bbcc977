// The loss of a batch and its gradient with respect to the last hidden state, gathered while the vocabulary passes in slices.
import { distillationLoss } from '../model/distillation';
import { finalNormBackward, headSliceWithRows, weightedLoss } from '../model/headGradient';
import type { Program } from '../runtime/sessions';
import type { Tensor, Tensors } from '../runtime/tensor';
import { shapeOf } from './blockProgram';
import { headRowsOf, logSumExp, openHeadSlices, predicted } from './headSlices';
import type { Batch, Model } from './model';
import { refuseNotFinite } from './notFinite';
import type { HeadPass, HeadVisit } from './visitor';

/** Sequences of equal length with what each prediction counts in the loss. */
export interface WeightedBatch extends Batch {
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

export interface LossAndGradient {
  /** The sum of weights times nats. */
  readonly loss: number;
  /** With respect to the last hidden state, [B*T, D]; null where nothing before it is differentiated. */
  readonly gradient: Tensor | null;
}

/** Takes the hidden state over: the backward pass through the final norm needs it. A loss that is not finite is refused. */
export async function openHeadGradient(visit: HeadVisit<WeightedBatch>): Promise<HeadPass<LossAndGradient>> {
  const { model, batch, hidden, norm } = visit;
  const { config, device } = model;
  const { temperature = 1 } = batch.expected ?? {};
  const slices = await openHeadSlices(model, batch, hidden, norm, {
    running: { ...logSumExp, headRows: { width: config.width, from: 0 } },
    program: (rows, sliceRows) => device.program(headSliceWithRows, config, rows, sliceRows, temperature),
    temperature,
  });
  device.adopt(hidden);
  return {
    pass: slices.pass,
    async finish() {
      const feeds = { ...(await objectiveFeeds(model, batch)), ...slices.tensors() };
      const { loss, normedGradient } = await device.run(await objectiveProgram(model, batch, slices.rows), feeds);
      const back = await device.program(finalNormBackward, config, shapeOf(batch));
      const { hiddenOutGradient } = await device.run(back, { hidden, norm, normedGradient: normedGradient! });
      const value = await device.read(loss!);
      refuseNotFinite(value, 'loss', visit);
      return { loss: value[0]!, gradient: hiddenOutGradient! };
    },
  };
}

function objectiveProgram({ config, device }: Model, { expected }: WeightedBatch, rows: number): Promise<Program> {
  if (!expected) return device.program(weightedLoss, config, rows);
  return device.program(distillationLoss, config, rows, expected.topK, expected.temperature);
}

/** What the predictions of a batch are held against, and what each counts. */
export async function objectiveFeeds(
  model: Model,
  { batch, ids, tokens, weights, expected }: WeightedBatch,
): Promise<Tensors> {
  const { config, device } = model;
  const rows = batch * (tokens - 1);
  const counts = await device.upload(weights, [rows, 1], 'table');
  if (!expected) return { weights: counts, targets: await headRowsOf(model, predicted(ids, tokens)) };
  const { topK, logProbabilities } = expected;
  return {
    weights: counts,
    teacherRows: await headRowsOf(model, expected.ids, [rows, topK, config.width]),
    teacherLogProbabilities: await device.upload(logProbabilities, [rows, topK], 'table'),
  };
}
