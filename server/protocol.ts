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
  | { kind: 'ids'; file: string }
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

/** Which blocks go. `count` of them by a method, `span` consecutive ones, the deepest, or those named. */
export type DropRule =
  | { kind: 'blocks'; blocks: number[] }
  | { kind: 'method'; method: string; count: number; protected: number[] }
  | { kind: 'deepest'; count: number; protected: number[] };

export interface AnalyzeRecipe {
  kind: 'analyze';
  model: string;
  source: TokenSource;
  /** Names of the table in analysis/importance.ts. */
  methods: string[];
  compute: ComputeOptions;
}

export interface PruneRecipe {
  kind: 'prune';
  model: string;
  rule: DropRule;
  /** Needed by rules whose method looks at text. */
  source: TokenSource | null;
  out: string;
  dtype: Dtype | null;
  maxShardBytes: number | null;
  /** Also write the drop set as a mergekit recipe to this file. */
  mergekit: string | null;
  compute: ComputeOptions;
}

export interface PerplexityRecipe {
  kind: 'perplexity';
  models: string[];
  /** Blocks left out of every model without writing it. */
  drop: number[];
  source: TokenSource;
  compute: ComputeOptions;
}

export interface GenerateRecipe {
  kind: 'generate';
  model: string;
  prompt: string;
  maxTokens: number;
  drop: number[];
  bos: BosMode;
  /** false: every token is computed from the whole text again. */
  cache: boolean;
  compute: ComputeOptions;
}

export interface InspectRecipe {
  kind: 'inspect';
  model: string;
}

export type Recipe = AnalyzeRecipe | PruneRecipe | PerplexityRecipe | GenerateRecipe | InspectRecipe;

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
}

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
  /** For a model that Espalier pruned. */
  prunedFrom: { model: string; removedBlocks: number[] } | null;
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
}

export interface PruneReport extends RunFacts {
  kind: 'prune';
  model: ModelSummary;
  out: string;
  rule: DropRule;
  dropSet: number[];
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

export interface PerplexityReport extends RunFacts {
  kind: 'perplexity';
  models: {
    name: string;
    folder: string;
    dropSet: number[];
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

export type Report = AnalyzeReport | PruneReport | PerplexityReport | GenerateReport | InspectReport;

/** What the engine is told. One recipe a process. */
export type EngineRequest = { kind: 'start'; recipe: Recipe } | { kind: 'cancel' };

/** What the engine tells. `done` or `failed` comes exactly once, last. */
export type EngineEvent =
  | { kind: 'plan'; plan: Plan }
  | { kind: 'progress'; step: string; fraction: number }
  | { kind: 'text'; text: string }
  | { kind: 'done'; report: Report }
  | { kind: 'failed'; code: string; message: string; stack?: string };
