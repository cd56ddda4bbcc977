// Which of transformers' classes opens a tokenizer, and what the class builds. Most take tokenizer.json as it is; some take
// only its vocabulary and merges, and write the other parts themselves. As AutoTokenizer of transformers 5.24 does it.
import { UserError } from '../errors';
import { rowOf } from '../shared/rowOf';
import type { TokenizerJson, TokenizerPart } from './tokenizerJson';

/** What tokenizer_config.json says to a class. */
export interface ClassOptions {
  readonly addPrefixSpace: boolean | null | undefined;
  readonly legacy: boolean | null | undefined;
  readonly unkToken: string;
}

type Parts = Pick<TokenizerJson, 'normalizer' | 'pre_tokenizer' | 'decoder'>;

export interface TokenizerClass {
  /** Special tokens of a tokenizer_config.json that does not name them; null: none. */
  readonly tokens: Readonly<Record<string, string | null>>;
  /** What else it sets in the BPE model beside vocabulary and merges. */
  readonly model: (options: ClassOptions) => Readonly<Record<string, unknown>>;
  readonly parts: (options: ClassOptions) => Parts;
  /** What stands around a text: what tokenizer.json says, nothing, or the bos token before it. */
  readonly frame: 'file' | 'none' | 'bos';
  /** Special tokens are added a second time, with the flags that a bare string has. */
  readonly addsTwice?: true;
  /** Named tokens of its own, which count as extra special tokens too. */
  readonly ownTokens?: Readonly<Record<string, string>>;
}

const byteLevel = (addPrefixSpace: boolean, useRegex = true): TokenizerPart => ({
  type: 'ByteLevel',
  add_prefix_space: addPrefixSpace,
  trim_offsets: true,
  use_regex: useRegex,
});
const nfc: TokenizerPart = { type: 'NFC' };
const sequence = (key: string, parts: TokenizerPart[]): TokenizerPart => ({ type: 'Sequence', [key]: parts });
const replace = (from: string, to: string): TokenizerPart => ({
  type: 'Replace',
  pattern: { String: from },
  content: to,
});
const bytesAndSpaces = [replace('\u2581', ' '), { type: 'ByteFallback' }, { type: 'Fuse' }];
const stripFirstSpace = { type: 'Strip', content: ' ', start: 1, stop: 0 };
const metaspace = (scheme: 'always' | 'first' | 'never'): TokenizerPart => ({
  type: 'Metaspace',
  replacement: '\u2581',
  prepend_scheme: scheme,
  split: false,
});
const qwenPattern =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

const endOfText = '<|endoftext|>';
const plainBpe = { continuing_subword_prefix: '', end_of_word_suffix: '', fuse_unk: false, byte_fallback: false };
const sentencePieceBpe = { fuse_unk: true, byte_fallback: true };
const sentencePieceTokens = { unk_token: '<unk>', bos_token: '<s>', eos_token: '</s>' };

