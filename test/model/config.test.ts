// What config.json means: the families' real configs accepted with the right numbers, everything else refused by name.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import type { ModelConfig } from '../../server/model/config';
import { readModelConfig } from '../../server/model/readConfig';
import { blockWeights, nParameters, weightShapes } from '../../server/model/weights';
import { available, dataFolder } from '../fixtures';

const families = join(import.meta.dirname, '../fixtures/families');
const json = (file: string) => JSON.parse(readFileSync(file, 'utf8')) as Record<string, unknown>;
const sizes = { hidden_size: 64, intermediate_size: 96, num_hidden_layers: 4, num_attention_heads: 4, vocab_size: 100 };
const llama = { model_type: 'llama', ...sizes };
const mistral = { ...llama, model_type: 'mistral', num_key_value_heads: 2 };
const qwen2 = { ...llama, model_type: 'qwen2', num_key_value_heads: 2 };
const qwen3 = { ...qwen2, model_type: 'qwen3' };
const smollm3 = { ...llama, model_type: 'smollm3', num_key_value_heads: 2 };
const phi3 = { ...llama, model_type: 'phi3', hidden_size: 96 };
const granite = { ...llama, model_type: 'granite' };
const gemma2 = { ...llama, model_type: 'gemma2', num_key_value_heads: 2 };
const gemma3 = { ...gemma2, model_type: 'gemma3_text' };
const llama3Rope = { factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 8192 };

const refusal = (config: unknown): string => {
  try {
    readModelConfig(config);
  } catch (error) {
    if (isUserError(error)) {
      expect(error.code).toBe('unsupportedModel');
      expect(error.message).not.toMatch(/\n/);
      return error.message;
    }
    throw error;
  }
  return 'accepted';
};

const slidingWindows = ({ blocks }: ModelConfig) => blocks.map(({ slidingWindow }) => slidingWindow);
const ropes = ({ blocks }: ModelConfig) => blocks.map(({ rope }) => rope);

