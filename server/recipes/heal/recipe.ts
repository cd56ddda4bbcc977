// heal: trains a LoRA adapter beside the projections of a pruned model, which stays as it is.
import * as z from 'zod';
import { blocks, bos, compute, name, natural, path, positive, share, tokenSource } from '../../protocol/recipes';
import type { RecipeKind } from '../recipeKind';

export const trainingData = z.strictObject({
  files: z.array(path('inputFile')).min(1).max(1000),
  /** Column of the text in JSON lines, CSV and Parquet; null: `text`. */
  field: name.nullable().default(null),
  /** `instructions`: alpaca and dolly; `messages`: chats; both through the model's template. `auto`: by the columns. */
  format: z.enum(['auto', 'text', 'instructions', 'messages']).default('auto'),
  /** The most tokens of a window. Text is cut in windows of exactly so many; longer items are cut off. */
  tokens: positive.min(2).default(256),
  /** The first token of a text, or the first item. */
  start: natural.default(0),
  bos: bos.default('none'),
  /** Shuffled anew for every pass over the data, by the seed. */
  order: z.enum(['sequential', 'shuffled']).default('shuffled'),
  /** Share of the windows that is kept to judge by, drawn by the seed. A sequence keeps none. */
  heldOutFraction: share.default(0.05),
  seed: natural.default(0),
});
export type TrainingData = z.output<typeof trainingData>;

export const adapter = z
  .strictObject({
    rank: positive.max(65_536).default(8), // R
    alpha: z.number().positive().default(16),
    /** Names such as q_proj, or `all-linear` alone. */
    targets: z.array(name).min(1).max(1000).default(['all-linear']),
    /** The blocks that get an adapter; `cutAdjacent`: those beside a gap that pruning left. */
    blocks: z.union([z.enum(['all', 'cutAdjacent']), blocks.min(1)]).default('all'),
    /** Other ranks and alphas for modules whose name ends so, such as `layers.3.mlp.up_proj` or `q_proj`. */
    rankPattern: z.record(name, positive.max(65_536)).default({}),
    alphaPattern: z.record(name, z.number().positive()).default({}),
    /** Scales by alpha / sqrt(rank) instead of alpha / rank. */
    rsLora: z.boolean().default(false),
    /** Share of the inputs of an adapter that are zeroed in training. */
    dropout: share.default(0),
    /** An adapter folder to begin with; null: a fresh one. */
    init: path('adapterFolder').nullable().default(null),
  })
  .prefault({});
/** As PEFT's LoraConfig names them in its own spelling. */
export type AdapterOptions = z.output<typeof adapter>;

export const objective = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('nextToken') }),
    z.strictObject({
      /** KL divergence over the teacher's `topK` likeliest tokens and all others as one. */
      kind: z.literal('distillation'),
      topK: positive.max(1_000_000).default(64),
      temperature: z.number().positive().default(1),
    }),
  ])
  .default({ kind: 'nextToken' });
/** What is made small: the next token's cross-entropy, or the distance to what the original model expects. */
export type Objective = z.output<typeof objective>;

export const optimizer = z
  .strictObject({
    learningRate: z.number().positive().default(5e-4),
    schedule: z.enum(['constant', 'linear', 'cosine']).default('linear'),
    warmupSteps: natural.default(10),
    beta1: share.default(0.9),
    beta2: share.default(0.999),
    epsilon: z.number().positive().default(1e-8),
    weightDecay: z.number().nonnegative().default(0),
    /** The largest L2 norm that all gradients together may have; null: any. */
    clipNorm: z.number().positive().nullable().default(1),
  })
  .prefault({});
/** AdamW (arXiv:1711.05101). */
export type OptimizerOptions = z.output<typeof optimizer>;

/** How often a run is evaluated that says nothing of it: four times on its way, and at least every 500 steps. */
export const defaultEvaluateEverySteps = (steps: number): number => Math.min(500, Math.max(1, Math.ceil(steps / 4)));

export const loop = z
  .strictObject({
    steps: positive.default(100),
    /** Windows of a micro-batch, and micro-batches of a step. */
    microBatchWindows: positive.default(4),
    accumulate: positive.default(1),
    /** Evaluate the model every so many steps, and before the first and after the last. */
    evaluateEverySteps: positive.optional(),
    /** Windows of another text to evaluate on; null: those held out of the data. */
    heldOut: tokenSource.nullable().default(null),
    /** Stop after so many evaluations without a better one; null: never. */
    patience: positive.nullable().default(null),
    /** Save what a resumed run needs every so many steps. */
    saveEverySteps: positive.default(25),
    /** Whether the activations inside blocks are kept for the backward pass or computed again. */
    activations: z.enum(['auto', 'keep', 'recompute']).default('auto'),
  })
  .transform(({ evaluateEverySteps, ...given }) => ({
    ...given,
    evaluateEverySteps: evaluateEverySteps ?? defaultEvaluateEverySteps(given.steps),
  }))
  .prefault({});
export type LoopOptions = z.output<typeof loop>;

const schema = z.strictObject({
  kind: z.literal('heal'),
  model: path('modelFolder'),
  data: trainingData,
  adapter,
  objective,
  optimizer,
  loop,
  /** The model before pruning: a reference line, and the teacher of a distillation; null: what espalier.json names, if it is there. */
  dense: path('modelFolder').nullable().default(null),
  /** Goes on where the run in `out` was left. */
  resume: z.boolean().default(false),
  /** Becomes a PEFT folder; the state of the run lies in its `run/`. */
  out: path('outputFolder'),
  compute,
});
export type HealRecipe = z.output<typeof schema>;

/** What a healing is by default. Its paths stand for nothing. */
export const healDefaults: HealRecipe = schema.parse({ kind: 'heal', model: '-', data: { files: ['-'] }, out: '-' });

/** What a distillation is by default. */
export const defaultDistillation = objective.parse({ kind: 'distillation' });

export const healKind = {
  schema,
  title: 'Heal',
  resumable: true,
  inFiles: true,
  planned: 'own',
} as const satisfies RecipeKind;
