// One step of training: the loss of some batches, its gradient by all adapter matrices, clipped, and AdamW's change.
import { maskOf } from '../model/lora';
import type { OptimizerOptions } from '../recipes/heal/trainingOptions';
import type { Tensor, Tensors } from '../runtime/tensor';
import { type BackwardOptions, lossAndGradients } from '../execution/backward';
import { type GradientSums, openGradientSums } from '../execution/gradientSums';
import type { WeightedBatch } from '../execution/headLossGradient';
import type { Model } from '../execution/model';
import type { AdapterState } from './adapterState';
import { adamwStep, next, type StepScalars, stepScalars, sumOfSquares } from './adamw';
import { dropoutMask, keyOf } from './random';
import { learningRate } from './schedule';

export interface StepOptions {
  readonly optimizer: OptimizerOptions;
  /** Of the whole run: the schedule ends with it. */
  readonly steps: number;
  readonly seed: number;
  readonly dropout: number;
  readonly activations: 'keep' | 'recompute';
  /** How many batches go through the model together: more than one only spares the reading of streamed weights. */
  readonly batchesAtOnce: number;
  readonly signal?: AbortSignal;
  onProgress?(fraction: number): void;
}

export interface StepResult {
  /** Before the change. */
  readonly lossNats: number;
  /** L2 over all adapter matrices, before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
}

/**
 * Step `step`, counted from 0, on batches whose weights sum to 1. Where the gradient is not finite the adapter is left as it
 * was: whoever called sees it in the result.
 * @throws UserError `notFinite` where the loss is not
 */
export async function trainStep(
  model: Model,
  adapter: AdapterState,
  batches: readonly WeightedBatch[],
  step: number,
  options: StepOptions,
): Promise<StepResult> {
  const { optimizer } = options;
  const rate = learningRate(optimizer, options.steps, step);
  using sums = openGradientSums(model.device, adapter.shapes);
  const lossNats = await sumOfLosses(model, adapter, batches, step, { ...options, take: sums.add });
  const gradNorm = await normOf(model, adapter, sums);
  if (Number.isFinite(gradNorm)) {
    const scalars = stepScalars(optimizer, rate, step, clipFactor(gradNorm, optimizer));
    await change(model, adapter, sums.of, scalars, optimizer);
  }
  return { lossNats, gradNorm, learningRate: rate };
}

/** torch.nn.utils.clip_grad_norm_ */
const clipFactor = (norm: number, { clipNorm }: OptimizerOptions): number =>
  clipNorm === null ? 1 : Math.min(1, clipNorm / (norm + 1e-6));

async function sumOfLosses(
  model: Model,
  adapter: AdapterState,
  batches: readonly WeightedBatch[],
  step: number,
  options: StepOptions & Pick<BackwardOptions, 'take'>,
): Promise<number> {
  const { seed, dropout, activations, batchesAtOnce, signal, onProgress, take } = options;
  let loss = 0;
  for (let first = 0; first < batches.length; first += batchesAtOnce) {
    const together = batches.slice(first, first + batchesAtOnce);
    const masks = dropoutMasks(adapter, together, dropout, (block, b, layer) =>
      keyOf(seed, step, first + b, block, layer),
    );
    loss += await lossAndGradients(model, together, {
      adapters: adapter,
      wrt: (block) => Object.keys(adapter.shapes(block)),
      take,
      ...(masks && { masks }),
      activations,
      signal,
      onProgress: (fraction) => onProgress?.((first + fraction * together.length) / batches.length),
    });
  }
  return loss;
}

/** Made anew whenever they are asked for, from a key of their place: there is nothing to keep or to save. */
function dropoutMasks(
  adapter: AdapterState,
  batches: readonly WeightedBatch[],
  rate: number,
  key: (block: number, batch: number, layer: number) => number,
): BackwardOptions['masks'] | null {
  if (rate === 0) return null;
  return async (block, b, scope) => {
    const rows = batches[b]!.batch * batches[b]!.tokens;
    const masks: Record<string, Tensor> = {};
    for (const [i, [layer, { inFeatures }]] of [...adapter.layers(block)].entries()) {
      const mask = dropoutMask(key(block, b, i), rows * inFeatures, rate);
      masks[maskOf(layer)] = await scope.upload(mask, [rows, inFeatures], 'table');
    }
    return masks;
  };
}

/** L2 over all gradients. */
async function normOf({ device }: Model, adapter: AdapterState, sums: GradientSums): Promise<number> {
  let squares = 0;
  for (const block of sums.blocks()) {
    using scope = device.scope();
    const { sum } = await scope.run(await scope.program(sumOfSquares, adapter.shapes(block)), sums.of(block));
    squares += (await scope.read(sum!))[0]!;
  }
  return Math.sqrt(squares);
}

async function change(
  { device }: Model,
  adapter: AdapterState,
  gradients: (block: number) => Tensors,
  scalars: StepScalars,
  { beta1, beta2, epsilon }: OptimizerOptions,
): Promise<void> {
  using scope = device.scope();
  const fed: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(scalars))
    fed[name] = await scope.upload(Float32Array.of(value), [], 'table');
  for (const block of adapter.blocks) {
    const program = await scope.program(adamwStep, adapter.shapes(block), { beta1, beta2, epsilon });
    const changed = await scope.run(program, { ...fed, ...adapter.optimized(block), ...gradients(block) });
    adapter.replace(block, renamed(changed));
  }
}

/** Without the `next ` before the names. */
const renamed = (tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name.slice(next('').length), tensor]));
