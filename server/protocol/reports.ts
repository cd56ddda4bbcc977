// What stays of a run: one report per kind of recipe, with the field names that `--json` writes. Types only.
// Indices count from 0, ranges are half-open, units end the names.
import type { DropRule, DropSet, Dtype, TokenSourceReport } from './recipes';
import type { ItemRange } from '../recipes/evaluate/recipe';
import type { Objective, OptimizerOptions } from '../recipes/heal/recipe';
import type { Recipe } from '../recipes/kinds';
import type { RepairName } from '../recipes/prune/recipe';
import type { StudyRecipe } from '../recipes/study/recipe';

export interface Timing {
  /** From the first micro-batch to the last result, without what the other fields count. */
  elapsedMs: number;
  /** Reading weights that stay resident; zero when streaming, where reading goes on beside the work. */
  loadMs: number;
  compileMs: number;
  tokenizeMs: number;
  /** Writing an output folder. */
  writeMs: number;
  tokens: number;
}

/** What every report ends with. */
export interface RunFacts {
  timing: Timing;
  /** What crossed between host and device; weights are never brought back. */
  transfers: { uploadedBytes: number; readBytes: { weight: number; table: number; result: number } } | null;
  /** Highest resident memory, summed over our processes. */
  peakMemoryBytes: number;
  device: string;
  threads: number;
  memory: 'resident' | 'streaming';
  versions: { espalier: string; onnxruntime: string; node: string };
}

export interface ModelSummary {
  name: string;
  folder: string;
  family: string;
  nBlocks: number;
  nParameters: number;
  nParametersPerBlock: number;
  sizeBytes: number;
  dtype: string;
  width: number;
  mlpWidth: number;
  nHeads: number;
  nKeyValueHeads: number;
  headWidth: number;
  vocabularySize: number;
  contextLength: number;
  tiedEmbeddings: boolean;
  rope: string;
  /** Sublayers that are zeroed and skipped. */
  droppedSublayers: { attention: number[]; mlp: number[] };
  /** For a model that Espalier pruned. */
  prunedFrom: { model: string; removedBlocks: number[] } | null;
  /** An adapter was folded into its weights. */
  healed: boolean;
}

/** Scores by block; for spans `scores[n - 1][first]` is the score of the n blocks from `first` on. Low is unimportant. */
export interface MethodScores {
  unit: string;
  of: 'block' | 'attention' | 'mlp' | 'span';
  paper: string;
  scores: number[] | number[][];
  /** Over windows: null with a single window; zero where the text plays no part. */
  standardErrors: (number | null)[] | (number | null)[][];
}

export interface AnalyzeReport extends RunFacts {
  kind: 'analyze';
  model: ModelSummary;
  source: TokenSourceReport;
  lossNats: number;
  lossStandardError: number | null;
  lossPerWindow: number[];
  perplexity: number;
  methods: Record<string, MethodScores>;
  removals: Removals | null;
  greedy: GreedyReport | null;
  suggestions: SuggestionReport[] | null;
  whatIf: WhatIfReport[] | null;
  /** What measuring losses took; null where none was measured. */
  work: WorkCounts | null;
}

/** The loss of the model without something. */
export interface MeasuredLoss {
  lossNats: number;
  /** Of the loss, over windows; null with a single window. */
  standardError: number | null;
  /** lossNats - the whole model's loss on the same tokens, and its standard error, paired by token. */
  costNats: number;
  costStandardError: number;
}

/** By block; attention and MLP are null where they were not asked for. */
export interface Removals {
  blocks: MeasuredLoss[];
  attention: MeasuredLoss[] | null;
  mlp: MeasuredLoss[] | null;
}

/** A block, or a sublayer of one. */
export type BlockOrSublayer = number | { block: number; half: 'attention' | 'mlp' };

export interface GreedyReport {
  of: 'blocks' | 'sublayers';
  racingConfidence: number | null;
  /** What went first, second, and so on. */
  order: BlockOrSublayer[];
  /** The loss after each of them. */
  lossNats: number[];
  steps: (MeasuredLoss & {
    unit: BlockOrSublayer;
    /** Every candidate of the step, with the mean over the windows that it was measured on. */
    candidates: { unit: BlockOrSublayer; lossNats: number; nWindows: number }[];
  })[];
}

export interface SuggestionReport extends MeasuredLoss {
  method: string;
  count: number;
  drop: DropSet;
}

