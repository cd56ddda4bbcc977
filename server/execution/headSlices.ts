// What runs along while the head passes in slices along the vocabulary, and the tokens' own rows of the head.
import type { BatchShape } from '../model/blockInputs';
import { beforeFirstSlice, finalNorm } from '../model/head';
import { embeddingName, headName } from '../model/weights';
import type { Scope } from '../runtime/device';
import type { Program } from '../runtime/sessions';
import type { Tensor, Tensors } from '../runtime/tensor';
import { shapeOf } from './blockProgram';
import type { Model } from './model';
import { asHeld } from './storedWeights';
import type { HeadSlice } from './visitor';

/** What is kept from slice to slice: a value for every prediction, [rows, width], and what it begins with. */
export interface Running {
  readonly width: number;
  readonly from: number;
}

/** The running maximum and the running sum of exponentials. */
export const logSumExp = {
  largest: { width: 1, from: beforeFirstSlice.largest },
  sum: { width: 1, from: beforeFirstSlice.sum },
} as const;

export interface HeadSlices {
  /** B (T-1): the predictions of the batch. */
  readonly rows: number;
  /** normed [rows, D] and the running values, by the names of the graphs' inputs. */
  tensors(): Tensors;
  pass(slice: HeadSlice): Promise<void>;
}

export interface SliceOptions {
  readonly running: Readonly<Record<string, Running>>;
  /** Its graph takes normed, head, the running values and `feeds`, and gives each of them as `next` and its name. */
  program(rows: number, sliceRows: number, firstRow: number): Promise<Program>;
  /** Inputs of one slice alone, made in `scope`. */
  feeds?(scope: Scope, sliceRows: number, firstRow: number): Promise<Tensors>;
  /** Logits are divided by it; default 1. */
  readonly temperature?: number;
}

/** Of the predictions of a batch. @param hidden the state after the last block, [B*T, D] */
export async function openHeadSlices(
  { config, device }: Model,
  batch: BatchShape,
  hidden: Tensor,
  norm: Tensor,
  options: SliceOptions,
): Promise<HeadSlices> {
  const program = await device.program(finalNorm, config, shapeOf(batch), options.temperature ?? 1);
  const { normed } = await device.run(program, { hidden, norm });
  return headSlicesOf(device, normed!, options);
}

/** Of rows [rows, D] that are normed already. Everything is made in the scope `device`. */
export async function headSlicesOf(
  device: Scope,
  normed: Tensor,
  { running: kept, program, feeds }: SliceOptions,
): Promise<HeadSlices> {
  const rows = normed.shape[0]!;
  let running: Record<string, Tensor> = {};
  for (const [name, { width, from }] of Object.entries(kept))
    running[name] = await device.upload(new Float32Array(rows * width).fill(from), [rows, width], 'table');
  return {
    rows,
    tensors: () => ({ normed, ...running }),
    async pass({ weights, firstRow, nRows }) {
      using scope = device.scope();
      const own = (await feeds?.(scope, nRows, firstRow)) ?? {};
      const next = await device.run(await program(rows, nRows, firstRow), { normed, ...weights, ...running, ...own });
      device.release(...Object.values(running));
      running = Object.fromEntries(Object.keys(kept).map((name) => [name, next[nextOf(name)]!]));
    },
  };
}

const nextOf = (name: string) => `next${name[0]!.toUpperCase()}${name.slice(1)}`;

/** The head's rows of some tokens, [ids, D], as the head that is held has them. */
export function headRowsOf(
  { checkpoint, config, device }: Model,
  ids: Int32Array,
  shape: readonly number[] = [ids.length, config.width],
): Promise<Tensor> {
  const rows = checkpoint.gatherRowsF32(config.tiedEmbeddings ? embeddingName : headName, ids);
  return device.upload(asHeld(config.storage?.head ?? 'f32', rows, [ids.length, config.width]), shape, 'table');
}

/** The tokens that are predicted, sequence after sequence: all but the first of each. */
export const predicted = (ids: Int32Array, tokens: number): Int32Array => ids.filter((_, i) => i % tokens !== 0);
