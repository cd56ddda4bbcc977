// The loss of a batch and its gradient by the last hidden state, gathered while the vocabulary passes in slices.
import type { BatchShape } from '../model/blockInputs';
import { finalNorm } from '../model/head';
import { finalNormBackward, headSliceWithRows, weightedLoss } from '../model/headGradient';
import { embeddingName, headName } from '../model/weights';
import type { Tensor } from '../runtime/tensor';
import type { Model } from './model';

/** Windows of equal length with what each prediction counts in the loss. */
export interface WeightedBatch extends BatchShape {
  /** [B*T] */
  readonly ids: Int32Array;
  /** [B*(T-1)]; zero for a prediction that does not count. */
  readonly weights: Float32Array;
}

export interface HeadGradient {
  pass(slice: Tensor): Promise<void>;
  /** The sum of weights times nats, and its gradient by the last hidden state, [B*T, D]. */
  finish(): Promise<{ loss: number; leavingGradient: Tensor }>;
  dispose(): void;
}

/** Takes over `last`, the hidden state [B*T, D] after the last block. */
export async function openHeadGradient(
  { checkpoint, config, device }: Model,
  batch: WeightedBatch,
  last: Tensor,
  norm: Tensor,
): Promise<HeadGradient> {
  const D = config.width;
  const rows = batch.batch * (batch.tokens - 1);
  const shape = `${batch.batch}x${batch.tokens}`;
  const { normed } = await device.run(await device.program(`finalNorm ${shape}`, () => finalNorm(config, batch)), {
    hidden: last,
    norm,
  });
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
      const headWeight = config.tiedEmbeddings ? embeddingName : headName;
      const targetIds = batch.ids.filter((_, i) => i % batch.tokens !== 0);
      const targets = await device.upload(checkpoint.gatherRowsF32(headWeight, targetIds), [rows, D], 'table');
      const weights = await device.upload(batch.weights, [rows, 1], 'table');
      const ended = await device.run(await device.program(`weightedLoss ${rows}`, () => weightedLoss(config, rows)), {
        normed: normed!,
        targets,
        weights,
        ...running,
      });
      const back = await device.program(`finalNormBackward ${shape}`, () => finalNormBackward(config, batch));
      const { loss, normedGradient } = ended;
      const { leavingGradient } = await device.run(back, { hidden: last, norm, normedGradient: normedGradient! });
      const [value] = await device.read(loss!);
      for (const tensor of [targets, weights, ...Object.values(ended)]) tensor.dispose();
      return { loss: value!, leavingGradient: leavingGradient! };
    },
    dispose: release,
  };
}
