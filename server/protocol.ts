// The whole conversation between the faces (command line, editor) and the engine: recipes go in, events come out,
// reports are what stays. Types only. Indices count from 0, ranges are half-open, units end the names.

export type DeviceName = 'cpu' | 'webgpu' | 'cuda' | 'auto';
export type MemoryMode = 'auto' | 'resident' | 'streaming';
export type BosMode = 'none' | 'each' | 'tokenizer';
export type Dtype = 'f32' | 'f16' | 'bf16';

/** How the heavy work is to be run; the same for every recipe. */
export interface ComputeOptions {
  device: DeviceName;
  memory: MemoryMode;
  /** null: as many as there are cores. */
  threads: number | null;
  /** The most bytes the process tree may plan to use; null: what the machine has free. */
  memoryLimitBytes: number | null;
}

/** Where token windows come from. `ids`: a JSON file of rows of equal length; `text`: files joined in order. */
export type TokenSource =
  | { kind: 'ids'; file: string /** The first so many rows; absent: all. */; windows?: number }
  | {
      kind: 'text';
      files: string[];
      /** Column of JSON lines, CSV and Parquet; null: `text`. */
      field: string | null;
      /** null: all windows there are. */
      windows: number | null;
      /** Take fewer windows where the text has fewer, instead of refusing. */
      atMost?: boolean;
      tokens: number;
      start: number;
      bos: BosMode;
      /** Consecutive windows from `start`, or windows drawn by `seed` from all there are. */
      sampling: 'consecutive' | 'random';
      seed: number;
    };

/** What a window set was made of, so that a report can be made again. */
export interface TokenSourceReport {
  files: { name: string; sha256: string; sizeBytes: number }[];
  nWindows: number;
  tokensPerWindow: number;
  start: number;
  bos: BosMode;
  sampling: 'consecutive' | 'random';
  seed: number;
  /** sha256 over the ids as little-endian int32, row after row. */
  idsSha256: string;
  nTokensInText: number | null;
}

/**
 * What is left out of a model: whole blocks, and halves of blocks. Each list is sorted and distinct; a block that goes
 * as a whole is in `blocks` alone.
 */
export interface DropSet {
  blocks: number[];
  attention: number[];
  mlp: number[];
}

/** Which blocks go. `count` of them by a method (of the table, or by measured loss), the deepest, or those named. */
export type DropRule =
  | ({ kind: 'chosen' } & DropSet)
  | { kind: 'method'; method: string; count: number; protected: number[] }
  | { kind: 'deepest'; count: number; protected: number[] };

export interface AnalyzeRecipe {
  kind: 'analyze';
  model: string;
  source: TokenSource;
  /** Names of the table in analysis/importance.ts. */
  methods: string[];
  measure: MeasureOptions;
  /** After the work the engine keeps the model and its hidden states and answers questions until it is cancelled. */
  stay: boolean;
  compute: ComputeOptions;
}

/** Losses to measure beside the scores. */
export interface MeasureOptions {
  /** The loss without each single block; `sublayers`: also without each attention and each MLP. */
  removals: 'none' | 'blocks' | 'sublayers';
  /** Leave out one unit after another, each time the one that costs least (SLEB; for sublayers BlockPruner). */
  greedy: GreedyOptions | null;
  /** Measure what every method would drop for each count from 1 to this; 0: nothing. */
  suggestions: number;
  /** Drop sets to measure. */
  whatIf: DropSet[];
}

export interface GreedyOptions {
  count: number;
  of: 'blocks' | 'sublayers';
  /** Candidates are given up once they are worse at this confidence; null: all are measured on all windows. */
  racingConfidence: number | null;
  protected: number[];
}

export interface PruneRecipe {
  kind: 'prune';
  model: string;
  rule: DropRule;
  /** Needed by rules whose method looks at text, and by repair. */
  source: TokenSource | null;
  repair: RepairOptions | null;
  out: string;
  dtype: Dtype | null;
  maxShardBytes: number | null;
  /** Also write the drop set as a mergekit recipe to this file. */
  mergekit: string | null;
  compute: ComputeOptions;
}

/** Least squares folded into the output projection before each gap (ReplaceMe, arXiv:2505.02819). */
export interface RepairOptions {
  kind: 'linear';
  /** Times the mean of the diagonal; `auto`: the one that is best on the windows held out. */
  ridge: number | 'auto';
  /** Windows after those of the source to judge the repair on. */
  heldOutWindows: number | null;
}

