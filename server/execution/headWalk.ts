// A walk over slices of the head: what runs along with it, and the tokens' own rows of it.
import type { Graph } from '../graph/value';
import type { BatchShape } from '../model/blockInputs';
import { finalNorm } from '../model/head';
import { embeddingName, headName } from '../model/weights';
import type { Device } from '../runtime/device';
import type { Tensor } from '../runtime/tensor';
import type { Model } from './model';

/** What a walk keeps from slice to slice: a value for every prediction, [rows, width], and what it begins with. */
export interface Running {
  readonly width: number;
  readonly from: number;
}

/** Of the log-sum-exp: the largest logit so far lies above nothing, and nothing has been added up. */
export const logSumExp = { largest: { width: 1, from: -3e38 }, sum: { width: 1, from: 0 } } as const;

export interface HeadWalk {
  /** B (T-1): the predictions of the batch. */
  readonly rows: number;
  /** normed [rows, D] and the running values, by the names of the graphs' inputs. */
  tensors(): Readonly<Record<string, Tensor>>;
  pass(slice: Tensor, firstRow: number): Promise<void>;
  dispose(): void;
}

export interface HeadWalkOptions {
  readonly running: Readonly<Record<string, Running>>;
  /** One slice. Its graph takes normed, head, the running values and `feeds`, and gives each of them as `next` and its name. */
  slice(rows: number, sliceRows: number, firstRow: number): HeadSlice;
  /** Logits are divided by it; default 1. */
  readonly temperature?: number;
}

interface HeadSlice {
  readonly key: string;
  readonly build: () => Graph;
  /** Tensors of this slice alone; they are given back after it. */
  readonly feeds?: () => Promise<Readonly<Record<string, Tensor>>>;
}

/** @param last the hidden state after the last block, [B*T, D]; it stays the caller's */
export async function openHeadWalk(
  { config, device }: Model,
  batch: BatchShape,
  last: Tensor,
  norm: Tensor,
  options: HeadWalkOptions,
): Promise<HeadWalk> {
  const { temperature = 1 } = options;
  const key = `finalNorm ${batch.batch}x${batch.tokens} / ${temperature}`;
  const program = await device.program(key, () => finalNorm(config, batch, temperature));
  const { normed } = await device.run(program, { hidden: last, norm });
  return walkHead(device, normed!, options);
}

/** The same for rows [rows, D] that are normed already; they are the walk's from now on. */
export async function walkHead(
  device: Device,
  normed: Tensor,
  { running: kept, slice }: HeadWalkOptions,
): Promise<HeadWalk> {
  const rows = normed.shape[0]!;
  let running: Record<string, Tensor> = {};
  for (const [name, { width, from }] of Object.entries(kept))
    running[name] = await device.upload(new Float32Array(rows * width).fill(from), [rows, width], 'table');
  const release = (tensors: Readonly<Record<string, Tensor>>) => {
    for (const tensor of Object.values(tensors)) tensor.dispose();
  };
  return {
    rows,
    tensors: () => ({ normed, ...running }),
    async pass(head, firstRow) {
      const { key, build, feeds } = slice(rows, head.shape[0]!, firstRow);
      const own = (await feeds?.()) ?? {};
      const next = await device.run(await device.program(key, build), { normed, head, ...running, ...own });
      release(running);
      release(own);
      running = Object.fromEntries(Object.keys(kept).map((name) => [name, next[nextOf(name)]!]));
    },
    dispose() {
      release(running);
      normed.dispose();
    },
  };
}

const nextOf = (name: string) => `next${name[0]!.toUpperCase()}${name.slice(1)}`;

/** The head's rows of some tokens, [ids, D]. */
export const headRowsOf = (
  { checkpoint, config, device }: Model,
  ids: Int32Array,
  shape: readonly number[] = [ids.length, config.width],
): Promise<Tensor> =>
  device.upload(checkpoint.gatherRowsF32(config.tiedEmbeddings ? embeddingName : headName, ids), shape, 'table');

/** The tokens that are predicted, window after window: all but the first of each. */
export const predicted = (ids: Int32Array, tokens: number): Int32Array => ids.filter((_, i) => i % tokens !== 0);
