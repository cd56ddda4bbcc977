// The loss of a micro-batch, gathered while the vocabulary passes in slices.
import { headSlice, sequenceLoss } from '../model/head';
import type { Tensor } from '../runtime/tensor';
import { shapeOf } from './blockProgram';
import { headRowsOf, logSumExp, openHeadSlices, predicted } from './headSlices';
import type { Batch } from './model';
import type { HeadPass, HeadVisit } from './visitor';

export interface Losses {
  /** Of each sequence, [B]. */
  readonly lossNats: Tensor;
  /** Of each prediction, [B, T-1]. */
  readonly tokenNats: Tensor;
}

/** The running log-sum-exp of a batch over slices of the vocabulary. */
export async function openHeadLoss({ model, batch, hidden, norm }: HeadVisit<Batch>): Promise<HeadPass<Losses>> {
  const { config, device } = model;
  const slices = await openHeadSlices(model, batch, hidden, norm, {
    running: logSumExp,
    program: (rows, sliceRows) => device.program(headSlice, config, rows, sliceRows),
  });
  return {
    pass: slices.pass,
    async finish() {
      const targets = await headRowsOf(model, predicted(batch.ids, batch.tokens));
      const program = await device.program(sequenceLoss, config, shapeOf(batch));
      const { lossNats, tokenNats } = await device.run(program, { ...slices.tensors(), targets });
      device.release(targets);
      return { lossNats: lossNats!, tokenNats: tokenNats! };
    },
  };
}
