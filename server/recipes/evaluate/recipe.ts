// evaluate: scores models on tasks, number by number as lm-evaluation-harness does.
import * as z from 'zod';
import { compute, dropSet, nameOf, natural, path, positive, type DropSet } from '../../protocol/recipes';
import type { RunFacts } from '../../protocol/reports';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

const itemRange = z
  .strictObject({ first: natural.default(0), end: positive })
  .refine(({ first, end }) => first < end, 'it holds no item: end must be above first');
/** Items [first, end). */
export type ItemRange = z.output<typeof itemRange>;

/** What is scored, and how; a study has it too. */
export const evaluation = {
  /** Names of tasks and groups of tasks, such as hellaswag, mmlu or mmlu_philosophy. */
  tasks: z.array(nameOf('task')).min(1, 'it names no task').max(1000),
  /** The folder with the tasks' data; null: Hugging Face's cache, where a pull of these tasks puts them. */
  data: path('inputFolder').nullable().default(null),
  /** Items of every task, stopping at its end; null: all. */
  items: itemRange.nullable().default(null),
  /** Examples before each question; null: as the task says. */
  fewShot: natural.max(100).nullable().default(null),
  /** The longest input of the model; null: as its configuration says. */
  maxTokens: positive.nullable().default(null),
};

const schema = z.strictObject({
  kind: z.literal('evaluate'),
  /** The first is the original that all others are compared with. */
  models: z.array(path('modelFolder')).min(1).max(100),
  /** More variants: the original without each of these, which need not be written. */
  drops: z.array(dropSet).max(1000).default([]),
  ...evaluation,
  /** Lets every model continue a few prompts afterwards, and checks whether it repeats itself. */
  generate: z.boolean().default(false),
  /** Also write a line of JSON for every item and model to this file. */
  samples: path('outputFile').nullable().default(null),
  compute,
});
export type EvaluateRecipe = z.output<typeof schema>;

export interface EvaluateReport extends RunFacts {
  kind: 'evaluate';
  /** The original first. */
  models: EvaluatedModel[];
  tasks: EvaluatedTask[];
  groups: EvaluatedGroup[];
  /** Of every model on every task and group. */
  scores: Score[];
  /** Of every variant with the original. */
  comparisons: Comparison[];
  generation: GenerationCheck[] | null;
  /** Models that are left out of scores, comparisons and texts, since what they compute is not finite. Absent: none. */
  notFinite?: NotFiniteModel[];
  /** What a person should know before comparing, in sentences. */
  warnings: string[];
  /** As asked for. */
  items: ItemRange | null;
  work: ScoringWork;
}

export interface EvaluatedModel {
  /** Unique in the report: the name, and what is left out. */
  label: string;
  name: string;
  folder: string;
  /** What is left out of the folder's model without having been written. */
  drop: DropSet;
  /** In the numbering of the first, never pruned model: those that the folder lacks. */
  removedBlocks: number[];
  /** An adapter was folded into its weights. */
  healed: boolean;
  nBlocks: number;
  nParameters: number;
  sizeBytes: number;
  dtype: string;
  maxTokens: number;
  tokenizerSha256: string;
}

export interface NotFiniteModel {
  /** Index in `models`; never the original, without which there is no evaluation. */
  model: number;
  /** Names the weight or block that it comes from. */
  sentence: string;
}

export interface EvaluatedTask {
  task: string;
  title: string;
  /** The harness' version of the task. */
  version: number;
  /** The group that its score is counted in. */
  group: string | null;
  output: 'multipleChoice' | 'logLikelihood' | 'rolling';
  nFewShot: number;
  nItems: number;
  /** Of the whole task. */
  nItemsOfTask: number;
  /** Accuracy of guessing, in [0, 1]; null where there is none. */
  chance: number | null;
  /** Names of the table in shared/metrics.ts, as all metrics here. */
  metrics: string[];
  files: { name: string; sha256: string; sizeBytes: number }[];
}

