// What a GGUF file's vocabulary is made of, as far as it is there, and what is known of the vocabulary then.
import type { Piece } from './sentencePiece';
import type { SpecialTokenFiles } from './specialTokens';

export type Json = Readonly<Record<string, unknown>>;

export interface TokenizerFiles extends SpecialTokenFiles {
  readonly folder: string;
  readonly pieces: readonly Piece[] | null;
  readonly addedTokens: Json | null;
}

export interface VocabularyFacts {
  /** llama.cpp's name for how texts are cut; `default` for SentencePiece. */
  readonly preTokenizer: string;
  /** SentencePiece without scores: the folder has no tokenizer.model, and llama.cpp may cut texts in other ways. */
  readonly scoresMissing: boolean;
}

/** Some models mark tokens that control them as if they were words. */
export const looksSpecial = (text: string): boolean =>
  ['<pad>', '<mask>', '<2mass>', '[@BOS@]'].includes(text) ||
  (text.startsWith('<|') && text.endsWith('|>')) ||
  (text.startsWith('<\uff5c') && text.endsWith('\uff5c>')) ||
  (text.startsWith('<unused') && text.endsWith('>'));
