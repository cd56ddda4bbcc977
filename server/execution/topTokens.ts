// What a model expects at every prediction of some sequences: its likeliest tokens and their log-probabilities.
import { topTokensEnd, topTokensSlice } from '../model/distillation';
import { type Path, pathWithout } from '../model/path';
import { openExecution } from './execute';
import type { Expected } from './headLossGradient';
import { logSumExp, openHeadSlices } from './headSlices';
import { type Batch, type MicroBatch, type Model, roundsOf } from './model';
import { refuseNotFinite } from './notFinite';
import { buildTrie } from './variantTrie';
import type { Control, HeadPass, HeadVisit } from './visitor';

export interface TopTokensOptions extends Control {
  readonly topK: number;
  readonly temperature: number;
  /** Default: through all blocks. */
  readonly path?: Path;
}

/**
 * For every sequence, all of one length T, its T - 1 predictions: [T-1, K]. Throws UserError `cancelled` between two runs,
 * `notFinite` where a log-probability is NaN or infinite.
 */
export async function topTokens(
  model: Model,
  sequences: readonly Int32Array[],
  options: TopTokensOptions,
): Promise<Expected[]> {
  const found: Expected[] = [];
  using execution = await openExecution(model);
  await execution.run<MicroBatch, Expected[]>(
    buildTrie([options.path ?? pathWithout(model.config)]),
    roundsOf(sequences, model.plan),
    {
      head: (visit) => openTopTokens(visit, options),
      take: async (expected) => void found.push(...expected),
    },
    options,
  );
  return found;
}

/** By sequence of the batch. */
async function openTopTokens(
  visit: HeadVisit<Batch>,
  { topK, temperature }: TopTokensOptions,
): Promise<HeadPass<Expected[]>> {
  const { model, batch, hidden, norm } = visit;
  const { config, device } = model;
  const slices = await openHeadSlices(model, batch, hidden, norm, {
    running: {
      ...logSumExp,
      topLogits: { width: topK, from: logSumExp.largest.from },
      topIds: { width: topK, from: 0 },
    },
    program: (rows, sliceRows, firstRow) =>
      device.program(topTokensSlice, config, rows, sliceRows, firstRow, topK, temperature),
    temperature,
  });
  return {
    pass: slices.pass,
    async finish() {
      const ended = slices.tensors();
      const { logProbabilities } = await device.run(await device.program(topTokensEnd, slices.rows, topK), ended);
      const logs = await device.read(logProbabilities!);
      refuseNotFinite(logs, 'log-probabilities', visit);
      const ids = Int32Array.from(await device.read(ended.topIds!));
      const each = (batch.tokens - 1) * topK;
      return Array.from({ length: batch.batch }, (_, b) => ({
        topK,
        temperature,
        ids: ids.slice(b * each, (b + 1) * each),
        logProbabilities: logs.slice(b * each, (b + 1) * each),
      }));
    },
  };
}