/** Zeroes the smallest single weights of every projection: what the field starts from. */
export interface SparsifyRecipe {
  kind: 'sparsify';
  model: string;
  /** Share of the weights of each matrix that become zero, in [0, 1). */
  ratio: number;
  /** Text to measure what it costs on. */
  source: TokenSource | null;
  out: string;
  dtype: Dtype | null;
  maxShardBytes: number | null;
  compute: ComputeOptions;
}

export interface PerplexityRecipe {
  kind: 'perplexity';
  models: string[];
  /** Left out of every model without writing it. */
  drop: DropSet;
  source: TokenSource;
  compute: ComputeOptions;
}

export interface GenerateRecipe {
  kind: 'generate';
  model: string;
  prompt: string;
  maxTokens: number;
  drop: DropSet;
  bos: BosMode;
  /** false: every token is computed from the whole text again. */
  cache: boolean;
  compute: ComputeOptions;
}

export interface InspectRecipe {
  kind: 'inspect';
  model: string;
}

/** Trains a LoRA adapter beside the projections of a pruned model, which stays as it is. */
export interface HealRecipe {
  kind: 'heal';
  model: string;
  data: TrainingData;
  adapter: AdapterOptions;
  objective: Objective;
  optimizer: OptimizerOptions;
  loop: LoopOptions;
  /** The model before pruning: a reference line, and the teacher of a distillation; null: what espalier.json names, if it is there. */
  dense: string | null;
  /** Goes on where the run in `out` was left. */
  resume: boolean;
  /** Becomes a PEFT folder; the state of the run lies in its `run/`. */
  out: string;
  compute: ComputeOptions;
}

export interface TrainingData {
  files: string[];
  /** Column of the text in JSON lines, CSV and Parquet; null: `text`. */
  field: string | null;
  /** `instructions`: alpaca and dolly; `messages`: chats; both through the model's template. `auto`: by the columns. */
  format: 'auto' | 'text' | 'instructions' | 'messages';
  /** The most tokens of a window. Text is cut in windows of exactly so many; longer items are cut off. */
  tokens: number;
  /** The first token of a text, or the first item. */
  start: number;
  bos: BosMode;
  /** Shuffled anew for every pass over the data, by the seed. */
  order: 'sequential' | 'shuffled';
  /** Share of the windows that is kept to judge by, drawn by the seed. A sequence keeps none. */
  heldOutFraction: number;
  seed: number;
}

/** As PEFT's LoraConfig names them in its own spelling. */
export interface AdapterOptions {
  rank: number; // R
  alpha: number;
  /** Names such as q_proj, or `all-linear` alone. */
  targets: string[];
  /** The blocks that get an adapter; `cutAdjacent`: those beside a gap that pruning left. */
  blocks: 'all' | 'cutAdjacent' | number[];
  /** Other ranks and alphas for modules whose name ends so, such as `layers.3.mlp.up_proj` or `q_proj`. */
  rankPattern: Record<string, number>;
  alphaPattern: Record<string, number>;
  /** Scales by alpha / sqrt(rank) instead of alpha / rank. */
  rsLora: boolean;
  /** Share of the inputs of an adapter that are zeroed in training, in [0, 1). */
  dropout: number;
  /** An adapter folder to begin with; null: a fresh one. */
  init: string | null;
}

/** What is made small: the next token's cross-entropy, or the distance to what the dense model expects. */
export type Objective =
  | { kind: 'nextToken' }
  /** KL divergence over the teacher's `topK` likeliest tokens and all others as one. */
  | { kind: 'distillation'; topK: number; temperature: number };

/** AdamW (arXiv:1711.05101). */
export interface OptimizerOptions {
  learningRate: number;
  schedule: 'constant' | 'linear' | 'cosine';
  warmupSteps: number;
  beta1: number;
  beta2: number;
  epsilon: number;
  weightDecay: number;
  /** The largest L2 norm that all gradients together may have; null: any. */
  clipNorm: number | null;
}

export interface LoopOptions {
  steps: number;
  /** Windows of a micro-batch, and micro-batches of a step. */
  microBatchWindows: number;
  accumulate: number;
  /** Judge the model every so many steps, and before the first and after the last. */
  evaluateEverySteps: number;
  /** Windows of another text to judge by; null: those held out of the data. */
  heldOut: TokenSource | null;
  /** Stop after so many judgements without a better one; null: never. */
  patience: number | null;
  /** Save what a resumed run needs every so many steps. */
  saveEverySteps: number;
  /** Whether the insides of blocks are kept for the way back or computed again. */
  activations: 'auto' | 'keep' | 'recompute';
}