/** The classes that build a tokenizer themselves. */
const classes: Readonly<Record<string, TokenizerClass>> = {
  LlamaTokenizer: {
    tokens: sentencePieceTokens,
    model: () => sentencePieceBpe,
    parts: ({ addPrefixSpace, legacy = false }) => ({
      normalizer: null,
      pre_tokenizer: metaspace(!(addPrefixSpace ?? true) ? 'never' : legacy ? 'always' : 'first'),
      decoder: sequence('decoders', [...bytesAndSpaces, ...((addPrefixSpace ?? true) ? [stripFirstSpace] : [])]),
    }),
    frame: 'file',
  },
  CodeLlamaTokenizer: {
    tokens: sentencePieceTokens,
    model: ({ unkToken }) => ({ ...sentencePieceBpe, unk_token: unkToken }),
    parts: ({ addPrefixSpace }) => ({
      normalizer: null,
      pre_tokenizer: metaspace((addPrefixSpace ?? true) ? 'first' : 'never'),
      decoder: sequence('decoders', [...bytesAndSpaces, stripFirstSpace]),
    }),
    frame: 'bos',
    ownTokens: {
      prefix_token: '\u2581<PRE>',
      middle_token: '\u2581<MID>',
      suffix_token: '\u2581<SUF>',
      eot_token: '\u2581<EOT>',
      fill_token: '<FILL_ME>',
    },
  },
  GemmaTokenizer: {
    tokens: {
      unk_token: '<unk>',
      bos_token: '<bos>',
      eos_token: '<eos>',
      pad_token: '<pad>',
      mask_token: '<mask>',
    },
    model: ({ unkToken }) => ({ ...sentencePieceBpe, unk_token: unkToken }),
    parts: () => ({
      normalizer: replace(' ', '\u2581'),
      pre_tokenizer: { type: 'Split', pattern: { String: ' ' }, behavior: 'MergedWithPrevious', invert: false },
      decoder: sequence('decoders', bytesAndSpaces),
    }),
    frame: 'file',
  },
  Qwen2Tokenizer: {
    tokens: { unk_token: endOfText, bos_token: null, eos_token: endOfText, pad_token: endOfText },
    model: () => plainBpe,
    parts: ({ addPrefixSpace }) => ({
      normalizer: nfc,
      pre_tokenizer: sequence('pretokenizers', [
        { type: 'Split', pattern: { Regex: qwenPattern }, behavior: 'Isolated', invert: false },
        byteLevel(addPrefixSpace ?? false, false),
      ]),
      decoder: byteLevel(true),
    }),
    frame: 'file',
    addsTwice: true,
  },
  GPT2Tokenizer: {
    tokens: { unk_token: endOfText, bos_token: endOfText, eos_token: endOfText, pad_token: null },
    model: () => plainBpe,
    parts: ({ addPrefixSpace }) => ({
      normalizer: null,
      pre_tokenizer: byteLevel(addPrefixSpace ?? false),
      decoder: byteLevel(true),
    }),
    frame: 'file',
  },
  GPTNeoXTokenizer: {
    tokens: { unk_token: endOfText, bos_token: endOfText, eos_token: endOfText, pad_token: '<|padding|>' },
    model: () => plainBpe,
    parts: ({ addPrefixSpace }) => ({
      normalizer: nfc,
      pre_tokenizer: byteLevel(addPrefixSpace ?? false),
      decoder: byteLevel(true),
    }),
    frame: 'none',
  },
};

// The class of a model's type, where tokenizer_config.json may name another one. `overrides`: what it names is known to be
// wrong for the type. Types that are missing have no class of their own.
const ofModelType: Readonly<Record<string, { name: string; overrides?: true }>> = {
  mistral: { name: 'TokenizersBackend' },
  qwen2: { name: 'Qwen2Tokenizer', overrides: true },
  qwen3: { name: 'Qwen2Tokenizer' },
  gemma2: { name: 'GemmaTokenizer' },
  gemma3_text: { name: 'GemmaTokenizer' },
  phi3: { name: 'TokenizersBackend', overrides: true },
  olmo2: { name: 'TokenizersBackend' },
  granite: { name: 'TokenizersBackend' },
};

// Names with code of their own in transformers 5.24, each with Tokenizer behind it. Every other name takes tokenizer.json.
const withOtherCode = new Set(
  `Albert Bart Barthez Bartpho Bert BertGeneration BertJapanese Bertweet BigBird BioGpt Blenderbot BlenderbotSmall ByT5 CLIP
  CTRL Camembert Canine Clvp CodeGen Cohere CpmAnt Cpm DPRContextEncoder DPRQuestionEncoder DPRReader Deberta DebertaV2 Dia
  DistilBert Esm Esmc FSMT FastSpeech2Conformer Flaubert Funnel GPTNeoXJapanese GPTSw3 Herbert LED Lasr LayoutLMv2 LayoutLMv3
  LayoutXLM Luke Lxmert M2M100 MBart50 MBart MLuke MPNet Marian MarkupLM Mgpstr MobileBert Mvp MyT5 Nllb Nougat OpenAIGPT
  PLBart Pegasus Perceiver Phobert Pop2Piano ProphetNet Qwen3_5 Rag Reformer RemBert RoCBert RoFormer Roberta SeamlessM4T
  Siglip Siglip2 Speech2Text SpeechT5 Splinter SqueezeBert T5 Tapas Tipsv2 Udop VideoPrism Vits Wav2Vec2CTC
  Wav2Vec2PhonemeCTC Whisper XGLM XLM XLMRoberta XLNet`
    .split(/\s+/)
    .map((name) => `${name}Tokenizer`),
);

