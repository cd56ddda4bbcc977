// How a healing trains: objective, optimizer and loop, and the options of the command line that fill them.
import * as z from 'zod';
import { natural, positive, share, tokenSource } from '../../protocol/recipes';
import type { CommandOption } from '../commandLine';

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

/** What a distillation is by default. */
export const defaultDistillation = objective.parse({ kind: 'distillation' });

export const objectiveOptions = [
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
] as const satisfies readonly CommandOption[];

export const trainingOptions = [
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
] as const satisfies readonly CommandOption[];
