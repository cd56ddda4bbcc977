// Models that a kit makes on the machine that it measures, with random weights: only their shapes matter for speed. And how
// much of each job is done with them.

export interface KitShape {
  readonly config: Readonly<Record<string, unknown>>;
  /** Of the analysis; three times as many are measured, too. */
  readonly sequences: number;
  readonly tokens: number;
  /** Of a step of healing. */
  readonly microBatch: number;
  readonly healedTokens: number;
  readonly steps: number;
  /** Questions with five examples each; four times as many are measured, too. */
  readonly items: number;
}

const llama = { model_type: 'llama', hidden_act: 'silu', rms_norm_eps: 1e-5, tie_word_embeddings: true };

export const shapes: Readonly<Record<string, KitShape>> = {
  tiny: {
    config: {
      ...llama,
      ...{ hidden_size: 128, intermediate_size: 384, num_hidden_layers: 2, vocab_size: 512 },
      ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 2048, torch_dtype: 'bfloat16' },
    },
    ...{ sequences: 2, tokens: 64, microBatch: 1, healedTokens: 64, steps: 2, items: 1 },
  },
  'smollm2-135m': {
    config: {
      ...llama,
      ...{ hidden_size: 576, intermediate_size: 1536, num_hidden_layers: 30, vocab_size: 49152, rope_theta: 100000 },
      ...{ num_attention_heads: 9, num_key_value_heads: 3, max_position_embeddings: 8192, torch_dtype: 'bfloat16' },
    },
    ...{ sequences: 8, tokens: 512, microBatch: 4, healedTokens: 256, steps: 4, items: 5 },
  },
  'llama-3.2-3b': {
    config: {
      ...llama,
      ...{ hidden_size: 3072, intermediate_size: 8192, num_hidden_layers: 28, vocab_size: 128256, head_dim: 128 },
      ...{ num_attention_heads: 24, num_key_value_heads: 8, max_position_embeddings: 131072, rope_theta: 500000 },
      torch_dtype: 'bfloat16',
    },
    ...{ sequences: 8, tokens: 512, microBatch: 4, healedTokens: 512, steps: 4, items: 5 },
  },
};