describe('a config means', () => {
  const rows: [string, Record<string, unknown>, (config: ModelConfig) => unknown, unknown][] = [
    ['heads without own key/value heads', llama, (c) => c.nKeyValueHeads, 4],
    ['grouped heads', { ...llama, num_key_value_heads: 2 }, (c) => c.nKeyValueHeads, 2],
    [
      "Mistral's own default of key/value heads",
      { ...llama, model_type: 'mistral', num_attention_heads: 8 },
      (c) => c.nKeyValueHeads,
      8,
    ],
    ['null key/value heads: as many as heads', { ...mistral, num_key_value_heads: null }, (c) => c.nKeyValueHeads, 4],
    ['head width from the width', llama, (c) => c.headWidth, 16],
    ['stated head width', { ...llama, head_dim: 32 }, (c) => c.headWidth, 32],
    ["Qwen3's head width", qwen3, (c) => c.headWidth, 128],
    ['null head width', { ...qwen3, head_dim: null }, (c) => c.headWidth, 16],
    ['no biases', llama, (c) => c.biases, { qkv: false, attentionOutput: false, mlp: false }],
    [
      'biases of attention',
      { ...llama, attention_bias: true },
      (c) => c.biases,
      { qkv: true, attentionOutput: true, mlp: false },
    ],
    [
      'biases of the MLP',
      { ...smollm3, mlp_bias: true },
      (c) => c.biases,
      { qkv: false, attentionOutput: false, mlp: true },
    ],
    ['Mistral ignores attention_bias', { ...mistral, attention_bias: true }, (c) => c.biases.qkv, false],
    ["Qwen2's biases", qwen2, (c) => c.biases, { qkv: true, attentionOutput: false, mlp: false }],
    [
      "Qwen3's flag",
      { ...qwen3, attention_bias: true },
      (c) => c.biases,
      { qkv: true, attentionOutput: true, mlp: false },
    ],
    ['norms on queries and keys', qwen3, (c) => c.form.queryKeyNorm, 'head'],
    ['tied by default only in SmolLM3', smollm3, (c) => c.tiedEmbeddings, true],
    ['untied by default', qwen2, (c) => c.tiedEmbeddings, false],
    ['plain rope', llama, (c) => c.ropes[0]!, { type: 'default', theta: 10_000 }],
    ["SmolLM3's theta", smollm3, (c) => c.ropes[0]!.theta, 2_000_000],
    [
      'old rope keys',
      { ...llama, rope_theta: 5, rope_scaling: { type: 'linear', factor: 2 } },
      (c) => c.ropes[0]!,
      { type: 'linear', theta: 5, factor: 2 },
    ],
    [
      'new rope keys',
      { ...llama, rope_parameters: { rope_type: 'linear', rope_theta: 7, factor: 2 } },
      (c) => c.ropes[0]!,
      { type: 'linear', theta: 7, factor: 2 },
    ],
    [
      'null rope_scaling',
      { ...llama, rope_theta: 9, rope_scaling: null },
      (c) => c.ropes[0]!,
      { type: 'default', theta: 9 },
    ],
    [
      'rope of Llama 3',
      { ...llama, rope_theta: 5e5, rope_scaling: { rope_type: 'llama3', ...llama3Rope } },
      (c) => c.ropes[0]!,
      {
        type: 'llama3',
        theta: 5e5,
        factor: 8,
        lowFrequencyFactor: 1,
        highFrequencyFactor: 4,
        originalContextLength: 8192,
      },
    ],
    ['Llama does not slide', { ...llama, sliding_window: 8 }, slidingWindows, [null, null, null, null]],
    ['Mistral slides by default', mistral, slidingWindows, [4096, 4096, 4096, 4096]],
    ['Mistral without window', { ...mistral, sliding_window: null }, slidingWindows, [null, null, null, null]],
    [
      'Qwen with the switch off',
      { ...qwen2, sliding_window: 8, max_window_layers: 2 },
      slidingWindows,
      [null, null, null, null],
    ],
    [
      'Qwen slides in later blocks',
      { ...qwen2, use_sliding_window: true, sliding_window: 8, max_window_layers: 2 },
      slidingWindows,
      [null, null, 8, 8],
    ],
    [
      'Qwen told which blocks slide',
      {
        ...qwen3,
        use_sliding_window: true,
        sliding_window: 8,
        layer_types: ['sliding_attention', 'full_attention', 'full_attention', 'full_attention'],
      },
      slidingWindows,
      [8, null, null, null],
    ],
    ['SmolLM3 by interval', smollm3, ropes, [0, 0, 0, null]],
    ['SmolLM3 by another interval', { ...smollm3, no_rope_layer_interval: 2 }, ropes, [0, null, 0, null]],
    ['SmolLM3 by list', { ...smollm3, no_rope_layers: [0, 1, 1, 1] }, ropes, [null, 0, 0, 0]],
    [
      'SmolLM3 slides where it does not rotate',
      { ...smollm3, use_sliding_window: true, sliding_window: 8 },
      slidingWindows,
      [null, null, null, 8],
    ],
    ["Gemma 2's windows", gemma2, slidingWindows, [4096, null, 4096, null]],
    [
      'Gemma 3 by interval',
      { ...gemma3, sliding_window_pattern: 2, sliding_window: 9 },
      slidingWindows,
      [9, null, 9, null],
    ],
    ['Gemma 3 rotates as its window says', { ...gemma3, sliding_window_pattern: 2 }, ropes, [1, 0, 1, 0]],
    [
      'Gemma 3 in old keys',
      { ...gemma3, rope_theta: 7, rope_local_base_freq: 5, rope_scaling: { rope_type: 'linear', factor: 8 } },
      (c) => c.ropes,
      [
        { type: 'linear', theta: 7, factor: 8 },
        { type: 'default', theta: 5 },
      ],
    ],
    [
      'Gemma 3 in new keys',
      { ...gemma3, rope_parameters: { full_attention: { rope_theta: 7 }, sliding_attention: { rope_theta: 5 } } },
      (c) => c.ropes,
      [
        { type: 'default', theta: 7 },
        { type: 'default', theta: 5 },
      ],
    ],
    [
      "Gemma 3's thetas",
      gemma3,
      (c) => c.ropes,
      [
        { type: 'default', theta: 1e6 },
        { type: 'default', theta: 1e4 },
      ],
    ],
    ["Gemma 2's caps", gemma2, (c) => c.form.softCaps, { attention: 50, logits: 30 }],
    [
      'Gemma 2 without caps',
      { ...gemma2, attn_logit_softcapping: null, final_logit_softcapping: null },
      (c) => c.form.softCaps,
      { attention: null, logits: null },
    ],
    ['Gemma 3 has no caps', gemma3, (c) => c.form.softCaps, { attention: null, logits: null }],
    [
      "Granite's scales",
      { ...granite, attention_multiplier: 0.5, embedding_multiplier: 12, residual_multiplier: 0.25, logits_scaling: 8 },
      (c) => c.form.scales,
      { attention: 0.5, embedding: 12, residual: 0.25, logits: 0.125 },
    ],
    ['Granite without scales', granite, (c) => c.form.scales, { attention: 1, embedding: 1, residual: 1, logits: 1 }],
    ["OLMo 2's epsilon", { ...llama, model_type: 'olmo2' }, (c) => c.normEpsilon, 1e-5],
    ['Phi-3 rotates a part', { ...phi3, partial_rotary_factor: 0.5 }, (c) => c.form.rotaryShare, 0.5],
    [
      'Phi-3 rotates a part, said inside',
      { ...phi3, rope_parameters: { partial_rotary_factor: 0.75 } },
      (c) => c.form.rotaryShare,
      0.75,
    ],
    ["Phi-3's window", { ...phi3, sliding_window: 2047 }, slidingWindows, [2047, 2047, 2047, 2047]],
    ['one end', { ...llama, eos_token_id: 5 }, (c) => c.eosTokenIds, [5]],
    ['several ends', { ...llama, eos_token_id: [5, 6] }, (c) => c.eosTokenIds, [5, 6]],
    ['no beginning', { ...llama, bos_token_id: null }, (c) => c.bosTokenId, null],
    ['default beginning', llama, (c) => c.bosTokenId, 1],
    ['new dtype', { ...llama, dtype: 'bfloat16' }, (c) => c.dtype, 'BF16'],
    ['a dtype that the files may not have', { ...llama, dtype: 'float8_e4m3fn' }, (c) => c.dtype, 'F32'],
    ['old dtype', { ...llama, torch_dtype: 'torch.float16' }, (c) => c.dtype, 'F16'],
    ['swish', { ...llama, hidden_act: 'swish' }, (c) => c.family, 'llama'],
    ['pretraining_tp is nothing', { ...llama, pretraining_tp: 2, use_cache: true }, (c) => c.nBlocks, 4],
  ];
  it.each(rows)('%s', (_, config, of, expected) => expect(of(readModelConfig(config))).toEqual(expected));
});

