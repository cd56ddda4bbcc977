// The loss of a micro-batch, gathered while the vocabulary passes in slices.
import { finalNorm, headSlice, windowLoss } from '../model/head';
import { embeddingName, headName } from '../model/weights';
import type { Tensor } from '../runtime/tensor';
import { batchIds, type MicroBatch, type Model } from './model';

export interface HeadLoss {
  pass(slice: Tensor): Promise<void>;
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
  const rows = batch.batch * (batch.tokens - 1);
  const shape = `${batch.batch}x${batch.tokens}`;
  const { normed } = await device.run(await device.program(`finalNorm ${shape}`, () => finalNorm(config, batch)), {
    hidden: last,
    norm,
  });
  let largest = await device.upload(new Float32Array(rows).fill(-3e38), [rows, 1], 'table');
  let sum = await device.upload(new Float32Array(rows), [rows, 1], 'table');
  const targetIds = batchIds(windows, batch).filter((_, i) => i % batch.tokens !== 0);
  const headWeight = config.tiedEmbeddings ? embeddingName : headName;
  const owned: Tensor[] = [normed!];
  return {
    async pass(head) {
      const sliceRows = head.shape[0]!;
      const program = await device.program(`headSlice ${rows}x${sliceRows}`, () => headSlice(config, rows, sliceRows));
      const next = await device.run(program, { normed: normed!, head, largest, sum });
      largest.dispose();
      sum.dispose();
      largest = next.nextLargest!;
      sum = next.nextSum!;
    },
    async finish() {
      const targets = await device.upload(
        model.checkpoint.gatherRowsF32(headWeight, targetIds),
        [rows, config.width],
        'table',
      );
      const program = await device.program(`windowLoss ${shape}`, () => windowLoss(config, batch));
      const { lossNats, tokenNats } = await device.run(program, { normed: normed!, targets, largest, sum });
      targets.dispose();
      owned.push(lossNats!, tokenNats!);
      return { lossNats: lossNats!, tokenNats: tokenNats! };
    },
    dispose() {
      for (const tensor of [...owned, largest, sum]) tensor.dispose();
    },
  };
}
