// analyze: how much each block matters, by scores and by measured loss.
import * as z from 'zod';
import {
  blocks,
  compute,
  dropSet,
  natural,
  nameOf,
  path,
  positive,
  tokenSource,
  type TokenSourceReport,
  type DropSet,
} from '../../protocol/recipes';
import type {
  RunFacts,
  ModelSummary,
  MethodScores,
  BlockOrSublayer,
  FiniteLoss,
  MeasuredLoss,
  NotFinite,
} from '../../protocol/reports';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

const greedy = z.strictObject({
  count: positive,
  of: z.enum(['blocks', 'sublayers']).default('blocks'),
  /** Candidates are given up once they are worse at this confidence; null: all are measured on all sequences. */
  racingConfidence: z.number().gt(0).lt(1).nullable().default(null),
  protected: blocks.default([]),
});
export type GreedyOptions = z.output<typeof greedy>;

const measure = z
  .strictObject({
    /** The loss without each single block; `sublayers`: also without each attention and each MLP. */
    removals: z.enum(['none', 'blocks', 'sublayers']).default('none'),
    /** Leave out one unit after another, each time the one that costs least (SLEB; for sublayers BlockPruner). */
    greedy: greedy.nullable().default(null),
    /** Measure what every method would drop for each count from 1 to this; 0: nothing. */
    suggestions: natural.max(10_000).default(0),
    /** Drop sets to measure. */
    whatIf: z.array(dropSet).max(10_000).default([]),
  })
  .prefault({});
/** Losses to measure beside the scores. */
export type MeasureOptions = z.output<typeof measure>;

/** Measures no loss. */
export const noMeasure: MeasureOptions = measure.parse({});

const schema = z.strictObject({
  kind: z.literal('analyze'),
  model: path('modelFolder'),
  source: tokenSource,
  methods: z.array(nameOf('scoringMethod')).max(100).default(['all']),
  measure,
  /** After the work the engine keeps the model and its hidden states and answers questions until it is cancelled. */
  stay: z.boolean().default(false),
  compute,
});
export type AnalyzeRecipe = z.output<typeof schema>;

export interface AnalyzeReport extends RunFacts {
  kind: 'analyze';
  model: ModelSummary;
  source: TokenSourceReport;
  lossNats: number;
  lossStandardError: number | null;
  lossPerSequence: number[];
  perplexity: number;
  methods: Record<string, MethodScores>;
  /** Methods that were asked for and have no scores, since that of a block came out as NaN or infinite; absent: none. */
  notFinite?: { method: string; block: number }[];
  removals: Removals | null;
  greedy: GreedyReport | null;
  suggestions: SuggestionReport[] | null;
  whatIf: WhatIfReport[] | null;
  /** What measuring losses took; null where none was measured. */
  work: WorkCounts | null;
}

/** By block; attention and MLP are null where they were not asked for. */
export interface Removals {
  blocks: MeasuredLoss[];
  attention: MeasuredLoss[] | null;
  mlp: MeasuredLoss[] | null;
}

export interface GreedyReport {
  of: 'blocks' | 'sublayers';
  racingConfidence: number | null;
  /** What went first, second, and so on. */
  order: BlockOrSublayer[];
  /** The loss after each of them. */
  lossNats: number[];
  steps: (FiniteLoss & {
    unit: BlockOrSublayer;
    /** Every candidate of the step, with the mean over the sequences that it was measured on. */
    candidates: { unit: BlockOrSublayer; lossNats: number | NotFinite; nSequences: number }[];
  })[];
}

export type SuggestionReport = MeasuredLoss & { method: string; count: number; drop: DropSet };

export type WhatIfReport = MeasuredLoss & { drop: DropSet };

/** Passes of one sequence of tokens through one block, or through the head. */
export interface WorkCounts {
  blockRuns: number;
  headRuns: number;
  /** The least that gives the same numbers: every distinct prefix of blocks once. */
  minimum: { blockRuns: number; headRuns: number };
  /** Without sharing: a whole forward pass for every loss. */
  plain: { blockRuns: number; headRuns: number };
}

const command = {
  summary: 'how much each block matters: by every method from one forward pass, and by measured loss',
  arguments: [{ name: '<model>', field: 'model' }],
  text: { sequences: 16, needed: true },
  measures: true,
  options: [{ flags: '--methods <names>', field: 'methods', read: 'names', help: 'comma-separated, all or none' }],
} as const satisfies CommandLine;

export const analyzeKind = {
  schema,
  title: 'Analyze',
  resumable: true,
  inFiles: true,
  planned: 'own',
  report: typeOf<AnalyzeReport>(),
  command,
} as const satisfies RecipeKind;