describe('refused by name', () => {
  const rows: [string, unknown, string][] = [
    ['nothing', null, 'holds null'],
    ['a list', [], 'holds []'],
    ['no type', {}, 'lacks model_type'],
    ['a prototype name', { ...llama, model_type: 'toString' }, 'model_type "toString"'],
    [
      'GPT-2',
      { ...llama, model_type: 'gpt2' },
      'model_type "gpt2"; supported are llama, mistral, qwen2, qwen3, smollm3',
    ],
    ['Mixtral', { ...llama, model_type: 'mixtral' }, 'model_type "mixtral"'],
    ['Qwen2 MoE', { ...llama, model_type: 'qwen2_moe' }, 'model_type "qwen2_moe"'],
    ['experts', { ...llama, num_local_experts: 8 }, 'num_local_experts 8'],
    ['more experts', { ...llama, num_experts: 60 }, 'num_experts 60'],
    [
      'quantised weights',
      { ...llama, quantization_config: { quant_method: 'bitsandbytes' } },
      'quantization_config "bitsandbytes"',
    ],
    [
      'yarn',
      { ...llama, rope_scaling: { rope_type: 'yarn', factor: 4 } },
      'rope type "yarn"; supported are default, linear and llama3',
    ],
    ['dynamic', { ...llama, rope_scaling: { type: 'dynamic', factor: 4 } }, 'rope type "dynamic"'],
    ['longrope', { ...llama, rope_parameters: { rope_type: 'longrope' } }, 'rope type "longrope"'],
    [
      'rope of its own for each type',
      { ...llama, rope_parameters: { full_attention: { rope_theta: 1 } } },
      'for full_attention',
    ],
    ['linear rope without factor', { ...llama, rope_scaling: { type: 'linear' } }, 'lacks rope_scaling.factor'],
    [
      'llama3 without low frequencies',
      { ...llama, rope_scaling: { rope_type: 'llama3', factor: 8 } },
      'low_freq_factor',
    ],
    [
      'llama3 upside down',
      { ...llama, rope_scaling: { rope_type: 'llama3', ...llama3Rope, low_freq_factor: 5 } },
      'low_freq_factor 5',
    ],
    ['another activation', { ...llama, hidden_act: 'gelu' }, 'hidden_act "gelu"'],
    ['partial rotation', { ...llama, partial_rotary_factor: 0.5 }, 'partial_rotary_factor 0.5'],
    [
      'partial rotation inside',
      { ...llama, rope_parameters: { partial_rotary_factor: 0.5 } },
      'rope_parameters.partial_rotary_factor 0.5',
    ],
    ['partial rotation of an odd part', { ...phi3, partial_rotary_factor: 0.3 }, 'partial_rotary_factor 0.3'],
    [
      "Phi-3's longrope",
      { ...phi3, rope_scaling: { type: 'longrope', short_factor: [1], long_factor: [2] } },
      'rope type "longrope"',
    ],
    ['Gemma with another activation', { ...gemma2, hidden_activation: 'gelu' }, 'supported is gelu_pytorch_tanh'],
    ['Gemma 3 with capped scores', { ...gemma3, attn_logit_softcapping: 50 }, 'attn_logit_softcapping 50'],
    ['Gemma 3 that looks ahead', { ...gemma3, use_bidirectional_attention: true }, 'use_bidirectional_attention true'],
    ['Gemma 3 with images', { ...gemma3, model_type: 'gemma3' }, 'model_type "gemma3"; supported are'],
    ['Granite with experts', { ...granite, model_type: 'granitemoe' }, 'model_type "granitemoe"'],
    ['a cap of nothing', { ...gemma2, final_logit_softcapping: -1 }, 'final_logit_softcapping -1'],
    [
      'norms of nothing behind sublayers',
      { ...llama, model_type: 'olmo2', rms_norm_eps: 0 },
      'rms_norm_eps 0; supported is a positive number where norms follow sublayers',
    ],
    ['soft caps', { ...llama, attn_logit_softcapping: 50 }, 'attn_logit_softcapping 50'],
    ['scaled residuals', { ...llama, residual_multiplier: 0.22 }, 'residual_multiplier 0.22'],
    ['a classifier', { ...llama, architectures: ['LlamaForSequenceClassification'] }, 'architectures'],
    [
      'short layer_types',
      { ...llama, layer_types: ['full_attention'] },
      '1 entries in layer_types but num_hidden_layers 4',
    ],
    ['long no_rope_layers', { ...smollm3, no_rope_layers: [1, 1, 1, 1, 1] }, '5 entries in no_rope_layers'],
    [
      'an unknown layer type',
      { ...qwen2, layer_types: ['linear_attention', 'full_attention', 'full_attention', 'full_attention'] },
      'layer_types',
    ],
    ['no width', { ...llama, hidden_size: undefined }, 'lacks hidden_size; supported is a whole number'],
    ['a width of nothing', { ...llama, hidden_size: 0 }, 'hidden_size 0'],
    ['half a block', { ...llama, num_hidden_layers: 1.5 }, 'num_hidden_layers 1.5'],
    ['blocks without end', { ...llama, num_hidden_layers: 1e9 }, 'num_hidden_layers 1000000000'],
    ['a text as size', { ...llama, vocab_size: '100' }, 'vocab_size "100"'],
    ['a list of sizes', { ...llama, intermediate_size: [96, 96] }, 'intermediate_size [96,96]'],
    ['a list of key/value heads', { ...llama, num_key_value_heads: [2, 2, 4, 4] }, 'num_key_value_heads [2,2,4,4]'],
    ['three for four', { ...llama, num_key_value_heads: 3 }, 'num_attention_heads 4 and num_key_value_heads 3'],
    ['an odd head', { ...llama, head_dim: 5 }, 'head width of 5'],
    ['heads that do not divide', { ...llama, hidden_size: 66 }, 'which 4 heads do not divide'],
    ['a negative epsilon', { ...llama, rms_norm_eps: -1 }, 'rms_norm_eps -1'],
    ['weights elsewhere', { ...llama, transformers_weights: 'x.safetensors' }, 'transformers_weights'],
    ['an end in words', { ...llama, eos_token_id: '</s>' }, 'eos_token_id "</s>"'],
    ['a window of nothing', { ...mistral, sliding_window: 0 }, 'sliding_window 0'],
    ['two lines', { ...llama, model_type: 'a\nb' }, 'model_type "a\\nb"'],
  ];
  it.each(rows)('%s', (_, config, expected) => expect(refusal(config)).toContain(expected));
});

