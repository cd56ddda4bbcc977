// The families of models that we compute: what transformers 5 assumes for each when config.json is silent, and how it
// says where the biases are and what differs from block to block. A new family is a row here and a row in its test.
import type { BlockConfig, ModelConfig } from './config';
import type { ConfigFields } from './configFields';

export interface Family {
  /** What transformers assumes where the key is absent. `null` for heads and head width: derived from the others. */
  readonly defaults: {
    readonly contextLength: number;
    readonly theta: number;
    readonly tiedEmbeddings: boolean;
    readonly nKeyValueHeads: number | null;
    readonly headWidth: number | null;
    readonly bosTokenId: number | null;
    readonly eosTokenIds: readonly number[];
  };
  readonly biases: (fields: ConfigFields) => ModelConfig['biases'];
  readonly queryKeyNorm: boolean;
  /** What block `k` does differently from its neighbours. */
  readonly block: (fields: ConfigFields, k: number) => Omit<BlockConfig, 'sublayers'>;
}

const noBiases = { qkv: false, attentionOutput: false, mlp: false };

const flaggedBiases = ({ attention_bias = false, mlp_bias = false }: ConfigFields) => ({
  qkv: attention_bias,
  attentionOutput: attention_bias,
  mlp: mlp_bias,
});

/** Qwen slides only when told so, and then in the blocks that `layer_types` names or from `max_window_layers` on. */
function qwenBlock(fields: ConfigFields, k: number): Omit<BlockConfig, 'sublayers'> {
  const { use_sliding_window = false, sliding_window = 4096, max_window_layers = 28, layer_types } = fields;
  const slides = layer_types ? layer_types[k] === 'sliding_attention' : k >= max_window_layers;
  return { rope: true, slidingWindow: use_sliding_window && slides ? sliding_window : null };
}

/** SmolLM3 leaves the rotation out of every fourth block; if it slides, then by default in exactly those blocks. */
function smollm3Block(fields: ConfigFields, k: number): Omit<BlockConfig, 'sublayers'> {
  const {
    use_sliding_window = false,
    sliding_window = null,
    no_rope_layer_interval = 4,
    no_rope_layers,
    layer_types,
  } = fields;
  const rope = no_rope_layers ? no_rope_layers[k] !== 0 : (k + 1) % no_rope_layer_interval !== 0;
  const slides = layer_types ? layer_types[k] === 'sliding_attention' : !rope;
  return { rope, slidingWindow: use_sliding_window && slides ? sliding_window : null };
}

export const families = {
  llama: {
    defaults: {
      contextLength: 2048,
      theta: 10_000,
      tiedEmbeddings: false,
      nKeyValueHeads: null,
      headWidth: null,
      bosTokenId: 1,
      eosTokenIds: [2],
    },
    biases: flaggedBiases,
    queryKeyNorm: false,
    block: () => ({ rope: true, slidingWindow: null }),
  },
  mistral: {
    defaults: {
      contextLength: 131_072,
      theta: 10_000,
      tiedEmbeddings: false,
      nKeyValueHeads: 8,
      headWidth: null,
      bosTokenId: 1,
      eosTokenIds: [2],
    },
    biases: () => noBiases,
    queryKeyNorm: false,
    block: ({ sliding_window = 4096 }) => ({ rope: true, slidingWindow: sliding_window }),
  },
  qwen2: {
    defaults: {
      contextLength: 32_768,
      theta: 10_000,
      tiedEmbeddings: false,
      nKeyValueHeads: 32,
      headWidth: null,
      bosTokenId: null,
      eosTokenIds: [],
    },
    biases: () => ({ qkv: true, attentionOutput: false, mlp: false }),
    queryKeyNorm: false,
    block: qwenBlock,
  },
  qwen3: {
    defaults: {
      contextLength: 32_768,
      theta: 10_000,
      tiedEmbeddings: false,
      nKeyValueHeads: 32,
      headWidth: 128,
      bosTokenId: null,
      eosTokenIds: [],
    },
    biases: (fields) => ({ ...flaggedBiases(fields), mlp: false }),
    queryKeyNorm: true,
    block: qwenBlock,
  },
  smollm3: {
    defaults: {
      contextLength: 32_768,
      theta: 2_000_000,
      tiedEmbeddings: true,
      nKeyValueHeads: 4,
      headWidth: null,
      bosTokenId: 128_000,
      eosTokenIds: [128_001],
    },
    biases: flaggedBiases,
    queryKeyNorm: false,
    block: smollm3Block,
  },
} satisfies Record<string, Family>;

type FamilyName = keyof typeof families;

export const isFamilyName = (name: unknown): name is FamilyName =>
  typeof name === 'string' && Object.hasOwn(families, name);
