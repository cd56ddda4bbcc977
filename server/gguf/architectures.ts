// The families that llama.cpp computes: how it calls them, which keys say what they are, and where it would compute something
// else than transformers does. Keys as in llama.cpp's converter (conversion/*.py), limits as in its src/models/*.cpp.
import type { ModelConfig } from '../model/config';
import { float32, type Keys, setText, uint32 } from './keys';
import type { VocabularyForm } from './vocabulary';

export interface ModelFacts {
  readonly config: ModelConfig;
  readonly configJson: Readonly<Record<string, unknown>>;
}

export interface Architecture {
  readonly name: string;
  readonly vocabulary: VocabularyForm;
  /** Each head's rows of queries and keys stand in pairs of neighbours, where transformers has them in halves. */
  readonly rotatesNeighbours: boolean;
  /** Its second norm of a block follows the attention instead of preceding the MLP. */
  readonly normsAfter: boolean;
  /** llama.cpp has no biases for it beyond those of the family. */
  readonly biases: 'all' | 'qkv' | 'none';
  readonly setKeys: (keys: Keys, facts: ModelFacts, set: SetKey) => void;
  /** What llama.cpp would compute otherwise, as the end of a sentence that begins with "llama.cpp"; null: nothing. */
  readonly refuses?: (facts: ModelFacts) => string | null;
}

/** Sets a key of the architecture: `context_length` becomes `llama.context_length`. */
type SetKey = (key: string, value: ReturnType<typeof uint32>) => void;

const llamaLike = (name: string, more?: Architecture['setKeys']): Architecture => ({
  name,
  vocabulary: 'llama',
  rotatesNeighbours: true,
  normsAfter: false,
  biases: 'all',
  setKeys(keys, facts, set) {
    setUsualKeys(keys, facts, set);
    set('vocab_size', uint32(facts.config.vocabularySize));
    set('rope.dimension_count', uint32(facts.config.headWidth));
    more?.(keys, facts, set);
  },
});

const qwenLike = (name: string): Architecture => ({
  name,
  vocabulary: 'sentencePieceOrBpe',
  rotatesNeighbours: false,
  normsAfter: false,
  biases: 'qkv',
  setKeys: setUsualKeys,
  refuses: refusesLlama3Rope,
});

export const architectures: Readonly<Record<string, Architecture>> = {
  llama: llamaLike('llama'),
  mistral: llamaLike('llama'),
  smollm3: {
    ...llamaLike('smollm3'),
    biases: 'qkv',
    refuses: (facts) =>
      refusesLlama3Rope(facts) ?? blocksThatDiffer(facts, ({ rope }) => rope === null, 4, 'leaves the rotation out of'),
  },
  granite: {
    ...llamaLike('granite', (_, { configJson }, set) => {
      set('attention.scale', float32(numberOr(configJson.attention_multiplier, 1)));
      set('embedding_scale', float32(numberOr(configJson.embedding_multiplier, 1)));
      set('residual_scale', float32(numberOr(configJson.residual_multiplier, 1)));
      set('logit_scale', float32(numberOr(configJson.logits_scaling, 1)));
    }),
    refuses: refusesOwnHeadWidth,
  },
  qwen2: qwenLike('qwen2'),
  qwen3: qwenLike('qwen3'),
  olmo2: {
    ...qwenLike('olmo2'),
    vocabulary: 'bpe',
    normsAfter: true,
    biases: 'none',
    refuses: (facts) =>
      refusesLlama3Rope(facts) ??
      refusesOwnHeadWidth(facts) ??
      (facts.config.tiedEmbeddings
        ? 'expects a head of its own of this family, but here the embedding is the head'
        : null),
  },
  phi3: {
    name: 'phi3',
    vocabulary: 'phi3',
    rotatesNeighbours: false,
    normsAfter: false,
    biases: 'none',
    setKeys(keys, { config, configJson }, set) {
      const { contextLength, width, mlpWidth, nBlocks, nHeads, nKeyValueHeads, normEpsilon, headWidth, form } = config;
      set('context_length', uint32(contextLength));
      set('rope.scaling.original_context_length', uint32(numberOr(configJson.original_max_position_embeddings, 4096)));
      set('embedding_length', uint32(width));
      set('feed_forward_length', uint32(mlpWidth));
      set('block_count', uint32(nBlocks));
      set('attention.head_count', uint32(nHeads));
      set('attention.head_count_kv', uint32(nKeyValueHeads));
      set('attention.layer_norm_rms_epsilon', float32(normEpsilon));
      set('rope.dimension_count', uint32(Math.floor(headWidth * form.rotaryShare)));
      set('rope.freq_base', float32(config.ropes[0]!.theta));
      setFileType(keys);
      set('attention.sliding_window', uint32(numberOr(configJson.sliding_window, 0)));
    },
    refuses: (facts) => refusesScaledRope(facts) ?? refusesOwnHeadWidth(facts),
  },
  gemma2: {
    name: 'gemma2',
    vocabulary: 'gemma2',
    rotatesNeighbours: false,
    normsAfter: true,
    biases: 'none',
    setKeys(keys, { config, configJson }, set) {
      const { contextLength, width, mlpWidth, nBlocks, nHeads, nKeyValueHeads, normEpsilon, headWidth, form } = config;
      set('context_length', uint32(contextLength));
      set('embedding_length', uint32(width));
      set('block_count', uint32(nBlocks));
      set('feed_forward_length', uint32(mlpWidth));
      set('attention.head_count', uint32(nHeads));
      set('attention.head_count_kv', uint32(nKeyValueHeads));
      set('attention.layer_norm_rms_epsilon', float32(normEpsilon));
      set('attention.key_length', uint32(headWidth));
      set('attention.value_length', uint32(headWidth));
      setFileType(keys);
      if (form.softCaps.attention !== null) set('attn_logit_softcapping', float32(form.softCaps.attention));
      if (form.softCaps.logits !== null) set('final_logit_softcapping', float32(form.softCaps.logits));
      set('attention.sliding_window', uint32(numberOr(configJson.sliding_window, gemmaWindow)));
    },
    refuses: (facts) =>
      refusesScaledRope(facts) ??
      (facts.config.ropes[0]!.theta === 10_000
        ? null
        : `rotates this family with a theta of 10000, not ${facts.config.ropes[0]!.theta}`) ??
      refusesOwnHead(facts) ??
      refusesOwnScale(facts, 46) ??
      blocksThatDiffer(facts, ({ slidingWindow }) => slidingWindow === null, 2, 'lets the window go in'),
  },
  gemma3_text: {
    name: 'gemma3',
    vocabulary: 'gemma3',
    rotatesNeighbours: false,
    normsAfter: true,
    biases: 'none',
    setKeys(keys, facts, set) {
      setUsualKeys(keys, facts, set);
      const { form } = facts.config;
      if (form.softCaps.logits !== null) set('final_logit_softcapping', float32(form.softCaps.logits));
      if (facts.configJson.sliding_window_pattern !== 1)
        set('attention.sliding_window', uint32(numberOr(facts.configJson.sliding_window, gemmaWindow)));
    },
    refuses: (facts) =>
      refusesLlama3Rope(facts) ??
      (facts.config.form.softCaps.logits === null ? null : 'caps no logits of this family') ??
      refusesOwnScale(facts, 62) ??
      blocksThatDiffer(facts, ({ slidingWindow }) => slidingWindow === null, 6, 'lets the window go in'),
  },
};