/** Folds an adapter into the weights. */
export interface MergeRecipe {
  kind: 'merge';
  model: string;
  adapter: string;
  out: string;
  dtype: Dtype | null;
  maxShardBytes: number | null;
  compute: ComputeOptions;
}

/** Scores models on tasks, number by number as lm-evaluation-harness does. */
export interface EvaluateRecipe {
  kind: 'evaluate';
  /** The first is the base that all others are compared with. */
  models: string[];
  /** More variants: the base without each of these, which need not be written. */
  drops: DropSet[];
  /** Names of tasks and groups of tasks, such as hellaswag, mmlu or mmlu_philosophy. */
  tasks: string[];
  /** The folder with the tasks' data. */
  data: string;
  /** Items of every task, stopping at its end; null: all. */
  items: ItemRange | null;
  /** Examples before each question; null: as the task says. */
  fewShot: number | null;
  /** The longest input of the model; null: as its configuration says. */
  maxTokens: number | null;
  /** Lets every model continue a few prompts afterwards, and judges whether it repeats itself. */
  generate: boolean;
  /** Also write a line of JSON for every item and model to this file. */
  samples: string | null;
  compute: ComputeOptions;
}

/**
 * A grid of variants of one model: chosen by every method at every count, repaired or not, healed or not, all measured
 * beside the base. It is carried out in steps whose reports stay in `out`, so that it goes on where it was left: what has
 * been done is not done again, as long as the recipe (but for `compute`) and the texts are the same.
 */
export interface StudyRecipe {
  kind: 'study';
  model: string;
  /** The text that methods look at, and that repairs are fitted on. */
  source: TokenSource;
  /** Names of the table in analysis/importance.ts, `removal`, `greedy` or `deepest`. */
  methods: string[];
  /** How many blocks go. */
  counts: number[];
  /** Blocks that no method may choose. */
  protected: number[];
  repairs: RepairName[];
  healing: StudyHealing | null;
  evaluate: StudyEvaluation | null;
  /** Text to measure the loss of every variant on; null: no losses. */
  perplexity: TokenSource | null;
  /** Of repaired and of healed models; null: as the source. Weights that are only left out are written as they are. */
  dtype: Dtype | null;
  /** Which models stay in `out` once they are measured. Adapters always stay. */
  keepModels: 'none' | 'healed' | 'all';
  /** Models are made, measured and removed in batches of about so many bytes, at least one variant at a time. */
  batchBytes: number;
  out: string;
  compute: ComputeOptions;
}

export type RepairName = 'none' | RepairOptions['kind'];

/** Which variants are healed, and how: as in a HealRecipe. */
export interface StudyHealing extends Pick<HealRecipe, 'data' | 'adapter' | 'objective' | 'optimizer' | 'loop'> {
  /** A drop set is healed if one of these methods chose it at one of these counts. */
  methods: 'all' | string[];
  counts: 'all' | number[];
  repairs: 'all' | RepairName[];
}

/** As in an EvaluateRecipe. */
export type StudyEvaluation = Pick<EvaluateRecipe, 'tasks' | 'data' | 'items' | 'fewShot' | 'maxTokens'>;

/** Items [first, end). */
export interface ItemRange {
  first: number;
  end: number;
}

export type Recipe =
  | AnalyzeRecipe
  | EvaluateRecipe
  | PruneRecipe
  | SparsifyRecipe
  | PerplexityRecipe
  | GenerateRecipe
  | InspectRecipe
  | HealRecipe
  | MergeRecipe
  | StudyRecipe;

/** Shown before the work starts. */
export interface Plan {
  model: string;
  device: string;
  threads: number;
  memory: 'resident' | 'streaming';
  nWindows: number;
  nTokens: number;
  bytes: { weights: number; states: number; activations: number; processes: number };
  totalBytes: number;
  limitBytes: number;
  estimatedSeconds: number;
  /** What the device was measured to do, floating-point; the seconds come from it. */
  operationsPerSecond?: number;
}

/** A plan that was made without the device: its seconds are null until a run has measured how fast the device is. */
export type PlanEstimate = Omit<Plan, 'estimatedSeconds'> & { estimatedSeconds: number | null };

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
  /** Halves of its blocks that are zeroed and skipped. */
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

