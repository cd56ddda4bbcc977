// What a recipe may look like when it comes from outside: over a socket, or out of a file. Fields that can be left out have
// their defaults here; fields that nobody knows are refused.
import { z } from 'zod';
import type {
  AdapterOptions,
  AnalyzeRecipe,
  ComputeOptions,
  DropRule,
  DropSet,
  EvaluateRecipe,
  GenerateRecipe,
  HealRecipe,
  InspectRecipe,
  LoopOptions,
  MeasureOptions,
  MergeRecipe,
  Objective,
  OptimizerOptions,
  PerplexityRecipe,
  PruneRecipe,
  Recipe,
  SparsifyRecipe,
  StudyEvaluation,
  StudyHealing,
  StudyRecipe,
  TokenSource,
  TrainingData,
} from '../protocol/recipes';

const natural = z.int().nonnegative();
const positive = z.int().positive();
const blocks = z.array(natural.max(99_999)).max(10_000);
const path = z
  .string()
  .min(1)
  .max(4096)
  .refine((text) => !text.includes('\0'), 'a path holds no NUL');
const text = z.string().max(1_000_000);
const name = z.string().min(1).max(100);

const distinct = <T>(list: readonly T[]) => new Set(list).size === list.length;

const dtype = z.enum(['f32', 'f16', 'bf16']);
const bos = z.enum(['none', 'each', 'tokenizer']);

export const dropSetSchema = z.strictObject({
  blocks: blocks.default([]),
  attention: blocks.default([]),
  mlp: blocks.default([]),
}) satisfies z.ZodType<DropSet>;

const compute = z
  .strictObject({
    device: z.enum(['cpu', 'webgpu', 'cuda', 'auto']).default('auto'),
    memory: z.enum(['auto', 'resident', 'streaming']).default('auto'),
    threads: positive.max(4096).nullable().default(null),
    memoryLimitBytes: positive.nullable().default(null),
  })
  .prefault({}) satisfies z.ZodType<ComputeOptions>;

const source = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('ids'), file: path }),
  z.strictObject({
    kind: z.literal('text'),
    files: z.array(path).min(1).max(1000),
    field: name.nullable().default(null),
    windows: positive.nullable(),
    atMost: z.boolean().optional(),
    tokens: positive.default(512),
    start: natural.default(0),
    bos: bos.default('none'),
    sampling: z.enum(['consecutive', 'random']).default('consecutive'),
    seed: natural.default(0),
  }),
]) satisfies z.ZodType<TokenSource>;

const rule = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('chosen'), ...dropSetSchema.shape }),
  z.strictObject({ kind: z.literal('method'), method: name, count: positive, protected: blocks.default([]) }),
  z.strictObject({ kind: z.literal('deepest'), count: positive, protected: blocks.default([]) }),
]) satisfies z.ZodType<DropRule>;

const measure = z
  .strictObject({
    removals: z.enum(['none', 'blocks', 'sublayers']).default('none'),
    greedy: z
      .strictObject({
        count: positive,
        of: z.enum(['blocks', 'sublayers']).default('blocks'),
        racingConfidence: z.number().gt(0).lt(1).nullable().default(null),
        protected: blocks.default([]),
      })
      .nullable()
      .default(null),
    suggestions: natural.max(10_000).default(0),
    whatIf: z.array(dropSetSchema).max(10_000).default([]),
  })
  .prefault({}) satisfies z.ZodType<MeasureOptions>;

const repair = z.strictObject({
  kind: z.literal('linear').default('linear'),
  ridge: z.union([z.number().nonnegative(), z.literal('auto')]).default('auto'),
  heldOutWindows: positive.nullable().default(null),
});

const output = {
  out: path,
  dtype: dtype.nullable().default(null),
  maxShardBytes: positive.nullable().default(null),
};

export const analyzeSchema = z.strictObject({
  kind: z.literal('analyze'),
  model: path,
  source,
  methods: z.array(name).max(100).default(['all']),
  measure,
  stay: z.boolean().default(false),
  compute,
}) satisfies z.ZodType<AnalyzeRecipe>;

export const pruneSchema = z.strictObject({
  kind: z.literal('prune'),
  model: path,
  rule,
  source: source.nullable().default(null),
  repair: repair.nullable().default(null),
  ...output,
  mergekit: path.nullable().default(null),
  compute,
}) satisfies z.ZodType<PruneRecipe>;

const sparsifySchema = z.strictObject({
  kind: z.literal('sparsify'),
  model: path,
  ratio: z.number().gte(0).lt(1),
  source: source.nullable().default(null),
  ...output,
  compute,
}) satisfies z.ZodType<SparsifyRecipe>;

