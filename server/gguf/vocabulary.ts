// The tokens of a model in a GGUF file: a byte-level BPE by the name of its pre-tokenizer, or a vocabulary of SentencePiece
// with scores, as llama.cpp's converter writes them (conversion/base.py and the files of the families).
import { join } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { isFile } from '../checkpoint/folder';
import { UserError } from '../errors';
import { readInside, readTextInside } from '../files/contained';
import { isRecord } from '../shared/records';
import { badTokenizer } from '../tokenizer/folderFiles';
import { readTemplates } from '../tokenizer/templateFiles';
import { openTokenizer, type Tokenizer } from '../tokenizer/tokenizer';
import type { Vocabulary } from '../tokenizer/vocabulary';
import { bool, type Keys, setList, setText, uint32 } from './keys';
import { checkText, preTokenizerOf } from './preTokenizers';
import { type Piece, type PieceType, pieceTypes, readPieces } from './sentencePiece';
import { mergesOf, setSpecialTokens, type SpecialTokenFiles } from './specialTokens';

/** How a family's vocabulary is looked for. */
export type VocabularyForm = 'llama' | 'sentencePieceOrBpe' | 'bpe' | 'gemma2' | 'gemma3' | 'phi3';

type Json = Readonly<Record<string, unknown>>;

interface Files extends SpecialTokenFiles {
  readonly folder: string;
  readonly pieces: readonly Piece[] | null;
  readonly addedTokens: Json | null;
}

/** Of a checkpoint. */
export type VocabularySource = Pick<Checkpoint, 'folder' | 'configJson'> & {
  readonly config: Pick<Checkpoint['config'], 'vocabularySize'>;
};

export interface VocabularyFacts {
  /** llama.cpp's name for how texts are cut; `default` for SentencePiece. */
  readonly preTokenizer: string;
  /** SentencePiece without scores: the folder has no tokenizer.model, and llama.cpp may cut texts in other ways. */
  readonly scoresMissing: boolean;
}

/** @throws UserError `unsupportedModel` for a vocabulary that llama.cpp does not know */
export async function setVocabulary(
  keys: Keys,
  form: VocabularyForm,
  checkpoint: VocabularySource,
): Promise<VocabularyFacts> {
  const files = await readFiles(checkpoint);
  const nTokens = checkpoint.config.vocabularySize;
  const { tokenizerConfig, pieces } = files;
  if (form === 'llama' && typeof tokenizerConfig?.add_prefix_space === 'boolean')
    keys.set(addSpacePrefix, bool(tokenizerConfig.add_prefix_space));
  const asked =
    form === 'bpe' || (form === 'phi3' && tokenizerConfig?.tokenizer_class === 'GPT2Tokenizer') ? 'bpe' : form;
  const facts =
    asked !== 'bpe' && pieces
      ? setPieces(keys, files, pieces, { nTokens, isPhi3: form === 'phi3' })
      : asked === 'gemma2' || asked === 'phi3'
        ? refuseWithoutPieces(files.folder)
        : await setFromTokenizer(keys, files, { nTokens, mayLackScores: form === 'llama' });
  if (form === 'gemma2' || (form === 'gemma3' && pieces)) keys.set(addSpacePrefix, bool(false));
  // Of CodeLlama, and of Granite's small models, which are LLaMAs.
  if (form === 'llama' && nTokens === 32_016) keys.set('tokenizer.ggml.eot_token_id', uint32(32_010));
  if (form === 'llama' && nTokens === 49_152) keys.set('tokenizer.ggml.add_bos_token', bool(false));
  return facts;
}

const addSpacePrefix = 'tokenizer.ggml.add_space_prefix';

function refuseWithoutPieces(folder: string): never {
  throw new UserError(
    'unsupportedModel',
    `There is no tokenizer.model in ${folder}, from which llama.cpp takes this family's vocabulary; add that of the original model.`,
  );
}

