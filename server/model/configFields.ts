// The keys of config.json that some family reads, each with what it may hold.
import * as z from 'zod';
import { isRecord } from '../shared/records';

const number = (holds: (n: number) => boolean, expected: string) =>
  z.custom<number>((n) => typeof n === 'number' && Number.isFinite(n) && holds(n), expected);
const between = (least: number, most: number) =>
  number((n) => Number.isInteger(n) && n >= least && n <= most, `a whole number from ${least} to ${most}`);
// Bounds far above any real model, so that products of two sizes stay exact and lists of blocks stay short.
const size = between(1, 2 ** 26);
const positive = number((n) => n > 0, 'a positive number');
const flag = z.custom<boolean>((v) => typeof v === 'boolean', 'true or false');
const ids = z.custom<number | number[] | null>(
  (v) => v === null || [v].flat().every((id) => Number.isSafeInteger(id)),
  'a token id, a list of them, or null',
);
const dtypeName = z.custom<string>((v) => typeof v === 'string', 'a name');
const object = z.custom<Record<string, unknown>>(isRecord, 'an object or null');

/** The keys that a family may read, checked one by one; relations between them are checked afterwards. */
export const configFields = z.object({
  hidden_size: size,
  intermediate_size: size,
  num_hidden_layers: between(1, 10_000),
  num_attention_heads: size,
  num_key_value_heads: size.nullish(),
  head_dim: size.nullish(),
  vocab_size: size,
  max_position_embeddings: between(1, 2 ** 31).optional(),
  original_max_position_embeddings: positive.nullish(),
  rms_norm_eps: number((n) => n >= 0, 'a number that is not negative').optional(),
  tie_word_embeddings: flag.optional(),
  attention_bias: flag.optional(),
  mlp_bias: flag.optional(),
  sliding_window: between(1, 2 ** 31)
    .nullable()
    .optional(),
  use_sliding_window: flag.optional(),
  max_window_layers: between(0, 2 ** 31).optional(),
  layer_types: z
    .custom<('full_attention' | 'sliding_attention')[]>(
      (v) => Array.isArray(v) && v.every((t) => t === 'full_attention' || t === 'sliding_attention'),
      'a list of full_attention and sliding_attention',
    )
    .nullish(),
  no_rope_layers: z
    .custom<(0 | 1)[]>((v) => Array.isArray(v) && v.every((n) => n === 0 || n === 1), 'a list of 0 (no rotation) and 1')
    .nullish(),
  no_rope_layer_interval: between(1, 2 ** 31).optional(),
  rope_theta: positive.nullish(),
  rope_scaling: object.nullish(),
  rope_parameters: object.nullish(),
  bos_token_id: ids.optional(),
  eos_token_id: ids.optional(),
  dtype: dtypeName.nullish(),
  torch_dtype: dtypeName.nullish(),
});

/** Keys that only those families read that say so; of all others they are refused, or mean nothing. */
export const formFields = z.object({
  hidden_activation: z.literal('gelu_pytorch_tanh', 'gelu_pytorch_tanh').nullish(),
  /** Ignored by transformers beside hidden_activation. */
  hidden_act: z.unknown().optional(),
  query_pre_attn_scalar: positive.optional(),
  attn_logit_softcapping: positive.nullish(),
  final_logit_softcapping: positive.nullish(),
  embedding_multiplier: positive.optional(),
  residual_multiplier: positive.optional(),
  attention_multiplier: positive.optional(),
  logits_scaling: positive.optional(),
  partial_rotary_factor: number((n) => n > 0 && n <= 1, 'a number above 0, up to 1').optional(),
  rope_local_base_freq: positive.optional(),
  sliding_window_pattern: between(1, 10_000).optional(),
  _sliding_window_pattern: between(1, 10_000).optional(),
});

export type FormField = keyof typeof formFields.shape;
export type ConfigFields = z.infer<typeof configFields> & Partial<z.infer<typeof formFields>>;