const perplexitySchema = z.strictObject({
  kind: z.literal('perplexity'),
  models: z.array(path).min(1).max(100),
  drop: dropSetSchema.prefault({}),
  source,
  compute,
}) satisfies z.ZodType<PerplexityRecipe>;

const generateSchema = z.strictObject({
  kind: z.literal('generate'),
  model: path,
  prompt: text,
  maxTokens: positive.max(1_000_000).default(100),
  drop: dropSetSchema.prefault({}),
  bos: bos.default('tokenizer'),
  cache: z.boolean().default(true),
  compute,
}) satisfies z.ZodType<GenerateRecipe>;

const share = z.number().gte(0).lt(1);

const trainingData = z.strictObject({
  files: z.array(path).min(1).max(1000),
  field: name.nullable().default(null),
  format: z.enum(['auto', 'text', 'instructions', 'messages']).default('auto'),
  tokens: positive.min(2).default(256),
  start: natural.default(0),
  bos: bos.default('none'),
  order: z.enum(['sequential', 'shuffled']).default('shuffled'),
  heldOutFraction: share.default(0.05),
  seed: natural.default(0),
}) satisfies z.ZodType<TrainingData>;

const adapter = z
  .strictObject({
    rank: positive.max(65_536).default(8),
    alpha: z.number().positive().default(16),
    targets: z.array(name).min(1).max(1000).default(['all-linear']),
    blocks: z.union([z.enum(['all', 'cutAdjacent']), blocks.min(1)]).default('all'),
    rankPattern: z.record(name, positive.max(65_536)).default({}),
    alphaPattern: z.record(name, z.number().positive()).default({}),
    rsLora: z.boolean().default(false),
    dropout: share.default(0),
    init: path.nullable().default(null),
  })
  .prefault({}) satisfies z.ZodType<AdapterOptions>;

const objective = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('nextToken') }),
    z.strictObject({
      kind: z.literal('distillation'),
      topK: positive.max(1_000_000).default(64),
      temperature: z.number().positive().default(1),
    }),
  ])
  .default({ kind: 'nextToken' }) satisfies z.ZodType<Objective>;

const optimizer = z
  .strictObject({
    learningRate: z.number().positive().default(5e-4),
    schedule: z.enum(['constant', 'linear', 'cosine']).default('linear'),
    warmupSteps: natural.default(10),
    beta1: share.default(0.9),
    beta2: share.default(0.999),
    epsilon: z.number().positive().default(1e-8),
    weightDecay: z.number().nonnegative().default(0),
    clipNorm: z.number().positive().nullable().default(1),
  })
  .prefault({}) satisfies z.ZodType<OptimizerOptions>;

const loop = z
  .strictObject({
    steps: positive.default(100),
    microBatchWindows: positive.default(4),
    accumulate: positive.default(1),
    evaluateEverySteps: positive.default(25),
    heldOut: source.nullable().default(null),
    patience: positive.nullable().default(null),
    saveEverySteps: positive.default(25),
    activations: z.enum(['auto', 'keep', 'recompute']).default('auto'),
  })
  .prefault({}) satisfies z.ZodType<LoopOptions>;

export const healSchema = z.strictObject({
  kind: z.literal('heal'),
  model: path,
  data: trainingData,
  adapter,
  objective,
  optimizer,
  loop,
  dense: path.nullable().default(null),
  resume: z.boolean().default(false),
  out: path,
  compute,
}) satisfies z.ZodType<HealRecipe>;

export const mergeSchema = z.strictObject({
  kind: z.literal('merge'),
  model: path,
  adapter: path,
  ...output,
  compute,
}) satisfies z.ZodType<MergeRecipe>;

const evaluation = {
  tasks: z.array(name).min(1, 'it names no task').max(1000),
  data: path,
  items: z
    .strictObject({ first: natural.default(0), end: positive })
    .refine(({ first, end }) => first < end, 'it holds no item: end must be above first')
    .nullable()
    .default(null),
  fewShot: natural.max(100).nullable().default(null),
  maxTokens: positive.nullable().default(null),
};

export const evaluateSchema = z.strictObject({
  kind: z.literal('evaluate'),
  models: z.array(path).min(1).max(100),
  drops: z.array(dropSetSchema).max(1000).default([]),
  ...evaluation,
  generate: z.boolean().default(false),
  samples: path.nullable().default(null),
  compute,
}) satisfies z.ZodType<EvaluateRecipe>;