describe('the reference families', () => {
  it.each(readdirSync(families))('%s: new and old spelling mean the same', (name) => {
    const config = readModelConfig(json(join(families, name, 'config.json')));
    const old = join(families, name, 'config.old.json');
    if (existsSync(old)) expect(readModelConfig(json(old))).toEqual(config);
    expect(config.nBlocks).toBe(3);
  });
});

describe('weights', () => {
  it('of Llama-3.2-3B add up to what its authors say', () => {
    const shape = {
      hidden_size: 3072,
      intermediate_size: 8192,
      num_hidden_layers: 28,
      num_attention_heads: 24,
      num_key_value_heads: 8,
      vocab_size: 128256,
    };
    const config = readModelConfig({ model_type: 'llama', head_dim: 128, tie_word_embeddings: true, ...shape });
    expect(nParameters(config)).toBe(3_212_749_824);
    expect(weightShapes(config).size).toBe(28 * 9 + 2);
  });
  it('of Qwen3 have norms of heads, of Qwen2 biases', () => {
    const suffixes = (of: Record<string, unknown>) =>
      blockWeights(readModelConfig(of)).map(({ suffix, shape }) => `${suffix} [${shape}]`);
    expect(suffixes({ ...qwen3, head_dim: 16 })).toContain('self_attn.k_norm.weight [16]');
    expect(suffixes(qwen2).filter((name) => name.includes('bias'))).toEqual([
      'self_attn.q_proj.bias [64]',
      'self_attn.k_proj.bias [32]',
      'self_attn.v_proj.bias [32]',
    ]);
  });
});

