// All tokens of a tokenizer by id, and what is known of those that were added to the model within tokenizer.json.
import * as z from 'zod';
import { isRecord } from '../shared/records';
import type { Library } from './library';
import type { AddedToken } from './tokenizerJson';

export interface Vocabulary {
  /** By id, as they are written in tokenizer.json, such as `Ġthe`; ids without a token are missing. */
  readonly tokens: ReadonlyMap<number, string>;
  /** How many tokens the model within tokenizer.json has, without those that were added to it. */
  readonly nBaseTokens: number;
  readonly largestId: number;
  readonly added: ReadonlyMap<number, AddedTokenFlags>;
  /** Of what transformers calls all special tokens. */
  readonly specialIds: ReadonlySet<number>;
}

export interface AddedTokenFlags {
  readonly special: boolean;
  /** It is looked for in a text after that was normalized. */
  readonly normalized: boolean;
}

const baseTokens = z.custom<Readonly<Record<string, number>>>(isRecord).catch({});

/**
 * @param base of the model within tokenizer.json, which the library has checked; other models than BPE and WordPiece write it in
 *   another form, which counts as empty
 * @param added in the order in which they were added: of a token that was added twice, the last flags count
 */
export function vocabularyOf(
  { idOf }: Pick<Library, 'idOf'>,
  base: unknown,
  added: readonly AddedToken[],
  special: readonly string[],
): Vocabulary {
  const tokens = new Map(Object.entries(baseTokens.parse(base)).map(([token, id]) => [id, token]));
  const nBaseTokens = tokens.size;
  const flags = new Map<number, AddedTokenFlags>();
  for (const { content, special: isSpecial = false, normalized = !isSpecial } of added) {
    const id = idOf(content);
    if (id === null) continue;
    tokens.set(id, content);
    flags.set(id, { special: isSpecial, normalized });
  }
  let largestId = -1;
  for (const id of tokens.keys()) largestId = Math.max(largestId, id);
  const specialIds = new Set(special.flatMap((content) => idOf(content) ?? []));
  return { tokens, nBaseTokens, largestId, added: flags, specialIds };
}