const countOfBlocks = positive.max(100_000);
const repairName = z.enum(['none', 'linear']);

export const studySchema = z.strictObject({
  kind: z.literal('study'),
  model: path,
  source,
  methods: z.array(name).min(1, 'it names no method').refine(distinct, 'it names a method twice'),
  counts: z.array(countOfBlocks).min(1, 'it names no count').max(1000).refine(distinct, 'it names a count twice'),
  protected: blocks.default([]),
  repairs: z
    .array(repairName)
    .min(1, 'it names no repair; without one, it is [none]')
    .refine(distinct, 'it names a repair twice')
    .default(['none']),
  healing: z
    .strictObject({
      methods: z.union([z.literal('all'), z.array(name).min(1, 'it names no method')]).default('all'),
      counts: z.union([z.literal('all'), z.array(countOfBlocks).min(1, 'it names no count')]).default('all'),
      repairs: z.union([z.literal('all'), z.array(repairName).min(1, 'it names no repair')]).default('all'),
      data: trainingData,
      adapter,
      objective,
      optimizer,
      loop,
    })
    .nullable()
    .default(null) satisfies z.ZodType<StudyHealing | null>,
  evaluate: z.strictObject(evaluation).nullable().default(null) satisfies z.ZodType<StudyEvaluation | null>,
  perplexity: source.nullable().default(null),
  dtype: dtype.nullable().default('f32'),
  keepModels: z.enum(['none', 'healed', 'all']).default('none'),
  batchBytes: positive.default(20e9),
  out: path,
  compute,
}) satisfies z.ZodType<StudyRecipe>;

const inspectSchema = z.strictObject({ kind: z.literal('inspect'), model: path }) satisfies z.ZodType<InspectRecipe>;

export const recipeSchema = z.discriminatedUnion('kind', [
  analyzeSchema,
  pruneSchema,
  sparsifySchema,
  perplexitySchema,
  generateSchema,
  inspectSchema,
  healSchema,
  mergeSchema,
  evaluateSchema,
  studySchema,
]) satisfies z.ZodType<Recipe>;

/** The recipe with every path replaced, in place of what each kind would have to repeat. */
export function mapPaths<R extends Recipe>(recipe: R, paths: PathMapping): R {
  const source = <S extends TokenSource | null>(from: S): S =>
    (from &&
      (from.kind === 'ids'
        ? { ...from, file: paths.read(from.file) }
        : { ...from, files: from.files.map(paths.read) })) as S;
  const trained = ({ data, adapter, loop }: Pick<HealRecipe, 'data' | 'adapter' | 'loop'>) => ({
    data: { ...data, files: data.files.map(paths.read) },
    adapter: { ...adapter, init: adapter.init && paths.model(adapter.init) },
    loop: { ...loop, heldOut: source(loop.heldOut) },
  });
  const each: Recipe = recipe;
  switch (each.kind) {
    case 'inspect':
    case 'generate':
      return { ...recipe, model: paths.model(each.model) };
    case 'perplexity':
      return { ...recipe, models: each.models.map(paths.model), source: source(each.source) };
    case 'evaluate':
      return {
        ...recipe,
        models: each.models.map(paths.model),
        data: paths.read(each.data),
        samples: each.samples && paths.write(each.samples),
      };
    case 'analyze':
      return { ...recipe, model: paths.model(each.model), source: source(each.source) };
    case 'sparsify':
      return { ...recipe, model: paths.model(each.model), source: source(each.source), out: paths.write(each.out) };
    case 'prune':
      return {
        ...recipe,
        model: paths.model(each.model),
        source: source(each.source),
        out: paths.write(each.out),
        mergekit: each.mergekit && paths.write(each.mergekit),
      };
    case 'heal':
      return {
        ...recipe,
        model: paths.model(each.model),
        ...trained(each),
        dense: each.dense && paths.model(each.dense),
        out: paths.write(each.out),
      };
    case 'merge':
      return {
        ...recipe,
        model: paths.model(each.model),
        adapter: paths.model(each.adapter),
        out: paths.write(each.out),
      };
    case 'study': {
      const { healing, evaluate } = each;
      return {
        ...recipe,
        model: paths.model(each.model),
        source: source(each.source),
        healing: healing && { ...healing, ...trained(healing) },
        evaluate: evaluate && { ...evaluate, data: paths.read(evaluate.data) },
        perplexity: source(each.perplexity),
        out: paths.write(each.out),
      };
    }
  }
}

export interface PathMapping {
  model(path: string): string;
  read(path: string): string;
  write(path: string): string;
}