async function readFiles({ folder, configJson }: VocabularySource): Promise<Files> {
  const json = async (name: string): Promise<Json | null> => {
    if (!(await isFile(join(folder, name)))) return null;
    const text = await readTextInside(folder, name);
    try {
      const said: unknown = JSON.parse(text);
      return isRecord(said) ? said : null;
    } catch {
      throw badTokenizer(folder, name, 'it is not valid JSON');
    }
  };
  const hasPieces = await isFile(join(folder, 'tokenizer.model'));
  return {
    folder,
    pieces: hasPieces ? readPieces(await readInside(folder, 'tokenizer.model'), join(folder, 'tokenizer.model')) : null,
    tokenizer: await json('tokenizer.json'),
    tokenizerConfig: await json('tokenizer_config.json'),
    addedTokens: await json('added_tokens.json'),
    config: configJson,
    templates: templatesOf(await readTemplates(folder, null)),
  };
}

/** One template alone is no list. */
const templatesOf = (found: unknown): unknown =>
  Array.isArray(found) && found.length === 1 && found[0].name === 'default' ? found[0].template : found;

interface Token {
  text: string;
  score: number;
  type: PieceType;
}

interface PieceOptions {
  readonly nTokens: number;
  readonly isPhi3: boolean;
}

function setPieces(
  keys: Keys,
  files: Files,
  pieces: readonly Piece[],
  { nTokens, isPhi3 }: PieceOptions,
): VocabularyFacts {
  const tokens = Array.from({ length: nTokens }, (_, id): Token => unusedToken(id));
  for (const [id, { text, score, type }] of pieces.slice(0, nTokens).entries())
    tokens[id] = { text, score, type: type === pieceTypes.userDefined ? pieceTypes.normal : type };
  const put = (id: number, text: string, type: PieceType) => {
    if (id >= 0 && id < nTokens) tokens[id] = { text, score: addedScore, type };
  };
  for (const [text, id] of Object.entries(files.addedTokens ?? {}))
    if (typeof id === 'number') put(id, text, pieceTypes.userDefined);
  const decoder = files.tokenizerConfig?.added_tokens_decoder;
  const listed = isPhi3 && Array.isArray(files.tokenizer?.added_tokens) ? files.tokenizer.added_tokens : [];
  const added = [
    ...Object.entries(isRecord(decoder) ? decoder : {}).map(([id, token]) => ({ id: Number(id), token })),
    ...listed.filter(isRecord).map((token) => ({ id: Number(token.id), token })),
  ];
  for (const { id, token } of added) {
    if (!isRecord(token) || typeof token.content !== 'string') continue;
    const isControl = Boolean(token.special) || (!isPhi3 && looksSpecial(token.content));
    const text = isControl || isPhi3 ? token.content : token.content.replaceAll('\u2581', ' ');
    put(id, text, isControl ? pieceTypes.control : pieceTypes.userDefined);
  }
  setSentencePiece(keys, tokens);
  setSpecialTokens(keys, files, tokens.length);
  return { preTokenizer: 'default', scoresMissing: false };
}

const addedScore = -1000;
const unusedToken = (id: number): Token => ({ text: `[PAD${id}]`, score: -10_000, type: pieceTypes.unused });

function setSentencePiece(keys: Keys, tokens: readonly Token[]): void {
  setText(keys, 'tokenizer.ggml.model', 'llama');
  setText(keys, 'tokenizer.ggml.pre', 'default');
  setList(
    keys,
    'tokenizer.ggml.tokens',
    'string',
    tokens.map(({ text }) => text),
  );
  setList(
    keys,
    'tokenizer.ggml.scores',
    'float32',
    tokens.map(({ score }) => score),
  );
  setList(
    keys,
    'tokenizer.ggml.token_type',
    'int32',
    tokens.map(({ type }) => type),
  );
}

/** Some models mark tokens that control them as if they were words. */
const looksSpecial = (text: string): boolean =>
  ['<pad>', '<mask>', '<2mass>', '[@BOS@]'].includes(text) ||
  (text.startsWith('<|') && text.endsWith('|>')) ||
  (text.startsWith('<\uff5c') && text.endsWith('\uff5c>')) ||
  (text.startsWith('<unused') && text.endsWith('>'));

interface BpeOptions {
  readonly nTokens: number;
  /** A vocabulary of SentencePiece may be taken from tokenizer.json, which has no scores. */
  readonly mayLackScores: boolean;
}

