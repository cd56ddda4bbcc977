// What users ask for: one recipe per kind of work, the same on the command line, in the editor and in recipe files.
// Types only. Indices count from 0, ranges are half-open, units end the names.

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