// These take tokenizer.json as any other name does, and are known to transformers.
const withoutCode = new Set([
  'TokenizersBackend',
  'PreTrainedTokenizer',
  'BloomTokenizer',
  'ConvBertTokenizer',
  'FNetTokenizer',
]);

/** What AutoTokenizer looks at. `named`: the tokenizer_class of tokenizer_config.json, or else of config.json. */
export interface ClassQuestion {
  readonly named: string | null;
  readonly modelType: string | null;
  /** The word ByteLevel stands in tokenizer.json. */
  readonly isByteLevel: boolean;
  /** tokenizer_config.json names code of its own, which is not run here. */
  readonly hasCode: boolean;
}

/**
 * null: tokenizer.json is taken as it is.
 * @throws UserError unsupportedModel for a class whose code we do not have
 */
export function tokenizerClassOf(question: ClassQuestion): TokenizerClass | null {
  const name = classNameOf(question);
  const isKnown = rowOf(classes, name) !== undefined || withOtherCode.has(name) || withoutCode.has(name);
  if (question.hasCode && !isKnown && !registeredFor(question.modelType))
    throw new UserError(
      'unsupportedModel',
      'tokenizer_config.json names code of its own (auto_map), and nothing in a model folder is ever executed; ' +
        'if tokenizer.json holds all of the tokenizer, remove auto_map from tokenizer_config.json.',
    );
  if (!withOtherCode.has(name)) return rowOf(classes, name) ?? null;
  throw new UserError(
    'unsupportedModel',
    `The tokenizer is a ${name}, which transformers builds by code that Espalier does not have; ` +
      'if tokenizer.json holds all of it, set tokenizer_class in tokenizer_config.json to PreTrainedTokenizerFast.',
  );
}

function classNameOf({ named, modelType, isByteLevel, hasCode }: ClassQuestion): string {
  const backend = 'TokenizersBackend';
  const registered = registeredFor(modelType);
  const hub = named?.replace(/Fast$/, '') ?? null;
  if (hub === null) return registered?.name ?? backend;
  if (hasCode) return hub;
  // Llama 3's files name LLaMA's class, which would write spaces in SentencePiece's way.
  if (hub === 'LlamaTokenizer' && !registered?.overrides && isByteLevel) return backend;
  if (registered === null || registered.name === hub) return hub;
  if (registered.name === backend) return backend;
  return registered.overrides ? registered.name : hub;
}

const registeredFor = (modelType: string | null) => (modelType !== null && rowOf(ofModelType, modelType)) || null;

/** tokenizer.json as the class writes it: its vocabulary and merges, no added tokens, everything else the class's own. */
export function rebuiltJson(json: TokenizerJson, by: TokenizerClass, options: ClassOptions): TokenizerJson {
  const { vocab, merges } = json.model;
  return {
    ...json,
    added_tokens: [],
    ...by.parts(options),
    post_processor: by.frame === 'file' ? json.post_processor : null,
    model: { type: 'BPE', dropout: null, ...by.model(options), vocab: byToken(vocab), merges: merges ?? [] },
  };
}

/** A vocabulary as Unigram writes it, [token, score] by id, becomes one of ids by token. */
const byToken = (vocab: unknown): unknown =>
  Array.isArray(vocab)
    ? Object.fromEntries(vocab.map((entry: unknown, id) => [Array.isArray(entry) ? entry[0] : entry, id]))
    : vocab;
