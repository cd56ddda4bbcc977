// The loss of a micro-batch, gathered while the vocabulary passes in slices.
import { headSlice, windowLoss } from '../model/head';
import type { Tensor } from '../runtime/tensor';
import { headRowsOf, logSumExp, openHeadWalk, predicted } from './headWalk';
import { batchIds, type MicroBatch, type Model } from './model';

export interface HeadLoss {
  pass(slice: Tensor, firstRow: number): Promise<void>;
  /** The loss of each window, [B], and of each prediction, [B, T-1]. */
  finish(): Promise<{ lossNats: Tensor; tokenNats: Tensor }>;
  dispose(): void;
}

/** The running log-sum-exp of a micro-batch over slices of the vocabulary. */
export async function openHeadLoss(
  model: Model,
  windows: readonly Int32Array[],
  batch: MicroBatch,
  last: Tensor,
  norm: Tensor,
): Promise<HeadLoss> {
  const { config, device } = model;
  const walk = await openHeadWalk(model, batch, last, norm, {
    running: logSumExp,
    slice: (rows, sliceRows) => ({
      key: `headSlice ${rows}x${sliceRows}`,
      build: () => headSlice(config, rows, sliceRows),
    }),
  });
  const owned: Tensor[] = [];
  return {
    pass: walk.pass,
    async finish() {
      const targets = await headRowsOf(model, predicted(batchIds(windows, batch), batch.tokens));
      const key = `windowLoss ${batch.batch}x${batch.tokens}`;
      const program = await device.program(key, () => windowLoss(config, batch));
      const { lossNats, tokenNats } = await device.run(program, { ...walk.tensors(), targets });
      targets.dispose();
      owned.push(lossNats!, tokenNats!);
      return { lossNats: lossNats!, tokenNats: tokenNats! };
    },
    dispose() {
      walk.dispose();
      for (const tensor of owned) tensor.dispose();
    },
  };
}
