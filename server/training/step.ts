// One step of training: the loss of some batches, its gradient by all adapter matrices, clipped, and AdamW's change.
import { type Shape, size } from '../graph/value';
import { gradientOf } from '../model/blockGradient';
import { maskOf } from '../model/lora';
import type { OptimizerOptions } from '../recipes/heal/trainingOptions';
import type { Tensor, Tensors } from '../runtime/tensor';
import { type BackwardOptions, lossAndGradients } from '../execution/backward';
import { type GradientSums, openGradientSums } from '../execution/gradientSums';
import type { WeightedBatch } from '../execution/headLossGradient';
import type { Model } from '../execution/model';
import { type AdapterState, matrixOf } from './adapterState';
import { adamwStep, next, type StepScalars, stepScalars, sumsOfSquares } from './adamw';
import { dropoutMask, keyOf } from './random';
import { learningRate } from './schedule';

export interface StepOptions {
  readonly optimizer: OptimizerOptions;
  /** Of the whole run: the schedule ends with it. */
  readonly steps: number;
  readonly seed: number;
  readonly dropout: number;
  readonly activations: 'keep' | 'recompute';
  /** So many of the last blocks are one graph with the head: see BackwardOptions. Default: none. */
  readonly segmentBlocks?: number;
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
    await change(model, adapter, sums, scalars, optimizer);
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
  const { seed, dropout, activations, segmentBlocks = 0, batchesAtOnce, signal, onProgress, take } = options;
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
      segmentBlocks,
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
  using scope = device.scope();
  const program = await scope.program(
    sumsOfSquares,
    sums.blocks().map((block) => matricesOf(adapter, [block])),
  );
  const { sums: squares } = await scope.run(program, gradientsOf(adapter, sums, sums.blocks()));
  return Math.sqrt((await scope.read(squares!)).reduce((sum, x) => sum + x, 0));
}

async function change(
  { device }: Model,
  adapter: AdapterState,
  gradients: GradientSums,
  scalars: StepScalars,
  { beta1, beta2, epsilon }: OptimizerOptions,
): Promise<void> {
  using scope = device.scope();
  const fed: Record<string, Tensor> = {};
  for (const [name, value] of Object.entries(scalars))
    fed[name] = await scope.upload(Float32Array.of(value), [], 'table');
  for (const blocks of changedTogether(adapter)) {
    const program = await scope.program(adamwStep, matricesOf(adapter, blocks), { beta1, beta2, epsilon });
    const feeds = { ...fed, ...adapter.optimized(blocks), ...gradientsOf(adapter, gradients, blocks) };
    adapter.replace(blocks, renamed(await scope.run(program, feeds)));
  }
}

/** While matrices are changed they are there twice, with their moments. */
const mostChangedTogether = 2 ** 24;

/** All blocks in one run, or in several where the adapter is large. */
function changedTogether({ blocks, shapes }: AdapterState): number[][] {
  const sets: number[][] = [];
  let room = 0;
  for (const block of blocks) {
    const numbers = Object.values(shapes(block)).reduce((sum, shape) => sum + size(shape), 0);
    if (numbers > room || sets.length === 0) {
      sets.push([]);
      room = mostChangedTogether;
    }
    sets.at(-1)!.push(block);
    room -= numbers;
  }
  return sets;
}

/** The matrices of some blocks together, and their gradients. */
const matricesOf = ({ shapes }: AdapterState, blocks: readonly number[]): Readonly<Record<string, Shape>> =>
  Object.fromEntries(
    blocks.flatMap((block) => Object.entries(shapes(block)).map(([name, shape]) => [matrixOf(block, name), shape])),
  );
const gradientsOf = ({ shapes }: AdapterState, sums: GradientSums, blocks: readonly number[]): Tensors =>
  Object.fromEntries(
    blocks.flatMap((block) =>
      Object.keys(shapes(block)).map((name) => [gradientOf(matrixOf(block, name)), sums.of(block)[gradientOf(name)]!]),
    ),
  );

/** Without the `next ` before the names. */
const renamed = (tensors: Tensors): Tensors =>
  Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name.slice(next('').length), tensor]));