async function setFromTokenizer(
  keys: Keys,
  files: Files,
  { nTokens, mayLackScores }: BpeOptions,
): Promise<VocabularyFacts> {
  const tokenizer = await openTokenizer(files.folder);
  const vocabulary = tokenizer.vocabulary();
  const { largestId } = vocabulary;
  if (largestId >= nTokens)
    throw new UserError(
      'unsupportedModel',
      `The tokenizer in ${files.folder} has a token ${largestId}, but the model only ${nTokens} of them, which llama.cpp does not open; take the tokenizer of this model.`,
    );
  if (mayLackScores && isSentencePiece(files.tokenizer)) {
    setSentencePiece(keys, tokensWithoutScores(vocabulary, nTokens));
    setSpecialTokens(keys, files, nTokens);
    return { preTokenizer: 'default', scoresMissing: true };
  }
  return setBpe(keys, files, { tokenizer, vocabulary, nTokens });
}

/** tokenizer.json of a BPE with bytes to fall back to, as converters from SentencePiece write it. */
function isSentencePiece(tokenizer: Json | null): boolean {
  const [model, decoder] = [tokenizer?.model, tokenizer?.decoder];
  if (!isRecord(model) || !isRecord(decoder)) return false;
  return model.type === 'BPE' && model.byte_fallback === true && decoder.type === 'Sequence';
}

function tokensWithoutScores({ tokens, nBaseTokens, added, specialIds }: Vocabulary, nTokens: number): Token[] {
  return Array.from({ length: nTokens }, (_, id) => {
    const text = tokens.get(id);
    if (text === undefined) return unusedToken(id);
    const isByte = id < nBaseTokens && /^<0x[0-9A-Fa-f]{2}>$/.test(text);
    const plain = id >= nBaseTokens && added.has(id) ? pieceTypes.userDefined : pieceTypes.normal;
    const type = isByte ? pieceTypes.byte : specialIds.has(id) ? pieceTypes.control : plain;
    return { text, score: addedScore, type };
  });
}

interface Bpe {
  readonly tokenizer: Tokenizer;
  readonly vocabulary: Vocabulary;
  readonly nTokens: number;
}

async function setBpe(
  keys: Keys,
  files: Files,
  { tokenizer, vocabulary: { tokens, added }, nTokens }: Bpe,
): Promise<VocabularyFacts> {
  const preTokenizer = preTokenizerOf(await tokenizer.encode(checkText, { addSpecialTokens: true }));
  if (preTokenizer === null)
    throw new UserError(
      'unsupportedModel',
      `llama.cpp does not know how the tokenizer in ${files.folder} cuts texts, so no GGUF file can be made of it; its converter refuses it as well.`,
    );
  const [texts, types]: [string[], PieceType[]] = [[], []];
  for (let id = 0; id < nTokens; id++) {
    const token = tokens.get(id);
    const flags = added.get(id);
    if (token === undefined || !flags) {
      texts.push(token ?? `[PAD${id}]`);
      types.push(token === undefined ? pieceTypes.unused : pieceTypes.normal);
      continue;
    }
    // llama.cpp takes added tokens for normalized ones.
    const text = flags.normalized
      ? token
      : await tokenizer.decode(await tokenizer.encode(token, { addSpecialTokens: false }), {
          skipSpecialTokens: false,
        });
    const isControl = flags.special || looksSpecial(text);
    texts.push(isControl ? text : text.replaceAll('\u2581', ' '));
    types.push(isControl ? pieceTypes.control : pieceTypes.userDefined);
  }
  setText(keys, 'tokenizer.ggml.model', 'gpt2');
  setText(keys, 'tokenizer.ggml.pre', preTokenizer);
  setList(keys, 'tokenizer.ggml.tokens', 'string', texts);
  setList(keys, 'tokenizer.ggml.token_type', 'int32', types);
  setList(keys, 'tokenizer.ggml.merges', 'string', mergesOf(files.tokenizer));
  setSpecialTokens(keys, files, null);
  return { preTokenizer, scoresMissing: false };
}