export interface WhatIfReport extends MeasuredLoss {
  drop: DropSet;
}

/** Passes of one window of tokens through one block, or through the head. */
export interface WorkCounts {
  blockRuns: number;
  headRuns: number;
  /** The least that gives the same numbers: every distinct prefix of blocks once. */
  minimum: { blockRuns: number; headRuns: number };
  /** Without sharing: a whole forward pass for every loss. */
  plain: { blockRuns: number; headRuns: number };
}

/** A first or final answer to a question about a drop set. */
export interface Estimate extends MeasuredLoss {
  nWindows: number;
  ofWindows: number;
  /** True once all windows were measured. */
  final: boolean;
  /** From the question to this answer. */
  elapsedMs: number;
}

/** Forward passes with and without a drop set over the same tokens, taken in turns: the least time of each. */
export interface MeasuredSpeed {
  baseMs: number;
  prunedMs: number;
  nTokens: number;
}

export interface PruneReport extends RunFacts {
  kind: 'prune';
  model: ModelSummary;
  out: string;
  rule: DropRule;
  /** The blocks that went. */
  dropSet: number[];
  /** Sublayers that were zeroed, in the numbering of the model that was pruned. */
  droppedSublayers: { attention: number[]; mlp: number[] };
  repair: RepairReport | null;
  keptBlocks: number[];
  /** In the numbering of the first, never pruned model. */
  removedBlocks: number[];
  nParamsBefore: number;
  nParamsAfter: number;
  sizeBytesBefore: number;
  sizeBytesAfter: number;
  weightFiles: string[];
  /** Loss before and after the weights were rounded to a narrower dtype; nulls where no text was given to measure it. */
  rounding: { dtype: Dtype; lossNatsBefore: number | null; lossNatsAfter: number | null } | null;
}

export interface RepairReport {
  kind: 'linear';
  ridge: number;
  /** Where the maps were folded in, and what each gap lost: |residual| / |target|. */
  gaps: { after: { block: number; half: 'attention' | 'mlp' }; relativeResidual: number }[];
  /** On the calibration windows, without and with repair. */
  lossBefore: number;
  lossAfter: number;
  /** On the windows held out; null without such. */
  heldOutBefore: number | null;
  heldOutAfter: number | null;
  /** What `auto` compared, on the windows held out. */
  ridges: { ridge: number; heldOutLossNats: number }[];
}

export interface SparsifyReport extends RunFacts {
  kind: 'sparsify';
  model: ModelSummary;
  out: string;
  ratio: number;
  nZeroed: number;
  nConsidered: number;
  matrices: { name: string; nZeroed: number; nWeights: number; threshold: number }[];
  lossBefore: number | null;
  lossAfter: number | null;
  weightFiles: string[];
}

export interface PerplexityReport extends RunFacts {
  kind: 'perplexity';
  models: {
    name: string;
    folder: string;
    dropSet: number[];
    droppedSublayers: { attention: number[]; mlp: number[] };
    nBlocks: number;
    lossNats: number;
    lossStandardError: number | null;
    lossPerWindow: number[];
    perplexity: number;
    nTokens: number;
    /** What the number means, in words. */
    definition: string;
    source: TokenSourceReport;
  }[];
}

export interface GenerateReport extends RunFacts {
  kind: 'generate';
  model: ModelSummary;
  dropSet: number[];
  droppedSublayers: { attention: number[]; mlp: number[] };
  prompt: string;
  text: string;
  nPromptTokens: number;
  nNewTokens: number;
  stoppedBy: 'endOfText' | 'maxTokens';
  tokensPerSecond: number;
}

export interface InspectReport {
  kind: 'inspect';
  model: ModelSummary;
}

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
  /** On the windows that `evals` judge by; null where no dense model is known. */
  dense: LossPoint | null;
  /** Null where nothing was held out to judge by; the last adapter is saved then. */
  pruned: LossPoint | null;
  /** With the adapter that was saved, the best one. */
  healed: LossPoint | null;
  /** After how many steps it was what was saved. */
  bestStep: number;
  stoppedBy: 'steps' | 'patience' | 'request' | 'divergence';
  /** What a person should know, such as that the adapter did not change; null: nothing. */
  warning: string | null;
}

export interface LossPoint {
  lossNats: number;
  perplexity: number;
}