export interface EvaluatedGroup {
  group: string;
  title: string;
  version: number;
  parent: string | null;
  /** Tasks, not groups. */
  tasks: string[];
}

export interface Score {
  /** Index in `models`. */
  model: number;
  /** Or a group. */
  task: string;
  metric: string;
  value: number;
  /** null where the harness gives none. */
  stderr: number | null;
  nItems: number;
}

/** A variant against the original on the same items. */
export interface Comparison {
  task: string;
  metric: string;
  /** Labels. */
  base: string;
  variant: string;
  /** Value of the variant - value of the original. */
  delta: number;
  /** Paired by item; null with fewer than two. */
  pairedStderr: number | null;
  /** Of delta. */
  interval95: [number, number] | null;
  /** Exact, two-sided; null for what is no accuracy. */
  mcnemarP: number | null;
  /** Items that only one of both answers right. */
  flipped: { toWrong: number; toRight: number } | null;
  /**
   * Of the metric that speaks for the task (acc_norm, else acc, else its first), after Holm's correction over the tasks
   * of this variant, at 5 %. false for groups and all other metrics, which are not counted in.
   */
  significant: boolean;
}

/** What a model writes by itself, and whether it has come to repeat itself. */
export interface GenerationCheck {
  model: number;
  prompt: string;
  text: string;
  nTokens: number;
  /** Share of its 4-grams that came before, in [0, 1]. */
  repetition: number;
  /** Of the distribution of its tokens. */
  entropyBits: number;
  alarm: boolean;
}

/** What was computed, and what one request at a time would have been, in tokens. */
export interface ScoringWork {
  nRequests: number;
  /** Tokens that passed the blocks, and with padding. */
  nTokens: number;
  nPaddedTokens: number;
  /** Without anything shared among requests. */
  nPlainTokens: number;
  /** Passes of a batch of rows through one block or the head, all variants together. */
  blockRuns: number;
  headRuns: number;
  /** Floating-point operations of them. */
  operations: number;
  /** The same for the original alone. */
  base: { blockRuns: number; headRuns: number; operations: number };
}

const command = {
  summary: "scores on benchmarks, with lm-evaluation-harness' numbers, variants beside the original item by item",
  arguments: [{ name: '<model...>', field: 'models', help: 'the original, and the models to compare with it' }],
  options: [
    {
      flags: '--tasks <names>',
      field: 'tasks',
      read: 'names',
      required: true,
      help: 'comma-separated, such as hellaswag,arc_easy,mmlu or mmlu_philosophy',
    },
    {
      flags: '--data <folder>',
      field: 'data',
      help: "the folder with the tasks' data (default: Hugging Face's cache, where pull --task puts them)",
    },
    {
      flags: '--drops <sets>',
      field: 'drops',
      read: 'dropSets',
      help: 'also the first model without these, such as "12-15;12-16;8a,9m" (a: attention, m: MLP)',
    },
    { flags: '--items <range>', field: 'items', read: 'itemRange', help: 'items A to B-1 of every task, as A:B' },
    { flags: '--limit <n>', read: 'positive', help: 'the first n items of every task' },
    {
      flags: '--fewshot <k>',
      field: 'fewShot',
      read: 'natural',
      help: "examples before each question (default: the task's own, none)",
    },
    {
      flags: '--max-tokens <n>',
      field: 'maxTokens',
      read: 'positive',
      help: "the longest input (default: the model's own)",
    },
    {
      flags: '--generate',
      field: 'generate',
      help: 'let each model continue a few prompts, and see whether it repeats itself',
    },
    { flags: '--samples <file>', field: 'samples', help: 'write a line of JSON for every item' },
  ],
} as const satisfies CommandLine;

export const evaluateKind = {
  schema,
  title: 'Evaluate',
  resumable: true,
  inFiles: true,
  planned: 'own',
  report: typeOf<EvaluateReport>(),
  command,
} as const satisfies RecipeKind;
