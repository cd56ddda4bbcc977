// The families of models that we compute: what transformers 5 assumes for each when config.json is silent, and how it
// says where the biases are and what differs from block to block. A new family is a row here and a row in its test.
import type { BlockConfig, ModelConfig, ModelForm } from './config';
import type { ConfigFields, FormField } from './configFields';

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
    /** Default: 1e-6. */
    readonly normEpsilon?: number;
    /** Sliding blocks rotate by a rope of their own (ropes[1]), with this theta. */
    readonly slidingTheta?: number;
  };
  readonly biases: (fields: ConfigFields) => ModelConfig['biases'];
  /** In what its blocks and head differ from LLaMA's. */
  readonly form?: (fields: ConfigFields) => Partial<ModelForm>;
  /** Keys of config.json that it reads beside those that all may state. */
  readonly reads?: readonly FormField[];
  /** What block `k` does differently from its neighbours. */
  readonly block: (fields: ConfigFields, k: number) => FamilyBlock;
  /** Keys that a pruned model's config.json has to state, since their defaults count blocks by the old numbers. */
  readonly spelledOut?: (fields: ConfigFields) => Record<string, unknown>;
}

type FamilyBlock = Omit<BlockConfig, 'sublayers'>;

const noBiases = { qkv: false, attentionOutput: false, mlp: false };

const flaggedBiases = ({ attention_bias = false, mlp_bias = false }: ConfigFields) => ({
  qkv: attention_bias,
  attentionOutput: attention_bias,
  mlp: mlp_bias,
});

/** Qwen slides only when told so, and then in the blocks that `layer_types` names or from `max_window_layers` on. */
function qwenBlock(fields: ConfigFields, k: number): FamilyBlock {
  const { use_sliding_window = false, sliding_window = 4096, max_window_layers = 28, layer_types } = fields;
  const slides = layer_types ? layer_types[k] === 'sliding_attention' : k >= max_window_layers;
  return { rope: 0, slidingWindow: use_sliding_window && slides ? sliding_window : null };
}

/** SmolLM3 leaves the rotation out of every fourth block; if it slides, then by default in exactly those blocks. */
function smollm3Block(fields: ConfigFields, k: number): FamilyBlock {
  const {
    use_sliding_window = false,
    sliding_window = null,
    no_rope_layer_interval = 4,
    no_rope_layers,
    layer_types,
  } = fields;
  const rotates = no_rope_layers ? no_rope_layers[k] !== 0 : (k + 1) % no_rope_layer_interval !== 0;
  const slides = layer_types ? layer_types[k] === 'sliding_attention' : !rotates;
  return { rope: rotates ? 0 : null, slidingWindow: use_sliding_window && slides ? sliding_window : null };
}

/** The list of layer types, where it is absent and some block slides. */
function layerTypes(fields: ConfigFields, block: Family['block']): { layer_types?: string[] } {
  const ranges = blockNumbers(fields).map((k) => block(fields, k).slidingWindow);
  if (fields.layer_types || ranges.every((range) => range === null)) return {};
  return { layer_types: ranges.map((range) => (range === null ? 'full_attention' : 'sliding_attention')) };
}

function qwenSpelledOut(fields: ConfigFields): Record<string, unknown> {
  // Once absent, its default counts in the old numbers too.
  const counts = fields.use_sliding_window === true && fields.max_window_layers === undefined;
  return { ...layerTypes(fields, qwenBlock), ...(counts && { max_window_layers: 28 }) };
}

function smollm3SpelledOut(fields: ConfigFields): Record<string, unknown> {
  const rotates = blockNumbers(fields).map((k) => (smollm3Block(fields, k).rope === null ? 0 : 1));
  return { ...layerTypes(fields, smollm3Block), ...(!fields.no_rope_layers && { no_rope_layers: rotates }) };
}

/** Gemma's blocks slide, but for every second (Gemma 2) or sixth (Gemma 3). */
const gemmaLayerTypes = (fields: ConfigFields, everyFull: number): readonly string[] =>
  fields.layer_types ??
  blockNumbers(fields).map((k) => ((k + 1) % everyFull === 0 ? 'full_attention' : 'sliding_attention'));

const gemma3Pattern = ({ sliding_window_pattern, _sliding_window_pattern }: ConfigFields) =>
  sliding_window_pattern ?? _sliding_window_pattern ?? 6;

const gemmaSlides = (fields: ConfigFields, everyFull: number, k: number) =>
  gemmaLayerTypes(fields, everyFull)[k] === 'sliding_attention';

const gemmaWindow = ({ sliding_window = 4096 }: ConfigFields, slides: boolean) => (slides ? sliding_window : null);

const blockNumbers = ({ num_hidden_layers }: ConfigFields) => Array.from({ length: num_hidden_layers }, (_, k) => k);

