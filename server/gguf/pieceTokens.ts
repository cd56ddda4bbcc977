// The tokens of a vocabulary of SentencePiece: of tokenizer.model with scores (conversion/base.py, _create_vocab_sentencepiece), or of
// tokenizer.json without (gguf/vocab.py, LlamaHfVocab).
import { isRecord } from '../shared/records';
import type { Vocabulary } from '../tokenizer/vocabulary';
import { type Keys, setList, setText } from './keys';
import { type Piece, type PieceType, pieceTypes } from './sentencePiece';
import { setSpecialTokens } from './specialTokens';
import { type Json, looksSpecial, type TokenizerFiles, type VocabularyFacts } from './tokenizerFiles';

interface Token {
  text: string;
  score: number;
  type: PieceType;
}

interface PieceOptions {
  readonly nTokens: number;
  readonly isPhi3: boolean;
}

export function setPieces(
  keys: Keys,
  files: TokenizerFiles,
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

/** tokenizer.json of a BPE with bytes to fall back to, as converters from SentencePiece write it. */
export function isSentencePiece(tokenizer: Json | null): boolean {
  const [model, decoder] = [tokenizer?.model, tokenizer?.decoder];
  if (!isRecord(model) || !isRecord(decoder)) return false;
  return model.type === 'BPE' && model.byte_fallback === true && decoder.type === 'Sequence';
}

export function setPiecesWithoutScores(
  keys: Keys,
  files: TokenizerFiles,
  vocabulary: Vocabulary,
  nTokens: number,
): VocabularyFacts {
  setSentencePiece(keys, tokensWithoutScores(vocabulary, nTokens));
  setSpecialTokens(keys, files, nTokens);
  return { preTokenizer: 'default', scoresMissing: true };
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
