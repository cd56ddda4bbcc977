// The tokens of a byte-level BPE, with the name of what cuts texts before it (conversion/base.py, get_vocab_base).
import { UserError } from '../errors';
import type { Tokenizer } from '../tokenizer/tokenizer';
import type { Vocabulary } from '../tokenizer/vocabulary';
import { type Keys, setList, setText } from './keys';
import { checkText, preTokenizerOf } from './preTokenizers';
import { type PieceType, pieceTypes } from './sentencePiece';
import { mergesOf, setSpecialTokens } from './specialTokens';
import { looksSpecial, type TokenizerFiles, type VocabularyFacts } from './tokenizerFiles';

export interface Bpe {
  readonly tokenizer: Tokenizer;
  readonly vocabulary: Vocabulary;
  readonly nTokens: number;
}

/** @throws UserError `unsupportedModel` for one that llama.cpp has no name for */
export async function setBpe(
  keys: Keys,
  files: TokenizerFiles,
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