// Configs of many published models, where the project's shared folder is at hand; their sizes are not ours to ship.
const presets = join(dataFolder, 'data/configs');
describe.skipIf(!available(presets))('published configs', () => {
  const accepted =
    /^(codellama|gemma2|gemma3_1b|llama[23]|mistral_7b|olmo2|qwen2(\.5)?(_[\d.b_]+)?\.json|qwen3|smollm|tinyllama|Llama-3\.2|SmolLM2)/;
  const refused: Record<string, RegExp> = {
    llama: /quantization_config "bitsandbytes"/,
    phi3: /rope type "longrope"/,
  };
  const files = (existsSync(presets) ? ['', 'mlc-presets'] : []).flatMap((folder) =>
    readdirSync(join(presets, folder))
      .filter((name) =>
        folder === '' ? name.endsWith('.config.json') && !name.includes('generation') : name.endsWith('.json'),
      )
      .map((name) => [name, join(presets, folder, name)] as const),
  );
  it.each(files.filter(([name]) => accepted.test(name)))('%s is supported', (_, file) =>
    expect(refusal(json(file))).toBe('accepted'),
  );
  it.each(files.filter(([name]) => !accepted.test(name)))('%s is refused', (_, file) => {
    const config = json(file);
    expect(refusal(config)).toMatch(refused[String(config.model_type)] ?? /has model_type/);
  });
});
