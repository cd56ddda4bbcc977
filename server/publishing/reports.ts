// What proof and card need of the reports of single runs, which people may have edited. What is not needed is left out.
import * as z from 'zod';
import { bos } from '../protocol/recipes';
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import type { StudyReport } from '../recipes/study/recipe';

const count = z.int().nonnegative();
export const blocks = z.array(count);
export const sublayers = z.object({ attention: blocks, mlp: blocks });
const file = z.object({ name: z.string(), sha256: z.string(), sizeBytes: z.number() });

export const tokenSourceReport = z.object({
  files: z.array(file),
  nSequences: count,
  tokensPerSequence: count,
  start: count,
  bos,
  sampling: z.enum(['consecutive', 'random']),
  seed: count,
  idsSha256: z.string(),
  nTokensInText: count.nullable(),
});

const facts = {
  timing: z.object({ elapsedMs: z.number(), tokens: z.number() }),
  peakMemoryBytes: z.number(),
  device: z.string(),
  threads: z.number(),
  versions: z.object({ espalier: z.string(), onnxruntime: z.string(), node: z.string() }),
};

const model = z.object({
  name: z.string(),
  folder: z.string(),
  family: z.string(),
  nBlocks: count,
  nParameters: z.number(),
  sizeBytes: z.number(),
  dtype: z.string(),
});

export const rule = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('chosen') }),
  z.object({ kind: z.literal('method'), method: z.string() }),
  z.object({ kind: z.literal('deepest') }),
]);

export const repair = z.object({
  ridge: z.number(),
  lossBefore: z.number(),
  lossAfter: z.number(),
  heldOutBefore: z.number().nullable(),
  heldOutAfter: z.number().nullable(),
});

const point = z.object({ lossNats: z.number(), perplexity: z.number() });

export const runReportSchema = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('prune'),
    model,
    out: z.string(),
    rule,
    dropSet: blocks,
    droppedSublayers: sublayers,
    removedBlocks: blocks,
    repair: repair.nullable(),
    channels: z.object({ before: count, after: count }).optional(),
    nParamsBefore: z.number(),
    nParamsAfter: z.number(),
    sizeBytesBefore: z.number(),
    sizeBytesAfter: z.number(),
    rounding: z.object({ lossNatsBefore: z.number().nullable(), lossNatsAfter: z.number().nullable() }).nullable(),
    ...facts,
  }),
  z.object({
    kind: z.literal('perplexity'),
    models: z
      .array(
        z.object({
          name: z.string(),
          folder: z.string(),
          dropSet: blocks,
          droppedSublayers: sublayers,
          lossNats: z.number(),
          lossStandardError: z.number().nullable(),
          perplexity: z.number(),
          nTokens: count,
          definition: z.string(),
          source: tokenSourceReport,
        }),
      )
      .min(1),
    ...facts,
  }),
  z.object({
    kind: z.literal('heal'),
    model,
    out: z.string(),
    adapter: z.object({
      nParameters: z.number(),
      rank: z.number(),
      alpha: z.number(),
      targets: z.array(z.string()),
      blocks,
    }),
    data: z.object({
      files: z.array(file),
      format: z.string(),
      nTrainingItems: count,
      nHeldOutItems: count,
      nTokens: count,
      nCountedTokens: count,
    }),
    objective: z.looseObject({ kind: z.string() }),
    optimizer: z.object({
      learningRate: z.number(),
      schedule: z.string(),
      warmupSteps: count,
      weightDecay: z.number(),
      clipNorm: z.number().nullable(),
    }),
    steps: z.array(z.object({ step: count, lossNats: z.number() })),
    evals: z.array(point.extend({ step: count, recoveredFraction: z.number().nullable() })),
    dense: point.nullable(),
    pruned: point.nullable(),
    healed: point.nullable(),
    bestStep: count,
    stoppedBy: z.string(),
    ...facts,
  }),
  z.object({
    kind: z.literal('sparsify'),
    model,
    out: z.string(),
    ratio: z.number(),
    nZeroed: z.number(),
    nConsidered: z.number(),
    lossBefore: z.number().nullable(),
    lossAfter: z.number().nullable(),
    ...facts,
  }),
  z.object({ kind: z.literal('merge'), model, adapter: z.string(), out: z.string(), nMerged: count, ...facts }),
  z.object({
    kind: z.literal('generate'),
    model,
    nNewTokens: count,
    tokensPerSecond: z.number(),
    ...facts,
  }),
]);

type RunReport = z.output<typeof runReportSchema>;
export type RunReportOf<K extends RunReport['kind']> = Extract<RunReport, { kind: K }>;

/** What may be said of a model: reports of single runs, of evaluations and of studies. */
export type FoundReport = RunReport | EvaluateReport | StudyReport;
