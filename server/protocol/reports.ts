// What reports of several kinds of recipe and the events on the way to them have in common, with the field names that `--json`
// writes. What only one kind reports is declared beside its recipe. Types only. Indices count from 0, ranges are half-open,
// units end the names.
import type { WeightWidth } from './recipes';

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
  /** The most bytes that tensors took on the device, with what is made within a graph; absent where none was used. */
  peakTensorBytes?: number;
  device: string;
  /** Why `auto` was this device, in one sentence; absent where the recipe names one. */
  deviceReason?: string;
  threads: number;
  memory: 'resident' | 'streaming';
  /** How the device held matrices; absent in reports of versions that held them in float32 alone. */
  weights?: WeightWidth;
  /** Why `auto` took that width, in words. Absent: it was asked for. */
  whyWeights?: string;
  /** What that costs against float32. Absent: matrices are float32, or it was not measured. */
  weightsCost?: WeightsCost;
  versions: { espalier: string; onnxruntime: string; node: string };
}

/** Losses of the first of a run's sequences, of its first model, with its matrices in float32 and as they are held. */
export interface WeightsCost {
  nSequences: number;
  tokensPerSequence: number;
  float32LossNats: number;
  lossNats: number;
  /** lossNats - float32LossNats, and its standard error, paired by token. */
  costNats: number;
  costStandardError: number;
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
  /** config.json ties head and embedding, but the files hold a head of its own, and that is used. */
  ownHeadDespiteTie: boolean;
  /** Names of tensors that the files hold and the model does not use; those of many blocks as one. */
  unusedTensors: string[];
  rope: string;
  /** Sublayers that are zeroed and skipped. */
  droppedSublayers: { attention: number[]; mlp: number[] };
  /** For a model that Espalier pruned. */
  prunedFrom: { model: string; removedBlocks: number[] } | null;
  /** An adapter was folded into its weights. */
  healed: boolean;
  /** What budgets reckon with; absent in reports of versions that knew none. */
  parts?: ModelParts;
}

/** How much something is made of. */
export interface Amount {
  parameters: number;
  bytes: number;
}

/** What the parts of a model weigh as its files hold them. */
export interface ModelParts {
  /** Embedding, head and final norm. */
  outside: Amount;
  /** Of the heaviest block. */
  block: Amount;
  /** One channel of one MLP. */
  channel: Amount;
  /** Numbers that one token leaves in one block's cache of keys and values. */
  cachedPerToken: number;
  /** What the header of a weight file takes at most: without blocks, and for each of them. */
  headerBytes: { outside: number; block: number };
}

/** What meets a budget. */
export interface Fitting {
  /** How many blocks go. */
  count: number;
  /** How many channels of every MLP stay; null: all. */
  mlpWidth: number | null;
  parameters: number;
  /** Of the weight files. */
  weightBytes: number;
  cacheBytes: number;
  /** Why it is not closer to the target; null: it is within one percent. */
  nearest: string | null;
}

/** Scores by block; for spans `scores[n - 1][first]` is the score of the n blocks from `first` on. Low is unimportant. */
export interface MethodScores {
  unit: string;
  of: 'block' | 'attention' | 'mlp' | 'span';
  paper: string;
  scores: number[] | number[][];
  /** Over sequences: null with a single sequence; zero where the text plays no part. */
  standardErrors: (number | null)[] | (number | null)[][];
}

/** The loss of the model without something. */
export type MeasuredLoss = FiniteLoss | LossNotFinite;

export interface FiniteLoss {
  lossNats: number;
  /** Of the loss, over sequences; null with a single sequence. */
  standardError: number | null;
  /** lossNats - the original's loss on the same tokens, and its standard error, paired by token. */
  costNats: number;
  costStandardError: number;
}

/** What stays computes NaN or an infinity. */
export interface LossNotFinite {
  lossNats: NotFinite;
  standardError: null;
  costNats: NotFinite;
  costStandardError: null;
}

/** Stands in the place of a number that came out as NaN or infinite, for which JSON has no word. */
export type NotFinite = 'not finite';

/** A block, or a sublayer of one. */
export type BlockOrSublayer = number | { block: number; half: 'attention' | 'mlp' };

/** A first or final answer to a question about a drop set. */
export type Estimate = MeasuredLoss & {
  nSequences: number;
  ofSequences: number;
  /** True once all sequences were measured. */
  final: boolean;
  /** From the question to this answer. */
  elapsedMs: number;
};

/** Forward passes with and without a drop set over the same tokens, taken in turns: the least time of each. */
export interface MeasuredSpeed {
  baseMs: number;
  prunedMs: number;
  nTokens: number;
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
  /** Items that were longer than a sequence. */
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
  /** (pruned - now) / (pruned - dense), in nats; null where the original's loss is unknown or not below the pruned one. */
  recoveredFraction: number | null;
}
