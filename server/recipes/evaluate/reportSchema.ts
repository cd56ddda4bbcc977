// What a report needs of an evaluation, which people may have edited: as evaluate --json wrote it, or as a run keeps it.
import * as z from 'zod';
import { weightWidth } from '../../protocol/recipes';
import { metricNames } from '../../shared/metrics';

export const count = z.int().nonnegative();
const metric = z.enum(metricNames);
const file = z.object({ name: z.string(), sha256: z.string(), sizeBytes: z.number() });
const blocks = z.array(count);
const drop = z.object({ blocks, attention: blocks, mlp: blocks });
/** JSON has no infinity; what was beyond numbers is null there. */
export const figure = z
  .number()
  .nullable()
  .transform((value) => value ?? Number.NaN);

const model = z.object({
  label: z.string(),
  name: z.string(),
  folder: z.string(),
  drop,
  removedBlocks: blocks,
  healed: z.boolean(),
  nBlocks: count,
  nParameters: z.number(),
  sizeBytes: z.number(),
  dtype: z.string(),
  maxTokens: count,
  tokenizerSha256: z.string(),
});

const task = z.object({
  task: z.string(),
  title: z.string(),
  version: z.number(),
  group: z.string().nullable(),
  output: z.enum(['multipleChoice', 'logLikelihood', 'rolling']),
  nFewShot: count,
  nItems: count,
  nItemsOfTask: count,
  chance: z.number().nullable(),
  metrics: z.array(metric).min(1),
  files: z.array(file),
});

const group = z.object({
  group: z.string(),
  title: z.string(),
  version: z.number(),
  parent: z.string().nullable(),
  tasks: z.array(z.string()),
});

const comparison = z.object({
  task: z.string(),
  metric,
  base: z.string(),
  variant: z.string(),
  delta: figure,
  pairedStderr: z.number().nullable(),
  interval95: z.tuple([figure, figure]).nullable(),
  mcnemarP: z.number().nullable(),
  flipped: z.object({ toWrong: count, toRight: count }).nullable(),
  significant: z.boolean(),
});

const generation = z.object({
  model: count,
  prompt: z.string(),
  text: z.string(),
  nTokens: count,
  repetition: z.number(),
  entropyBits: z.number(),
  alarm: z.boolean(),
});

const runs = z.object({ blockRuns: z.number(), headRuns: z.number(), operations: z.number() });
const work = runs.extend({
  nRequests: z.number(),
  nTokens: z.number(),
  nPaddedTokens: z.number(),
  nPlainTokens: z.number(),
  base: runs,
});

const versions = z.object({ espalier: z.string(), onnxruntime: z.string(), node: z.string() });

const weightsCost = z.object({
  nSequences: count,
  tokensPerSequence: count,
  float32LossNats: z.number(),
  lossNats: z.number(),
  costNats: z.number(),
  costStandardError: z.number(),
});

const common = {
  kind: z.literal('evaluate'),
  tasks: z.array(task),
  comparisons: z.array(comparison),
  generation: z.array(generation).nullable(),
  notFinite: z.array(z.object({ model: count.positive(), sentence: z.string() })).optional(),
  warnings: z.array(z.string()),
  items: z.object({ first: count, end: count }).nullable(),
  work,
  timing: z.object({
    elapsedMs: z.number(),
    loadMs: z.number(),
    compileMs: z.number(),
    tokenizeMs: z.number(),
    writeMs: z.number(),
    tokens: z.number(),
  }),
  transfers: z
    .object({
      uploadedBytes: z.number(),
      readBytes: z.object({ weight: z.number(), table: z.number(), result: z.number() }),
    })
    .nullable(),
  peakMemoryBytes: z.number(),
  device: z.string(),
  deviceReason: z.string().optional(),
  threads: z.number(),
  memory: z.enum(['resident', 'streaming']),
  weights: weightWidth.optional(),
  whyWeights: z.string().optional(),
  weightsCost: weightsCost.optional(),
};

const score = z.object({
  model: count,
  task: z.string(),
  metric,
  value: figure,
  stderr: z.number().nullable(),
  nItems: count,
});

/** report.json of a run. */
export const evaluateReportSchema = z
  .object({ ...common, models: z.array(model).min(1), groups: z.array(group), scores: z.array(score), versions })
  .refine(({ models, scores, generation: texts, notFinite }) =>
    [...scores, ...(texts ?? []), ...(notFinite ?? [])].every(({ model: index }) => index < models.length),
  )
  .refine(({ groups }) => !goesRound(groups));

const figures = z.record(
  z.string(),
  z.record(z.string(), z.union([z.string(), z.number(), z.null(), z.record(z.string(), z.number())])),
);

/** What is needed of results.json to have the report back. */
export const harnessResultsSchema = z
  .object({
    ...common,
    models: z.array(model.extend({ dropSet: blocks, results: figures, groups: figures })).min(1),
    task_groups: z.array(group),
    software: versions,
    date: z.number(),
  })
  .refine(({ task_groups: groups }) => !goesRound(groups))
  .refine(({ models, generation: texts, notFinite }) =>
    [...(texts ?? []), ...(notFinite ?? [])].every(({ model: index }) => index < models.length),
  );

/** A group that lies in itself. */
function goesRound(groups: readonly z.infer<typeof group>[]): boolean {
  const parentOf = new Map(groups.map((it) => [it.group, it.parent]));
  return groups.some(({ group: start }) => {
    let at: string | null | undefined = start;
    for (let steps = 0; at; steps++) {
      if (steps > groups.length) return true;
      at = parentOf.get(at);
    }
    return false;
  });
}
