// Keys of config.json that turn a LLaMA-like model into another one. Ignoring them would give wrong numbers silently.
import { UserError } from '../errors';
import type { Family } from './families';

/**
 * Refuses a config.json that asks for something our graphs do not do for its family.
 * @throws UserError `unsupportedModel` naming the key.
 */
export function refuseUnsupportedFeatures(
  json: Readonly<Record<string, unknown>>,
  { reads = [] }: Pick<Family, 'reads'>,
): void {
  for (const { keys, harmless, supported } of unsupportedFeatures) {
    for (const key of keys) {
      const value = json[key];
      if (value === undefined || value === null || harmless(value) || reads.some((read) => read === key)) continue;
      throw new UserError(
        'unsupportedModel',
        `config.json has ${key} ${brief(value)}; supported are only ${supported}.`,
      );
    }
  }
}

interface UnsupportedFeature {
  readonly keys: readonly string[];
  /** Whether a value that is there changes nothing. */
  readonly harmless: (value: unknown) => boolean;
  readonly supported: string;
}

const never = () => false;
const isOff = (value: unknown) => value === false || value === 0;
const isOne = (value: unknown) => value === 1;

const unsupportedFeatures: readonly UnsupportedFeature[] = [
  {
    keys: ['quantization_config', 'compression_config'],
    harmless: never,
    supported: 'weights that are not quantised (F32, F16, BF16)',
  },
  {
    keys: [
      'num_experts',
      'num_local_experts',
      'n_routed_experts',
      'moe_intermediate_size',
      'moe_num_experts',
      'num_experts_per_tok',
    ],
    harmless: isOff,
    supported: 'dense models without experts',
  },
  {
    keys: ['hidden_act', 'hidden_activation'],
    harmless: (value) => value === 'silu' || value === 'swish',
    supported: 'MLPs with silu (swish)',
  },
  { keys: ['partial_rotary_factor', 'rotary_pct'], harmless: isOne, supported: 'models that rotate whole heads (1)' },
  {
    keys: [
      'attn_logit_softcapping',
      'final_logit_softcapping',
      'logit_softcapping',
      'attention_logit_softcapping',
      'clip_qkv',
    ],
    harmless: isOff,
    supported: 'models without caps on logits, queries, keys and values',
  },
  {
    keys: [
      'embedding_multiplier',
      'residual_multiplier',
      'attention_multiplier',
      'logits_scaling',
      'logit_scale',
      'scale_emb',
      'scale_depth',
      'query_pre_attn_scalar',
    ],
    harmless: isOne,
    supported: 'models without extra scaling (1)',
  },
  {
    keys: ['use_qk_norm', 'qk_layernorm', 'parallel_attn', 'use_parallel_residual'],
    harmless: isOff,
    supported: 'plain LLaMA-like blocks',
  },
  {
    keys: ['num_kv_shared_layers', 'use_bidirectional_attention', 'is_encoder_decoder'],
    harmless: isOff,
    supported: 'causal decoders whose blocks each have keys and values of their own',
  },
  { keys: ['is_causal'], harmless: (value) => value === true, supported: 'causal decoders' },
  {
    keys: ['mlp_layer_types'],
    harmless: (value) => Array.isArray(value) && value.every((type) => type === 'dense'),
    supported: 'dense MLPs',
  },
  {
    keys: ['transformers_weights'],
    harmless: (value) => value === 'model.safetensors',
    supported: 'weights in model.safetensors or in shards with model.safetensors.index.json',
  },
  { keys: ['vision_config', 'audio_config'], harmless: never, supported: 'models of text alone' },
  {
    keys: ['architectures'],
    harmless: (value) =>
      // Of a bare model, such as LlamaModel, the weights tell whether there is a head.
      Array.isArray(value) && (value.length === 0 || value.some((name) => /(ForCausalLM|Model)$/.test(String(name)))),
    supported: 'models that predict the next token (...ForCausalLM)',
  },
];

/** A value in few characters: of an object the names that tell most. */
function brief(value: unknown): string {
  const method =
    typeof value === 'object' && value !== null && 'quant_method' in value ? value.quant_method : undefined;
  const text = JSON.stringify(method ?? value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}
