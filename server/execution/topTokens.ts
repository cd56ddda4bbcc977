// What a model expects at every prediction of some windows: its likeliest tokens and their log-probabilities.
import { cancelled } from '../errors';
import { topTokensEnd, topTokensSlice } from '../model/distillation';
import { pathWithout } from '../model/path';
import type { Tensor } from '../runtime/tensor';
import { blockProgram } from './blockProgram';
import type { Expected } from './headGradient';
import { logSumExp, openHeadWalk } from './headWalk';
import { batchIds, embed, finalNormWeight, type MicroBatch, microBatches, type Model } from './model';
import { openTables } from './positionTables';
import { blockGroup, headGroups, type Step } from './weightStore';

export interface TopTokensOptions {
  readonly topK: number;
  readonly temperature: number;
  readonly signal?: AbortSignal;
  onProgress?(fraction: number): void;
}

/** For every window, all of one length T, its T - 1 predictions: [T-1, K]. Throws UserError('cancelled') between two runs. */
export async function topTokens(
  model: Model,
  windows: readonly Int32Array[],
  options: TopTokensOptions,
): Promise<Expected[]> {
  const { plan } = model;
  const found: Expected[] = [];
  for (let first = 0; first < windows.length; first += plan.groupWindows) {
    const group = windows.slice(first, first + plan.groupWindows);
    found.push(...(await ofGroup(model, group, options)));
    options.onProgress?.(found.length / windows.length);
  }
  return found;
}

async function ofGroup(model: Model, windows: readonly Int32Array[], options: TopTokensOptions): Promise<Expected[]> {
  const { config, device, plan } = model;
  const batches = microBatches(windows, 0, plan.microBatchWindows);
  const tables = await openTables(model);
  const norm = await finalNormWeight(model);
  const states = await Promise.all(batches.map((batch) => embed(model, batchIds(windows, batch))));
  const heads: TopTokens[] = [];
  const each = async (visit: (batch: MicroBatch, b: number) => Promise<void>) => {
    for (const [b, batch] of batches.entries()) {
      await visit(batch, b);
      if (options.signal?.aborted) throw cancelled();
    }
  };
  const blocks = pathWithout(config).map(
    (stage): Step => ({
      group: blockGroup(config, stage.block),
      visit: (weights) =>
        each(async (batch, b) => {
          const program = await blockProgram(model, stage, batch);
          const hiddenIn = states[b]!;
          const { hiddenOut } = await device.run(program, {
            ...weights,
            ...(await tables.for(batch)),
            hidden: hiddenIn,
          });
          hiddenIn.dispose();
          states[b] = hiddenOut!;
        }),
    }),
  );
  const slices = headGroups(config, plan.headSliceRows).map(
    (group): Step => ({
      group,
      visit: (weights) =>
        each(async (batch, b) => {
          heads[b] ??= await openTopTokens(model, batch, states[b]!, norm, options);
          await heads[b]!.pass(weights.head!, group.parts[0]!.firstRow!);
        }),
    }),
  );
  try {
    await model.store.walk([...blocks, ...slices]);
    const ended: Expected[] = [];
    for (const head of heads) ended.push(...(await head.finish()));
    return ended;
  } finally {
    for (const head of heads) head.dispose();
    for (const tensor of [...states, norm]) tensor.dispose();
    tables.dispose();
  }
}

interface TopTokens {
  pass(slice: Tensor, firstRow: number): Promise<void>;
  /** By window of the batch. */
  finish(): Promise<Expected[]>;
  dispose(): void;
}

async function openTopTokens(
  model: Model,
  batch: MicroBatch,
  last: Tensor,
  norm: Tensor,
  { topK, temperature }: TopTokensOptions,
): Promise<TopTokens> {
  const { config, device } = model;
  const walk = await openHeadWalk(model, batch, last, norm, {
    running: {
      ...logSumExp,
      topLogits: { width: topK, from: logSumExp.largest.from },
      topIds: { width: topK, from: 0 },
    },
    slice: (rows, sliceRows, firstRow) => ({
      key: `topTokensSlice ${rows} ${firstRow}+${sliceRows} ${topK} ${temperature}`,
      build: () => topTokensSlice(config, rows, sliceRows, firstRow, topK, temperature),
    }),
    temperature,
  });
  const { rows } = walk;
  return {
    pass: walk.pass,
    async finish() {
      const end = await device.program(`topTokensEnd ${rows} ${topK}`, () => topTokensEnd(rows, topK));
      const ended = walk.tensors();
      const { logProbabilities } = await device.run(end, ended);
      const logs = await device.read(logProbabilities!);
      const ids = Int32Array.from(await device.read(ended.topIds!));
      logProbabilities!.dispose();
      const each = (batch.tokens - 1) * topK;
      return Array.from({ length: batch.batch }, (_, b) => ({
        topK,
        temperature,
        ids: ids.slice(b * each, (b + 1) * each),
        logProbabilities: logs.slice(b * each, (b + 1) * each),
      }));
    },
    dispose: walk.dispose,
  };
}