/** transformers' default for Gemma 2 and 3. */
const gemmaWindow = 4096;

const numberOr = (value: unknown, byDefault: number): number => (typeof value === 'number' ? value : byDefault);

/** The place of `general.file_type`, whose value the file's type decides. */
export const fileTypeKey = 'general.file_type';
const setFileType = (keys: Keys) => keys.set(fileTypeKey, uint32(0));

/** TextModel.set_gguf_parameters */
function setUsualKeys(keys: Keys, { config, configJson }: ModelFacts, set: SetKey): void {
  const [rope, slidingRope] = config.ropes;
  set('block_count', uint32(config.nBlocks));
  set('context_length', uint32(config.contextLength));
  set('embedding_length', uint32(config.width));
  set('feed_forward_length', uint32(config.mlpWidth));
  set('attention.head_count', uint32(config.nHeads));
  set('attention.head_count_kv', uint32(config.nKeyValueHeads));
  if (rope!.type === 'linear') {
    setText(keys, `${architectures[config.family]!.name}.rope.scaling.type`, 'linear');
    set('rope.scaling.factor', float32(rope!.factor));
  }
  set('rope.freq_base', float32(rope!.theta));
  if (slidingRope) set('rope.freq_base_swa', float32(slidingRope.theta));
  set('attention.layer_norm_rms_epsilon', float32(config.normEpsilon));
  const states = typeof configJson.head_dim === 'number' && config.family !== 'granite';
  if (statesHeadWidth.has(config.family) || states) {
    set('attention.key_length', uint32(config.headWidth));
    set('attention.value_length', uint32(config.headWidth));
  }
  setFileType(keys);
}

/** Families whose configuration in transformers has a head_dim, whatever config.json says. */
const statesHeadWidth: ReadonlySet<string> = new Set(['llama', 'mistral', 'qwen3', 'gemma3_text']);

function refusesLlama3Rope({ config }: ModelFacts): string | null {
  return config.ropes.some(({ type }) => type === 'llama3') ? 'scales no rotation of this family as llama3 does' : null;
}

function refusesScaledRope({ config }: ModelFacts): string | null {
  return config.ropes.some(({ type }) => type !== 'default') ? 'scales no rotation of this family' : null;
}

function refusesOwnHeadWidth({ config: { nHeads, headWidth, width } }: ModelFacts): string | null {
  if (nHeads * headWidth === width) return null;
  return `takes heads of this family for ${width / nHeads} wide, but these are ${headWidth} wide`;
}

function refusesOwnHead({ config }: ModelFacts): string | null {
  return config.tiedEmbeddings
    ? null
    : 'takes the embedding of this family for its head, but this model has a head of its own';
}

/** Queries are scaled by their head's width, but in the largest model, which it knows by the number of its blocks. */
function refusesOwnScale({ config }: ModelFacts, blocksOfLargest: number): string | null {
  const { nBlocks, width, nHeads, headWidth, form } = config;
  const divided = nBlocks === blocksOfLargest ? Math.floor(width / nHeads) : headWidth;
  const own = (form.scales.attention ?? 1) ** -2;
  if (Math.abs(own / divided - 1) < 1e-6) return null;
  return `divides queries by the root of ${divided} in a model of this family with ${nBlocks} blocks, not by that of query_pre_attn_scalar ${Number(own.toPrecision(6))}`;
}

type Block = ModelConfig['blocks'][number];

/** Every so-manieth block differs from the others, counted from the first. */
function blocksThatDiffer(
  { config }: ModelFacts,
  differs: (block: Block) => boolean,
  every: number,
  does: string,
): string | null {
  const wrong = config.blocks.findIndex((block, k) => differs(block) !== ((k + 1) % every === 0));
  if (wrong < 0) return null;
  const has = differs(config.blocks[wrong]!) ? 'is such a one' : 'is none';
  return `${does} every block whose number, counted from 1, is a multiple of ${every}, but here block ${wrong} (counted from 0) ${has}; drop blocks in such a way that the pattern stays`;
}
