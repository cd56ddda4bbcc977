// What a recipe must look like when it comes from outside: over the socket, or out of a file. The types are those of
// protocol.ts; whether its names and counts fit the model is known once the model is read.
import { z } from 'zod';
import type {
  AnalyzeRecipe,
  ComputeOptions,
  DropRule,
  DropSet,
  GenerateRecipe,
  InspectRecipe,
  MeasureOptions,
  PerplexityRecipe,
  PruneRecipe,
  Recipe,
  RepairOptions,
  SparsifyRecipe,
  TokenSource,
} from '../protocol';

const count = z.int().nonnegative();
const some = z.int().positive();
const path = z.string().min(1).max(4096);
const name = z.string().min(1).max(200);
const blocks = z.array(count).max(10_000);

export const dropSetSchema: z.ZodType<DropSet> = z.strictObject({ blocks, attention: blocks, mlp: blocks });

const compute: z.ZodType<ComputeOptions> = z.strictObject({
  device: z.enum(['cpu', 'webgpu', 'cuda', 'auto']),
  memory: z.enum(['auto', 'resident', 'streaming']),
  threads: some.nullable(),
  memoryLimitBytes: some.nullable(),
});

const bos = z.enum(['none', 'each', 'tokenizer']);
const dtype = z.enum(['f32', 'f16', 'bf16']).nullable();

const source: z.ZodType<TokenSource> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ids'), file: path, windows: some.optional() }),
  z.strictObject({
    kind: z.literal('text'),
    files: z.array(path).min(1).max(10_000),
    field: name.nullable(),
    windows: some.nullable(),
    atMost: z.boolean().optional(),
    tokens: some,
    start: count,
    bos,
    sampling: z.enum(['consecutive', 'random']),
    seed: z.int(),
  }),
]);

const measure: z.ZodType<MeasureOptions> = z.strictObject({
  removals: z.enum(['none', 'blocks', 'sublayers']),
  greedy: z
    .strictObject({
      count: some,
      of: z.enum(['blocks', 'sublayers']),
      racingConfidence: z.number().gt(0).lt(1).nullable(),
      protected: blocks,
    })
    .nullable(),
  suggestions: count,
  whatIf: z.array(dropSetSchema).max(10_000),
});

const rule: z.ZodType<DropRule> = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('chosen'), blocks, attention: blocks, mlp: blocks }),
  z.strictObject({ kind: z.literal('method'), method: name, count: some, protected: blocks }),
  z.strictObject({ kind: z.literal('deepest'), count: some, protected: blocks }),
]);

const repair: z.ZodType<RepairOptions> = z.strictObject({
  kind: z.literal('linear'),
  ridge: z.union([z.number().nonnegative(), z.literal('auto')]),
  heldOutWindows: some.nullable(),
});

const byKind = {
  analyze: z.strictObject({
    kind: z.literal('analyze'),
    model: path,
    source,
    methods: z.array(name).max(100),
    measure,
    stay: z.boolean(),
    compute,
  }),
  prune: z.strictObject({
    kind: z.literal('prune'),
    model: path,
    rule,
    source: source.nullable(),
    repair: repair.nullable(),
    out: path,
    dtype,
    maxShardBytes: some.nullable(),
    mergekit: path.nullable(),
    compute,
  }),
  sparsify: z.strictObject({
    kind: z.literal('sparsify'),
    model: path,
    ratio: z.number().gte(0).lt(1),
    source: source.nullable(),
    out: path,
    dtype,
    maxShardBytes: some.nullable(),
    compute,
  }),
  perplexity: z.strictObject({
    kind: z.literal('perplexity'),
    models: z.array(path).min(1).max(100),
    drop: dropSetSchema,
    source,
    compute,
  }),
  generate: z.strictObject({
    kind: z.literal('generate'),
    model: path,
    prompt: z.string().max(1_000_000),
    maxTokens: some,
    drop: dropSetSchema,
    bos,
    cache: z.boolean(),
    compute,
  }),
  inspect: z.strictObject({ kind: z.literal('inspect'), model: path }),
} satisfies {
  analyze: z.ZodType<AnalyzeRecipe>;
  prune: z.ZodType<PruneRecipe>;
  sparsify: z.ZodType<SparsifyRecipe>;
  perplexity: z.ZodType<PerplexityRecipe>;
  generate: z.ZodType<GenerateRecipe>;
  inspect: z.ZodType<InspectRecipe>;
};

export const recipeSchema: z.ZodType<Recipe> = z.discriminatedUnion('kind', [
  byKind.analyze,
  byKind.prune,
  byKind.sparsify,
  byKind.perplexity,
  byKind.generate,
  byKind.inspect,
]);