/** Norms before and after each sublayer, all times (1 + weight); embeddings times sqrt(D). */
const gemmaForm = ({ hidden_size, query_pre_attn_scalar = 256, ...fields }: ConfigFields) => ({
  norms: {
    attention: { before: 'input_layernorm', after: 'post_attention_layernorm' },
    mlp: { before: 'pre_feedforward_layernorm', after: 'post_feedforward_layernorm' },
  },
  normAddsOne: true,
  activation: 'geluTanh' as const,
  scales: { attention: query_pre_attn_scalar ** -0.5, embedding: Math.sqrt(hidden_size), residual: 1, logits: 1 },
  softCaps: { attention: null, logits: fields.final_logit_softcapping ?? null },
});

const gemmaReads = ['hidden_act', 'hidden_activation', 'query_pre_attn_scalar', 'final_logit_softcapping'] as const;

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
    block: () => ({ rope: 0, slidingWindow: null }),
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
    block: ({ sliding_window = 4096 }) => ({ rope: 0, slidingWindow: sliding_window }),
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
    block: qwenBlock,
    spelledOut: qwenSpelledOut,
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
    form: () => ({ queryKeyNorm: 'head' }),
    block: qwenBlock,
    spelledOut: qwenSpelledOut,
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
    block: smollm3Block,
    spelledOut: smollm3SpelledOut,
  },
  granite: {
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
    reads: ['attention_multiplier', 'embedding_multiplier', 'residual_multiplier', 'logits_scaling'],
    form: (fields) => ({
      scales: {
        attention: fields.attention_multiplier ?? 1,
        embedding: fields.embedding_multiplier ?? 1,
        residual: fields.residual_multiplier ?? 1,
        logits: 1 / (fields.logits_scaling ?? 1),
      },
    }),
    block: () => ({ rope: 0, slidingWindow: null }),
  },
  olmo2: {
    defaults: {
      contextLength: 2048,
      theta: 10_000,
      tiedEmbeddings: false,
      nKeyValueHeads: null,
      headWidth: null,
      bosTokenId: null,
      eosTokenIds: [50_279],
      normEpsilon: 1e-5,
    },
    biases: (fields) => ({ ...flaggedBiases(fields), mlp: false }),
    form: () => ({
      norms: {
        attention: { before: null, after: 'post_attention_layernorm' },
        mlp: { before: null, after: 'post_feedforward_layernorm' },
      },
      queryKeyNorm: 'allHeads',
    }),
    block: () => ({ rope: 0, slidingWindow: null }),
  },
  phi3: {
    defaults: {
      contextLength: 4096,
      theta: 10_000,
      tiedEmbeddings: false,
      nKeyValueHeads: null,
      headWidth: null,
      bosTokenId: 1,
      eosTokenIds: [32_000],
      normEpsilon: 1e-5,
    },
    biases: () => noBiases,
    reads: ['partial_rotary_factor'],
    form: () => ({ fusedProjections: true }),
    block: ({ sliding_window = null }) => ({ rope: 0, slidingWindow: sliding_window }),
  },
  gemma2: {
    defaults: {
      contextLength: 8192,
      theta: 10_000,
      tiedEmbeddings: true,
      nKeyValueHeads: 4,
      headWidth: 256,
      bosTokenId: 2,
      eosTokenIds: [1],
    },
    biases: (fields) => ({ ...flaggedBiases(fields), mlp: false }),
    reads: [...gemmaReads, 'attn_logit_softcapping'],
    form: ({ attn_logit_softcapping = 50, final_logit_softcapping = 30, ...fields }) => ({
      ...gemmaForm(fields),
      softCaps: { attention: attn_logit_softcapping, logits: final_logit_softcapping },
    }),
    block: (fields, k) => ({ rope: 0, slidingWindow: gemmaWindow(fields, gemmaSlides(fields, 2, k)) }),
    spelledOut: (fields) => ({ layer_types: gemmaLayerTypes(fields, 2) }),
  },
  gemma3_text: {
    defaults: {
      contextLength: 131_072,
      theta: 1_000_000,
      slidingTheta: 10_000,
      tiedEmbeddings: true,
      nKeyValueHeads: 4,
      headWidth: 256,
      bosTokenId: 2,
      eosTokenIds: [1],
    },
    biases: (fields) => ({ ...flaggedBiases(fields), mlp: false }),
    reads: [...gemmaReads, 'rope_local_base_freq', 'sliding_window_pattern', '_sliding_window_pattern'],
    form: (fields) => ({ ...gemmaForm(fields), queryKeyNorm: 'head' }),
    block(fields, k) {
      const slides = gemmaSlides(fields, gemma3Pattern(fields), k);
      return { rope: slides ? 1 : 0, slidingWindow: gemmaWindow(fields, slides) };
    },
    spelledOut: (fields) => ({ layer_types: gemmaLayerTypes(fields, gemma3Pattern(fields)) }),
  },
} satisfies Record<string, Family>;

type FamilyName = keyof typeof families;

export const isFamilyName = (name: unknown): name is FamilyName =>
  typeof name === 'string' && Object.hasOwn(families, name);
