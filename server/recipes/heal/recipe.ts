// heal: trains a LoRA adapter beside the projections of a pruned model, which stays as it is.
import * as z from 'zod';
import { blocks, bos, compute, name, natural, path, positive, share, tokenSource } from '../../protocol/recipes';
import type {
  RunFacts,
  ModelSummary,
  LossPoint,
  AdapterSummary,
  TrainingDataReport,
  HealStep,
  HealEval,
} from '../../protocol/reports';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

export const trainingData = z.strictObject({
  files: z.array(path('inputFile')).min(1).max(1000),
  /** Column of the text in JSON lines, CSV and Parquet; null: `text`. */
  field: name.nullable().default(null),
  /** `instructions`: alpaca and dolly; `messages`: chats; both through the model's template. `auto`: by the columns. */
  format: z.enum(['auto', 'text', 'instructions', 'messages']).default('auto'),
  /** The most tokens of a sequence. Text is cut in sequences of exactly so many; longer items are cut off. */
  tokens: positive.min(2).default(256),
  /** The first token of a text, or the first item. */
  start: natural.default(0),
  bos: bos.default('none'),
  /** Shuffled anew for every pass over the data, by the seed. */
  order: z.enum(['sequential', 'shuffled']).default('shuffled'),
  /** Share of the sequences that is kept to evaluate on, drawn by the seed. A sequence keeps none. */
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
      topK: positive.max(1_000_000).default(32),
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
    /** Sequences of a micro-batch, and micro-batches of a step. */
    microBatchSequences: positive.default(4),
    accumulate: positive.default(1),
    /** Evaluate the model every so many steps, and before the first and after the last. */
    evaluateEverySteps: positive.optional(),
    /** Sequences of another text to evaluate on; null: those held out of the data. */
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

export interface HealReport extends RunFacts {
  kind: 'heal';
  model: ModelSummary;
  out: string;
  adapter: AdapterSummary;
  data: TrainingDataReport;
  objective: Objective;
  optimizer: OptimizerOptions;
  steps: HealStep[];
  evals: HealEval[];
  /** On the sequences that `evals` are of; null where no original model is known. */
  dense: LossPoint | null;
  /** Null where nothing was held out to evaluate on; the last adapter is saved then. */
  pruned: LossPoint | null;
  /** With the adapter that was saved, the best one. */
  healed: LossPoint | null;
  /** After how many steps it was what was saved. */
  bestStep: number;
  stoppedBy: 'steps' | 'patience' | 'request' | 'divergence';
  /** What a person should know, such as that the adapter did not change; null: nothing. */
  warning: string | null;
}

const command = {
  summary: 'train a LoRA adapter that brings back what pruning cost',
  arguments: [{ name: '<model>', field: 'model', help: 'a pruned model; it stays as it is' }],
  options: [
    {
      flags: '--data <file...>',
      field: 'data.files',
      required: true,
      help: 'text, or instructions or chats as JSON, JSON lines, CSV or Parquet',
    },
    {
      flags: '--out <folder>',
      field: 'out',
      required: true,
      help: 'the PEFT folder to write; with --resume one that a run has begun',
    },
    { flags: '--resume', field: 'resume', help: 'go on from the last saved state of the run in --out' },
    { flags: '--field <name>', field: 'data.field', help: 'column of the text in structured files' },
    { flags: '--format <name>', field: 'data.format', help: 'what the data is' },
    {
      flags: '--tokens <n>',
      field: 'data.tokens',
      read: 'positive',
      help: 'tokens of a sequence; longer items are cut off',
    },
    { flags: '--start <n>', field: 'data.start', read: 'natural', help: 'first token of the text, or first item' },
    { flags: '--bos <mode>', field: 'data.bos', help: 'beginning-of-text token' },
    { flags: '--order <how>', field: 'data.order', help: 'of the sequences' },
    {
      flags: '--holdout <share>',
      field: 'data.heldOutFraction',
      read: 'share',
      help: 'share of the sequences to evaluate on, where no --held-out-text is given',
    },
    { flags: '--held-out-text <file...>', help: 'another text to evaluate on' },
    { flags: '--held-out-sequences <n>', read: 'positive', help: 'sequences of it (default: 8)' },
    { flags: '--held-out-tokens <n>', read: 'positive', help: 'tokens of a sequence of it (default: as --tokens)' },
    { flags: '--rank <n>', field: 'adapter.rank', read: 'natural', help: 'rank of the adapter' },
    { flags: '--alpha <a>', field: 'adapter.alpha', read: 'amount', help: 'strength: W x + (alpha / rank) B A x' },
    {
      flags: '--targets <names>',
      field: 'adapter.targets',
      read: 'names',
      help: 'projections, comma-separated, or all-linear',
    },
    {
      flags: '--blocks <list>',
      field: 'adapter.blocks',
      read: 'adapterBlocks',
      help: 'blocks that get an adapter: all, cut-adjacent, or a list such as 3,5,8-10',
    },
    {
      flags: '--rank-pattern <list>',
      field: 'adapter.rankPattern',
      read: 'perModule',
      help: 'other ranks, such as "q_proj=4;layers.3.mlp.up_proj=16"',
    },
    {
      flags: '--alpha-pattern <list>',
      field: 'adapter.alphaPattern',
      read: 'perModule',
      help: 'other alphas, in the same way',
    },
    { flags: '--rslora', field: 'adapter.rsLora', help: 'scale by alpha / sqrt(rank)' },
    {
      flags: '--dropout <share>',
      field: 'adapter.dropout',
      read: 'share',
      help: "share of an adapter's inputs that is dropped in training",
    },
    { flags: '--init <folder>', field: 'adapter.init', help: 'an adapter to begin with' },
    {
      flags: '--objective <name>',
      field: 'objective.kind',
      help: 'the next token, or what the original model expects',
    },
    {
      flags: '--top-k <n>',
      field: 'objective.topK',
      read: 'positive',
      help: 'likeliest tokens of the original model that a distillation keeps',
    },
    { flags: '--temperature <t>', field: 'objective.temperature', read: 'amount', help: 'of a distillation' },
    { flags: '--dense <folder>', field: 'dense', help: 'the model before pruning (default: as espalier.json says)' },
    { flags: '--lr <rate>', field: 'optimizer.learningRate', read: 'amount', help: 'peak learning rate' },
    { flags: '--schedule <name>', field: 'optimizer.schedule', help: 'of the learning rate after warm-up' },
    {
      flags: '--warmup <steps>',
      field: 'optimizer.warmupSteps',
      read: 'natural',
      help: 'steps in which the rate rises from 0',
    },
    { flags: '--weight-decay <w>', field: 'optimizer.weightDecay', read: 'amount', help: 'of AdamW' },
    { flags: '--beta1 <b>', field: 'optimizer.beta1', read: 'fraction', help: 'of AdamW' },
    { flags: '--beta2 <b>', field: 'optimizer.beta2', read: 'fraction', help: 'of AdamW' },
    { flags: '--epsilon <e>', field: 'optimizer.epsilon', read: 'amount', help: 'of AdamW' },
    {
      flags: '--clip <norm>',
      field: 'optimizer.clipNorm',
      read: 'amountOrNone',
      help: 'largest norm of all gradients together; 0: any',
    },
    { flags: '--steps <n>', field: 'loop.steps', read: 'natural', help: 'steps to make' },
    {
      flags: '--micro-batch <sequences>',
      field: 'loop.microBatchSequences',
      read: 'natural',
      help: 'sequences that go through the model together',
    },
    { flags: '--accumulate <n>', field: 'loop.accumulate', read: 'natural', help: 'micro-batches of a step' },
    {
      flags: '--evaluate-every <steps>',
      field: 'loop.evaluateEverySteps',
      read: 'positive',
      help: 'evaluate every so many steps (default: a quarter of all, at most 500)',
    },
    {
      flags: '--save-every <steps>',
      field: 'loop.saveEverySteps',
      read: 'positive',
      help: 'save what --resume needs every so many steps',
    },
    {
      flags: '--patience <n>',
      field: 'loop.patience',
      read: 'positive',
      help: 'stop after so many evaluations without a better one',
    },
    {
      flags: '--activations <how>',
      field: 'loop.activations',
      help: 'keep activations inside blocks for the backward pass, or compute them again',
    },
  ],
} as const satisfies CommandLine;

export const healKind = {
  schema,
  title: 'Heal',
  resumable: true,
  inFiles: true,
  planned: 'own',
  report: typeOf<HealReport>(),
  command,
} as const satisfies RecipeKind;