/** A block, or the half of one. */
export type Unit = number | { block: number; half: 'attention' | 'mlp' };

export interface GreedyReport {
  of: 'blocks' | 'sublayers';
  racingConfidence: number | null;
  /** What went first, second, and so on. */
  order: Unit[];
  /** The loss after each of them. */
  lossNats: number[];
  steps: (MeasuredLoss & {
    unit: Unit;
    /** Every candidate of the step, with the mean over the windows that it was measured on. */
    candidates: { unit: Unit; lossNats: number; nWindows: number }[];
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
  /** Halves that were zeroed, in the numbering of the model that was pruned. */
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

export type MetricName =
  | 'acc'
  | 'acc_norm'
  | 'acc_bytes'
  | 'perplexity'
  | 'word_perplexity'
  | 'byte_perplexity'
  | 'bits_per_byte';

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
  metrics: MetricName[];
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
  metric: MetricName;
  value: number;
  /** null where the harness gives none. */
  stderr: number | null;
  nItems: number;
}

/** A variant against the base on the same items. */
export interface Comparison {
  task: string;
  metric: MetricName;
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

/** What a study will do, before it starts: what several methods may choose alike is counted for each of them. */
export interface StudyPlan {
  steps: {
    id: string;
    title: string;
    kind: Recipe['kind'];
    operations: number;
    estimatedSeconds: number;
    done: boolean;
  }[];
  /** Of what is not done. */
  estimatedSeconds: number;
  nVariants: number;
  operationsPerSecond: number;
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

/**
 * What the engine is told. One recipe a process. `ask` and `time` are questions to an engine that stays
 * (AnalyzeRecipe.stay), after `done`: what a drop set costs, and how much time it saves. A newer question of either kind
 * ends the work on older ones; `withdraw` ends it where there is none.
 */
export type EngineRequest =
  | { kind: 'start'; recipe: Recipe }
  | { kind: 'cancel' }
  | { kind: 'ask'; question: number; drop: DropSet }
  | { kind: 'time'; question: number; drop: DropSet }
  | { kind: 'withdraw'; question: number }
  | { kind: 'control'; action: RunControl };

/** For runs that go on for long: wait between two steps, go on, or end now and save. */
export type RunControl = 'pause' | 'continue' | 'stopAndSave';

/**
 * What the engine tells. `done` or `failed` comes exactly once and ends the work; an engine that stays tells `estimate`s
 * after it, the last one of a question with `final` true, or `timed`, or `refused`.
 */
export type EngineEvent =
  | { kind: 'plan'; plan: Plan }
  /** Of a study: what is before it, told again once it is known which sets there are. */
  | { kind: 'study'; plan: StudyPlan }
  | { kind: 'progress'; step: string; fraction: number }
  | { kind: 'text'; text: string }
  /** A part of an analysis that is known before its end. */
  | { kind: 'partial'; report: Partial<AnalyzeReport> }
  /** Healing: what will be trained on, the lines to compare with, a step, a judgement. After a resume those of before come again. */
  | { kind: 'healing'; adapter: AdapterSummary; data: TrainingDataReport; steps: number }
  | { kind: 'references'; dense: LossPoint | null; pruned: LossPoint | null }
  | { kind: 'step'; step: HealStep; remainingSeconds: number; memoryBytes: number }
  | { kind: 'evaluation'; evaluation: HealEval }
  /** Evaluating: what is known of the report so far. */
  | {
      kind: 'scored';
      report: Pick<EvaluateReport, 'models' | 'tasks' | 'groups' | 'scores' | 'comparisons' | 'warnings'>;
    }
  | { kind: 'paused'; paused: boolean }
  | { kind: 'done'; report: Report }
  | { kind: 'failed'; code: string; message: string; stack?: string }
  | { kind: 'estimate'; question: number; estimate: Estimate }
  | { kind: 'timed'; question: number; speed: MeasuredSpeed }
  | { kind: 'refused'; question: number; code: string; message: string };

// The compute server, JSON-RPC 2.0 over a websocket; the language of recipe files (LSP) shares the connection.

/** Also the websocket's subprotocol; both ends must say the same. */
export type ProtocolName = 'espalier.v1';

/** Handed over in `initialize` as initializationOptions. */
export interface ClientOptions {
  protocol: ProtocolName;
  build: string;
  /** Absolute folders below which this connection may name paths. A run keeps those it began with. */
  roots: string[];
}

/** `server.json` in the data folder, readable by its owner alone: how a client finds the server. */
export interface ServerLock {
  pid: number;
  /** On 127.0.0.1. */
  port: number;
  /** Goes into the header `Authorization: Bearer TOKEN` of the upgrade. */
  token: string;
  protocol: ProtocolName;
  build: string;
}

/**
 * The `data` of every error that the server answers with. Codes are those of errors.ts, and `superseded`, `internal`,
 * `notReady` (before initialize or after shutdown), `unknownMethod`, and `versionMismatch`: then `server` says what this
 * one is, and only server/status and server/stop are still served.
 */
export interface ErrorData {
  code: string;
  /** For `otherBuild`: the server's. */
  build?: string;
  server?: ServerFacts;
}

/** In the result of `initialize`, under `espalier`. */
export interface ServerFacts {
  protocol: ProtocolName;
  build: string;
  pid: number;
  node: string;
  dataFolder: string;
}

export type RunState =
  | { state: 'queued' }
  | { state: 'running'; step: string; fraction: number }
  /** Waits between two steps until it is told to go on; it keeps its device. */
  | { state: 'paused'; step: string; fraction: number }
  | { state: 'done' }
  | { state: 'failed'; code: string; message: string }
  | { state: 'cancelled' }
  /** The server ended in the middle of it. */
  | { state: 'interrupted' };

export type RunSummary = {
  runId: string;
  kind: Recipe['kind'];
  /** Such as `Prune SmolLM2-135M` or `Analyze stories260k`. */
  title: string;
  model: string;
  createdAtEpochMs: number;
  startedAtEpochMs: number | null;
  endedAtEpochMs: number | null;
  /** Sequence number of its newest event. */
  lastSeq: number;
} & RunState;

/** What happened in a run; `seq` counts from 1 without gaps. */
export interface RunEvent {
  seq: number;
  atEpochMs: number;
  event:
    | { kind: 'state'; state: RunState }
    | Extract<
        EngineEvent,
        {
          kind:
            | 'plan'
            | 'study'
            | 'progress'
            | 'text'
            | 'partial'
            | 'healing'
            | 'references'
            | 'step'
            | 'evaluation'
            | 'scored';
        }
      >
    /** The report is fetched with runs/get. */
    | { kind: 'reported' };
}

export interface FoundModel {
  summary: ModelSummary;
  /** Of the model it was made from, where that is among those found. */
  parentFolder: string | null;
  /** The newest analysis among the runs; null: none. */
  analysisRunId: string | null;
}

/** Requests by method. */
export interface ServerRequests {
  /** Starts once however often it is sent: the client chooses the id (a UUID). */
  'runs/start': { params: { runId: string; recipe: Recipe }; result: RunSummary };
  'runs/list': { params: Record<string, never>; result: RunSummary[] };
  'runs/get': {
    params: { runId: string };
    result: { run: RunSummary; recipe: Recipe; plan: Plan | null; report: Report | null };
  };
  /** Events after `since` are sent again, then those that come. */
  'runs/subscribe': { params: { runId: string; since: number }; result: { lastSeq: number } };
  'runs/unsubscribe': { params: { runId: string }; result: null };
  'runs/cancel': { params: { runId: string }; result: RunSummary };
  'runs/resume': { params: { runId: string }; result: RunSummary };
  /** Of a heal run that is running or paused. */
  'runs/control': { params: { runId: string; action: RunControl }; result: RunSummary };
  /** Its folder lies in the trash of the data folder for a week. */
  'runs/delete': { params: { runId: string }; result: { freedBytes: number } };
  /** The recipe of a run, or any recipe, as the text of a recipe file. */
  'recipes/format': { params: { recipe: Recipe }; result: { yaml: string } };
  'recipes/parse': { params: { yaml: string; file: string }; result: { recipe: Recipe } };
  /** Bytes and seconds, without starting anything. */
  'plan/make': { params: { recipe: Recipe }; result: PlanEstimate };
  /**
   * The loss of an analysed model without a drop set; estimates on the way come as runs/estimate. A newer question of the
   * same client and run ends the older one, which is answered with the error `superseded`. `$/cancelRequest` ends it, too:
   * then the error is RequestCancelled.
   */
  'runs/ask': { params: { runId: string; question: number; drop: DropSet }; result: Estimate };
  /** How much faster the model is without a drop set; a question like runs/ask, and superseded like one. */
  'runs/time': { params: { runId: string; drop: DropSet }; result: MeasuredSpeed };
  /** Model folders below the roots of this connection, two levels deep, and in the folders given. */
  'models/find': { params: { folders: string[] }; result: FoundModel[] };
  'models/inspect': { params: { folder: string }; result: ModelSummary };
  'server/status': { params: Record<string, never>; result: ServerFacts & { nClients: number; nActiveRuns: number } };
  /** Ends the server, and with it all runs, which become interrupted. */
  'server/stop': { params: Record<string, never>; result: null };
}

/** Notifications from the server, by method. Events are batched: at most 30 messages a second. */
export interface ServerNotifications {
  'runs/events': { runId: string; events: RunEvent[] };
  /** A run appeared, changed its state or went. */
  'runs/changed': { runs: RunSummary[]; deleted: string[] };
  'runs/estimate': { runId: string; question: number; estimate: Estimate };
}

// The pages and the extension host, JSON-RPC over postMessage. A page knows neither port nor token.

/** What a page works with; the host keeps it true. */
export interface ChooseBlocksState {
  model: ModelSummary;
  /** The newest analysis of the model, grown by its partial reports. */
  analysis: Partial<AnalyzeReport> | null;
  run: RunSummary | null;
  source: TokenSource | null;
  connection: ConnectionState;
  /** Kept over reloads of the window. */
  choice: ChoiceState;
  recipesFolder: string | null;
  /** What an analysis would cost, while there is none: of the text and options that choose/analyze would take. */
  offer?: AnalyzeOffer | null;
  /** The newest prune run that this page started, and its folder. */
  pruning?: PruningState | null;
  /** The host answers choose/speed. */
  measuresSpeed?: boolean;
}

/** `plan` is null until it is known, and where no text is known yet. */
export interface AnalyzeOffer {
  measure: MeasureOptions;
  plan: Plan | null;
  /** What the text is called: a file name, without its folder. */
  textName: string | null;
}

export interface PruningState {
  run: RunSummary;
  out: string;
}

export type ConnectionState =
  | { state: 'starting' }
  | { state: 'connected' }
  | { state: 'reconnecting'; attempt: number }
  | { state: 'stopped' }
  | { state: 'failed'; message: string };

export interface ChoiceState {
  drop: DropSet;
  protected: number[];
  method: string;
}

/** What a page keeps in the window's state, so that a reload brings it back: the serializer gets it. */
export type PageMemory =
  | { page: 'chooseBlocks'; folder: string; choice: ChoiceState }
  | { page: 'try'; folders: string[]; prompt: string; maxTokens: number }
  | { page: 'run'; runId: string }
  /** `runId` is null while there is only a form. */
  | { page: 'heal'; folder: string; runId: string | null }
  /** `beside`: other runs whose variants are shown in the same table. */
  | { page: 'evaluate'; folders: string[]; runId: string | null; beside: string[] };

/**
 * What the page of a healing works with. Its points come apart, as heal/points: all that there are when the page opens,
 * then those that come.
 */
export interface HealState {
  model: ModelSummary;
  /** The model before pruning, as far as it is known here. */
  dense: { name: string; folder: string } | null;
  view: HealView;
  connection: ConnectionState;
  /** Of the same model, or cut from the same one; newest first. */
  earlier: EarlierHealing[];
  shown: { kind: 'form'; form: HealForm } | { kind: 'run'; healing: HealingState };
}

/** Before a run. */
export interface HealForm {
  settings: HealSettings;
  /** What the text is called: a file name, without its folder. */
  textName: string | null;
  /** null until it is known, and where no text is. */
  plan: PlanEstimate | null;
  /** Why there is no plan, in a sentence. */
  refusal: string | null;
}

/** What a person chooses before a run; the rest of a HealRecipe has its defaults. */
export interface HealSettings {
  rank: number;
  alpha: number;
  targets: string[];
  learningRate: number;
  schedule: OptimizerOptions['schedule'];
  warmupSteps: number;
  steps: number;
  microBatchWindows: number;
  tokens: number;
  objective: Objective['kind'];
}

export interface HealingState {
  run: RunSummary;
  recipe: HealRecipe;
  plan: Plan | null;
  report: HealReport | null;
  /** What the engine told before its first step; null before that. */
  adapter: AdapterSummary | null;
  data: TrainingDataReport | null;
  references: { dense: LossPoint | null; pruned: LossPoint } | null;
  remainingSeconds: number | null;
  /** Asked for, and not yet so. */
  asked: RunControl | null;
  /** The newest run that folds the adapter of this one into the weights. */
  merging: PruningState | null;
}

/** How the curve is shown; kept over reloads of the window. */
export interface HealView {
  /** Weight of what came before in the average, in [0, 1). */
  smoothing: number;
  by: 'step' | 'tokens' | 'seconds';
  logX: boolean;
  logY: boolean;
  /** Runs drawn beside this one. */
  overlays: string[];
}

/** A healing to compare with, in its judgements alone. */
export interface EarlierHealing {
  run: RunSummary;
  recipe: HealRecipe;
  /** Blocks that its model lacks, of the first one. */
  removedBlocks: number[];
  evals: HealEval[];
}

/** Points of a curve in columns. A number that is none, such as a loss that has diverged, is null. */
export interface HealPoints {
  /** As in HealStep; a step that is not above the ones before takes their place, and all behind it. */
  step: number[];
  lossNats: (number | null)[];
  gradNorm: (number | null)[];
  learningRate: (number | null)[];
  tokensPerSecond: (number | null)[];
  memoryBytes: (number | null)[];
  evals: HealEval[];
}

/** What the page of an evaluation works with: a form, or the table of a run and of those beside it. */
export interface EvaluationState {
  /** The base first; of a form those that will be evaluated, of a run those that are still here. */
  models: ModelSummary[];
  view: EvaluationView;
  connection: ConnectionState;
  shown: { kind: 'form'; form: EvaluationForm } | { kind: 'run'; evaluation: EvaluationRun; beside: EvaluationRun[] };
}

/** Before a run. */
export interface EvaluationForm {
  settings: EvaluationSettings;
  /** The folder with the tasks' data; null: none was chosen yet. */
  dataFolder: string | null;
  /** null until it is known, and where no data folder is. */
  plan: PlanEstimate | null;
  /** Why there is no plan, in a sentence. */
  refusal: string | null;
}

/** What a person chooses before a run; the rest of an EvaluateRecipe has its defaults. */
export interface EvaluationSettings {
  tasks: string[];
  /** The first so many of each task; null: all. */
  items: number | null;
  fewShot: number | null;
  generate: boolean;
}

export interface EvaluationRun {
  run: RunSummary;
  recipe: EvaluateRecipe;
  plan: Plan | null;
  /** What was told while it went on; null once there is a report, and before the first score. */
  scored: ScoredSoFar | null;
  report: EvaluateReport | null;
}

export type ScoredSoFar = Pick<EvaluateReport, 'models' | 'tasks' | 'groups' | 'scores' | 'comparisons' | 'warnings'>;

/** How the table is shown; kept over reloads of the window. */
export interface EvaluationView {
  /** null: as the tasks were asked for. */
  sort: EvaluationSort | null;
  filter: string;
  /** Only rows with a difference that is significant. */
  significant: boolean;
  /** Groups that a person has opened or closed; others are closed when they are large. */
  opened: Record<string, boolean>;
}

export interface EvaluationSort {
  by: 'task' | 'base' | 'value' | 'difference';
  /** Of the variants, in the order in which they are shown. */
  variant: number;
  descending: boolean;
}

export interface TryState {
  /** The base first. */
  models: ModelSummary[];
  prompt: string;
  maxTokens: number;
  connection: ConnectionState;
}

export interface RunPageState {
  run: RunSummary;
  /** As a recipe file. */
  recipeYaml: string;
  plan: Plan | null;
  report: Report | null;
  connection: ConnectionState;
}

/** From the page to the host. */
export interface PageRequests {
  /** The page is ready; the answer is everything it shows. */
  'page/open': {
    params: Record<string, never>;
    result:
      | { page: 'chooseBlocks'; state: ChooseBlocksState }
      | { page: 'try'; state: TryState }
      | { page: 'run'; state: RunPageState }
      | { page: 'heal'; state: HealState }
      | { page: 'evaluate'; state: EvaluationState };
  };
  /** Remembered by the host and put into the window's state. */
  'choose/keep': { params: { choice: ChoiceState }; result: null };
  /** Estimates on the way come as choose/estimate. */
  'choose/ask': { params: { question: number; drop: DropSet }; result: Estimate };
  /** Asks where to write, then starts; null when the person thought better of it. */
  'choose/prune': { params: { drop: DropSet; repair: RepairOptions | null }; result: { runId: string } | null };
  'choose/saveRecipe': { params: { drop: DropSet; repair: RepairOptions | null }; result: { file: string } | null };
  /** Asks for a text where none is known, then starts an analysis. */
  'choose/analyze': { params: { measure: MeasureOptions }; result: { runId: string } | null };
  /** Asks for another text; the answer comes as choose/state. */
  'choose/text': { params: Record<string, never>; result: null };
  /** Waits for the answer to choose/ask; a newer choose/ask ends it. */
  'choose/speed': { params: { drop: DropSet }; result: MeasuredSpeed };
  /** Remembered by the host. */
  'heal/keep': { params: { view: HealView }; result: null };
  /** Remembered by the host, too; their plan comes as heal/state. */
  'heal/settings': { params: { settings: HealSettings }; result: null };
  /** Asks for another text; the answer comes as heal/state. */
  'heal/text': { params: Record<string, never>; result: null };
  /** Asks where to write, then starts; null when the person thought better of it. */
  'heal/start': { params: { settings: HealSettings }; result: { runId: string } | null };
  'heal/control': { params: { action: RunControl }; result: null };
  /** Back to the form, with these settings. */
  'heal/again': { params: { settings: HealSettings }; result: null };
  /** Asks where to write, then folds the adapter into the weights. */
  'heal/merge': { params: Record<string, never>; result: { runId: string } | null };
  /** null: that of the run. */
  'heal/saveRecipe': { params: { settings: HealSettings | null }; result: { file: string } | null };
  /** Asks where to write it. `png` comes as base64. */
  'heal/export': { params: { kind: 'csv' | 'png' | 'svg'; content: string }; result: { file: string } | null };
  /** Remembered by the host. */
  'evaluate/keep': { params: { view: EvaluationView }; result: null };
  /** Remembered by the host, too; their plan comes as evaluate/state. */
  'evaluate/settings': { params: { settings: EvaluationSettings }; result: null };
  /** Asks for the folder with the tasks' data; the answer comes as evaluate/state. */
  'evaluate/data': { params: Record<string, never>; result: null };
  /** Asks which models, or which earlier evaluation; the answer comes as evaluate/state. */
  'evaluate/addVariant': { params: Record<string, never>; result: null };
  /** A model of the form by its folder, or a run beside this one by its id. */
  'evaluate/remove': { params: { folder: string } | { runId: string }; result: null };
  'evaluate/start': { params: { settings: EvaluationSettings }; result: { runId: string } };
  /** The same recipe as a new run. */
  'evaluate/repeat': { params: Record<string, never>; result: { runId: string } };
  /** Back to the form, with all models that are shown and with these settings. */
  'evaluate/again': { params: { settings: EvaluationSettings }; result: null };
  /** null: that of the run. */
  'evaluate/saveRecipe': { params: { settings: EvaluationSettings | null }; result: { file: string } | null };
  /** Asks where to write it. */
  'evaluate/export': { params: { kind: 'csv' | 'json'; content: string }; result: { file: string } | null };
  'run/cancel': { params: { runId: string }; result: null };
  /** Starts a failed, cancelled or interrupted run again. */
  'run/resume': { params: { runId: string }; result: null };
  'log/open': { params: Record<string, never>; result: null };
  'server/restart': { params: Record<string, never>; result: null };
  'run/open': { params: { runId: string }; result: null };
  'model/try': { params: { folder: string }; result: null };
  /** One prompt for all models of the page, one after the other; text comes as try/text. */
  'try/generate': { params: { prompt: string; maxTokens: number }; result: GenerateReport[] };
  'try/cancel': { params: Record<string, never>; result: null };
  'text/copy': { params: { text: string }; result: null };
}

/** From the page to the host, unanswered. */
export interface PageNotifications {
  'page/painted': { atEpochMs: number; scriptMs: number };
  'page/violation': { directive: string; blocked: string; source: string };
  'page/error': { message: string; stack: string };
}

/** From the host to the page. At most 30 messages a second. */
export interface HostNotifications {
  'choose/state': ChooseBlocksState;
  'choose/estimate': { question: number; estimate: Estimate };
  /** The state of the page's prune run; the same as ChooseBlocksState.pruning. */
  'choose/pruning': PruningState;
  'try/state': TryState;
  /** Text that the model with this index has added. */
  'try/text': { model: number; text: string };
  /** One model has finished; the others go on. */
  'try/report': { model: number; report: GenerateReport };
  'run/state': RunPageState;
  'heal/state': HealState;
  'heal/points': HealPoints;
  'evaluate/state': EvaluationState;
}
