// tokenizer.json as data: what of it we read, and what we rewrite before the library sees it so that its ids are those of
// Hugging Face's own library. Pure: no disk, no library.
import * as z from 'zod';

const part = z.looseObject({ type: z.string() });
export type TokenizerPart = z.infer<typeof part>;

/** The parts that the library and we read; everything else is passed through. */
export const tokenizerJson = z.looseObject({
  added_tokens: z
    .array(z.looseObject({ id: z.int().nonnegative(), content: z.string(), special: z.boolean().optional() }))
    .default([]),
  normalizer: part.nullish().transform((value) => value ?? null),
  pre_tokenizer: part.nullish().transform((value) => value ?? null),
  post_processor: part.nullish().transform((value) => value ?? null),
  decoder: part.nullish().transform((value) => value ?? null),
  model: z.looseObject({
    // Old files do not say their type; the library guesses it then.
    type: z.string().optional(),
    // Merges as "a b" in old files, as ["a", "b"] in new ones.
    merges: z.array(z.union([z.string(), z.array(z.string())])).optional(),
    ignore_merges: z.boolean().nullish(),
    byte_fallback: z.boolean().nullish(),
    fuse_unk: z.boolean().nullish(),
  }),
});
export type TokenizerJson = z.infer<typeof tokenizerJson>;

/** The tokenizer with our rewrites applied: the same ids as Hugging Face's library, sooner. */
export const rewriteTokenizer = (json: TokenizerJson): TokenizerJson => ({
  ...json,
  pre_tokenizer: isSentencePiece(json)
    ? sentencePieceWords
    : json.pre_tokenizer && rewritePreTokenizer(json.pre_tokenizer),
});

/**
 * SentencePiece's way in Hugging Face's form: no words, U+2581 before the text and for every space, BPE over the whole.
 * True only if no merge makes a token with something else before a U+2581: then BPE never works across that border, the
 * merges on its two sides do not see each other, and the text may be given to it word by word. The library is
 * slower than linear in the length of a word and remembers only short ones (26 s against 1 s for 1.3 MB).
 */
export function isSentencePiece({ normalizer, pre_tokenizer, model }: TokenizerJson): boolean {
  if (pre_tokenizer !== null || model.type !== 'BPE' || model.ignore_merges || !model.merges) return false;
  if (model.fuse_unk && !model.byte_fallback) return false; // unknown tokens would be fused across the border
  if (normalizer?.type !== 'Sequence') return false;
  const [prepend, replace, ...rest] = partsOf(normalizer, 'normalizers');
  const isPrepend = prepend?.type === 'Prepend' && prepend.prepend === '\u2581';
  const isReplace = replace?.type === 'Replace' && replace.content === '\u2581' && stringOf(replace) === ' ';
  if (!isPrepend || !isReplace || rest.length > 0) return false;
  return !model.merges.some((merge) => {
    const [left = '', right = ''] = typeof merge === 'string' ? merge.split(' ', 2) : merge;
    return /[^\u2581]\u2581/u.test(left + right);
  });
}

const sentencePieceWords: TokenizerPart = {
  type: 'Split',
  pattern: { Regex: '\\u2581+[^\\u2581]*|[^\\u2581]+' },
  behavior: 'Isolated',
  invert: true, // for the library: the matches are the words
};

// GPT-2's words, which ByteLevel makes when nothing else is set.
const byteLevelPattern = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

// Two steps that the library does with JavaScript's character classes are said as Split, whose patterns it translates
// with care. Digits: Hugging Face means every numeric character (Nd, Nl, No: also one half and superscript two).
// ByteLevel: for JavaScript U+FEFF is white space and U+0085 is not.
function rewritePreTokenizer(part: TokenizerPart): TokenizerPart {
  switch (part.type) {
    case 'Sequence':
      return { ...part, pretokenizers: partsOf(part, 'pretokenizers').map(rewritePreTokenizer) };
    case 'Digits':
      return {
        type: 'Split',
        pattern: { Regex: part.individual_digits === true ? '\\p{N}' : '\\p{N}+' },
        behavior: 'Isolated',
        invert: false,
      };
    case 'ByteLevel': {
      if (part.use_regex === false || part.add_prefix_space === true) return part;
      const words = { type: 'Split', pattern: { Regex: byteLevelPattern }, behavior: 'Isolated', invert: false };
      return { type: 'Sequence', pretokenizers: [words, { ...part, use_regex: false }] };
    }
    default:
      return part;
  }
}

const parts = z.array(part);
export const partsOf = (of: TokenizerPart, key: string): TokenizerPart[] => parts.catch([]).parse(of[key]);
export const regexOf = (of: TokenizerPart): string =>
  z.object({ Regex: z.string() }).catch({ Regex: '' }).parse(of.pattern).Regex;
const stringOf = (of: TokenizerPart): string =>
  z.object({ String: z.string() }).catch({ String: '' }).parse(of.pattern).String;