export interface AdapterSummary {
  nParameters: number;
  rank: number;
  alpha: number;
  targets: string[];
  blocks: number[];
  /** L2 norm of all its B matrices together: zero while it changes nothing. */
  normB: number;
}

export interface TrainingDataReport {
  files: { name: string; sha256: string; sizeBytes: number }[];
  format: 'text' | 'instructions' | 'messages';
  nTrainingItems: number;
  nHeldOutItems: number;
  /** Tokens in the training items, and those of them that the loss counts. */
  nTokens: number;
  nCountedTokens: number;
  /** Items that were longer than a window. */
  nTruncated: number;
}

/** One step, counted from 0. The loss is that before the step's change. */
export interface HealStep {
  step: number;
  lossNats: number;
  gradNorm: number;
  learningRate: number;
  tokensPerSecond: number;
}

/** After so many steps; 0 is before the first. */
export interface HealEval extends LossPoint {
  step: number;
  /** (pruned - now) / (pruned - dense), in nats; null where the dense loss is unknown or not below the pruned one. */
  recoveredFraction: number | null;
}

export interface MergeReport extends RunFacts {
  kind: 'merge';
  model: ModelSummary;
  adapter: string;
  out: string;
  /** Weights that changed. */
  nMerged: number;
  /** Norm of what rounding to the dtype changed, over the norm of what the adapter changed. */
  roundingShare: number;
  weightFiles: string[];
}

export interface EvaluateReport extends RunFacts {
  kind: 'evaluate';
  /** The base first. */
  models: EvaluatedModel[];
  tasks: EvaluatedTask[];
  groups: EvaluatedGroup[];
  /** Of every model on every task and group. */
  scores: Score[];
  /** Of every variant with the base. */
  comparisons: Comparison[];
  generation: GenerationCheck[] | null;
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

/** A variant against the base on the same items. */
export interface Comparison {
  task: string;
  metric: string;
  /** Labels. */
  base: string;
  variant: string;
  /** Value of the variant - value of the base. */
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
  /** The same for the base alone. */
  base: { blockRuns: number; headRuns: number; operations: number };
}

export interface StudyReport extends RunFacts {
  kind: 'study';
  model: ModelSummary;
  out: string;
  /** What was asked for, in full. */
  recipe: StudyRecipe;
  /** Unit and paper of the methods that score. */
  methods: Record<string, Pick<MethodScores, 'unit' | 'of' | 'paper'>>;
  calibration: TokenSourceReport;
  /** What losses were measured on. */
  perplexity: TokenSourceReport | null;
  /** The base first, then by count. */
  variants: StudyVariant[];
  /** Base and variants together; null where nothing was evaluated. Labels are those of the variants. */
  evaluation: EvaluateReport | null;
  steps: StudyStep[];
}

export interface StudyVariant {
  /** Unique, and fit for the name of a file, such as `base` or `5-greedy-linear-healed`. */
  id: string;
  label: string;
  /** All methods that chose this set; none for the base. */
  methods: string[];
  count: number;
  drop: DropSet;
  /** The set as people write it, such as `3,12-15`; empty for the base. */
  without: string;
  repair: RepairName;
  healed: boolean;
  nParameters: number;
  /** Of its weights as the source has them. */
  sizeBytes: number;
  /** null where no text was given. */
  loss: StudyLoss | null;
  healing: { adapter: string; steps: number; bestStep: number; stoppedBy: HealReport['stoppedBy'] } | null;
  /** Its folder, where there is one that stays. */
  folder: string | null;
  /** Index in `evaluation.models`; null: not evaluated. */
  model: number | null;
}

export interface StudyLoss {
  lossNats: number;
  /** Over windows; null with a single window. */
  standardError: number | null;
  perplexity: number;
  /** Loss - the base's, and its standard error, paired by token or, for models that were written, by window. */
  costNats: number;
  costStandardError: number | null;
}

/** A recipe that was carried out as a part of a study. */
export interface StudyStep {
  id: string;
  title: string;
  kind: Recipe['kind'];
  /** When it was carried out, be it now or before. */
  elapsedMs: number;
  /** It was there when this run of the study began. */
  doneBefore: boolean;
}

export type Report =
  | AnalyzeReport
  | EvaluateReport
  | PruneReport
  | SparsifyReport
  | PerplexityReport
  | GenerateReport
  | InspectReport
  | HealReport
  | MergeReport
  | StudyReport;
