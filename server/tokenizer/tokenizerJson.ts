// tokenizer.json as data: what of it we read. The rest goes to the library as it is. Pure: no disk, no library.
import * as z from 'zod';
import { someNames } from '../shared/someNames';

const part = z.looseObject({ type: z.string() });
export type TokenizerPart = z.infer<typeof part>;

/** A token as tokenizer.json and tokenizer_config.json write it. Where `normalized` is silent it is what `special` is not. */
export const addedToken = z.looseObject({
  content: z.string(),
  single_word: z.boolean().optional(),
  lstrip: z.boolean().optional(),
  rstrip: z.boolean().optional(),
  normalized: z.boolean().optional(),
  special: z.boolean().optional(),
});
export type AddedToken = z.infer<typeof addedToken>;

const optionalPart = part.nullish().transform((value) => value ?? null);

export const tokenizerJson = z.looseObject({
  added_tokens: z.array(addedToken.extend({ id: z.int().nonnegative() })).default([]),
  normalizer: optionalPart,
  pre_tokenizer: optionalPart,
  post_processor: optionalPart,
  decoder: optionalPart,
  padding: z.looseObject({ pad_token: z.string().optional() }).nullish(),
  model: z.looseObject({
    // Old files do not say their type; the library guesses it then.
    type: z.string().optional(),
    // Hundreds of thousands of entries, which the library checks itself.
    vocab: z.unknown().optional(),
    merges: z.unknown().optional(),
    ignore_merges: z.boolean().nullish(),
    byte_fallback: z.boolean().nullish(),
    fuse_unk: z.boolean().nullish(),
  }),
});
export type TokenizerJson = z.infer<typeof tokenizerJson>;

/**
 * What the library's message means, where it only says that one of the parts was not understood, as it does for a part of a
 * type that it does not know.
 */
export function plainReason(json: TokenizerJson, message: string): string {
  const [, kind = ''] = /untagged enum (\w+?)(?:Untagged|Wrapper|Kind)?\b/.exec(message) ?? [];
  const name = kind.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toLowerCase();
  const found = json[name];
  if (typeof found !== 'object' || found === null) return message;
  const { type, ...rest } = part.catch({ type: 'without a type' }).parse(found);
  const inner = name === 'model' ? [] : [rest.normalizers, rest.pretokenizers, rest.processors, rest.decoders];
  const types = [type, ...inner.flatMap((list) => parts.catch([]).parse(list)).map((step) => step.type)];
  return `its ${name} (${someNames(types)}) is none that Hugging Face's library understands`;
}

/**
 * How much longer a normalizer can make a text at most: replacements in a row multiply.
 * @returns 1 for one that lengthens nothing
 */
export function growthOf(normalizer: TokenizerPart | null): number {
  if (normalizer === null) return 1;
  if (normalizer.type === 'Sequence')
    return partsOf(normalizer, 'normalizers').reduce((growth, each) => growth * growthOf(each), 1);
  if (normalizer.type !== 'Replace') return 1;
  const content = typeof normalizer.content === 'string' ? normalizer.content.length : 0;
  const replaced = stringOf(normalizer).length;
  if (replaced > 0) return Math.max(1, content / replaced);
  // One that matches the empty text does so beside every letter.
  return Math.max(1, content) + (matchesNothing(regexOf(normalizer)) ? 1 : 0);
}

/** Of the library's patterns most are JavaScript's, too. */
function matchesNothing(pattern: string): boolean {
  try {
    return new RegExp(pattern, 'u').test('');
  } catch {
    return false;
  }
}

const parts = z.array(part);
export const partsOf = (of: TokenizerPart, key: string): TokenizerPart[] => parts.catch([]).parse(of[key]);
export const regexOf = (of: TokenizerPart): string =>
  z.object({ Regex: z.string() }).catch({ Regex: '' }).parse(of.pattern).Regex;
export const stringOf = (of: TokenizerPart): string =>
  z.object({ String: z.string() }).catch({ String: '' }).parse(of.pattern).String;
