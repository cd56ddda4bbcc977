// What has to be known of a LLaMA-like model before its graphs can be built.
// Letters used for shapes everywhere: B batch, T tokens, D width, N blocks, H query heads, G key/value heads,
// E head width, F MLP width, V vocabulary, R adapter rank.

export type WeightDtype = 'F32' | 'F16' | 'BF16';

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
  /** false in blocks without position embedding (SmolLM3). */
  readonly rope: boolean;
  /** A query sees this many keys, its own included; null is full causal attention. */
  readonly slidingWindow: number | null;
  /** Not `whole` in a block whose attention or MLP was dropped: its output projection is zero, and it is not computed. */
  readonly sublayers: Sublayers;
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
  /** RMS norm over each query and key head before the rotation (Qwen3). */
  readonly queryKeyNorm: boolean;
  readonly rope: Rope;
  readonly blocks: readonly BlockConfig[];
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  readonly dtype: WeightDtype;
}
