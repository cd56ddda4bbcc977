// What has to be known of a LLaMA-like model before its graphs can be built.
// Letters used for shapes everywhere: B batch, T tokens, D width, N blocks, H query heads, G key/value heads,
// E head width, F MLP width, V vocabulary, R adapter rank.

import type { WeightWidth } from '../protocol/recipes';

/** F64 is kept where weights are copied, and rounded to f32 where they are computed with. */
export type WeightDtype = 'F64' | 'F32' | 'F16' | 'BF16';

/** Rotary position embedding; `default` is the plain one, the others rescale its frequencies. */
export type Rope = { readonly theta: number } & (
  | { readonly type: 'default' }
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalContextLength: number;
    }
);

/** Which sublayers of a block are computed. */
export type Sublayers = 'whole' | 'attentionOnly' | 'mlpOnly';

/** What may differ from block to block. */
export interface BlockConfig {
  /** Which of the model's `ropes` rotates queries and keys; null in blocks without position embedding (SmolLM3). */
  readonly rope: number | null;
  /** A query sees this many keys, its own included; null is full causal attention. */
  readonly slidingWindow: number | null;
  /** Not `whole` in a block whose attention or MLP was dropped: its output projection is zero, and it is not computed. */
  readonly sublayers: Sublayers;
  /** Matrices, by their suffix, that are held in float32 because the width of the others cannot hold them. Default: none. */
  readonly float32Weights?: readonly string[];
}

/** Names of the norms of one sublayer, without `.weight`; null where there is none. */
export interface SublayerNorms {
  readonly before: string | null;
  /** Of what the sublayer adds. */
  readonly after: string | null;
}

/** In what the blocks and the head of families differ, beside their sizes. */
export interface ModelForm {
  readonly norms: { readonly attention: SublayerNorms; readonly mlp: SublayerNorms };
  /** A norm multiplies by (1 + weight), as Gemma's do. */
  readonly normAddsOne: boolean;
  readonly activation: 'silu' | 'geluTanh';
  /** RMS norm of queries and keys before the rotation: over each head (Qwen 3), or over all heads together (OLMo 2). */
  readonly queryKeyNorm: 'none' | 'head' | 'allHeads';
  /** One projection for queries, keys and values, and one for gate and up (Phi-3). */
  readonly fusedProjections: boolean;
  /** Only the first numbers of each head are rotated, this share of them. */
  readonly rotaryShare: number;
  readonly scales: {
    /** Of products of queries and keys; null: 1 / sqrt(E). */
    readonly attention: number | null;
    readonly embedding: number;
    /** Of what a sublayer adds. */
    readonly residual: number;
    readonly logits: number;
  };
  /** x becomes cap tanh(x / cap); null: no cap. */
  readonly softCaps: { readonly attention: number | null; readonly logits: number | null };
}

/** The form that LLaMA has; a family states only what it does differently. */
export const llamaForm: ModelForm = {
  norms: {
    attention: { before: 'input_layernorm', after: null },
    mlp: { before: 'post_attention_layernorm', after: null },
  },
  normAddsOne: false,
  activation: 'silu',
  queryKeyNorm: 'none',
  fusedProjections: false,
  rotaryShare: 1,
  scales: { attention: null, embedding: 1, residual: 1, logits: 1 },
  softCaps: { attention: null, logits: null },
};

/** In how many bits a device holds matrices. */
export interface WeightStorage {
  readonly blocks: WeightWidth;
  readonly head: WeightWidth;
}

export interface ModelConfig {
  /** A row of families.ts. */
  readonly family: string;
  readonly nBlocks: number; // N
  readonly width: number; // D
  readonly mlpWidth: number; // F
  readonly nHeads: number; // H
  readonly nKeyValueHeads: number; // G
  readonly headWidth: number; // E
  readonly vocabularySize: number; // V
  readonly contextLength: number;
  readonly normEpsilon: number;
  readonly tiedEmbeddings: boolean;
  readonly biases: { readonly qkv: boolean; readonly attentionOutput: boolean; readonly mlp: boolean };
  readonly form: ModelForm;
  /** Rotary embeddings; most models have one for all blocks. */
  readonly ropes: readonly Rope[];
  readonly blocks: readonly BlockConfig[];
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  readonly dtype: WeightDtype;
  /** How a device holds the matrices. Default: in float32. */
  readonly storage?: WeightStorage;
  /** The most bytes of a matrix that a device takes in one tensor (rowPieces.ts). Default: any. */
  readonly largestTensorBytes?: number;
}
