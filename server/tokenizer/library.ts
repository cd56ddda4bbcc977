// Hugging Face's own tokenizers, a native library. The only file that touches it: everything else sees texts and ids.
import type { AddedToken as NativeToken, Tokenizer as NativeTokenizer } from 'tokenizers';
import { isUserError, UserError } from '../errors';
import type { AddedToken } from './tokenizerJson';

export interface Library {
  /** By text. The texts are shared out among the processor's cores, and nothing waits for them but the caller. */
  encode(texts: readonly string[], addSpecialTokens: boolean): Promise<number[][]>;
  decode(ids: readonly number[], skipSpecialTokens: boolean): Promise<string>;
  /** Each on its own. */
  decodeEach(lists: readonly (readonly number[])[], skipSpecialTokens: boolean): Promise<string[]>;
  tokenOf(id: number): string | null;
  idOf(token: string): number | null;
}

export interface LibraryOptions {
  /** tokenizer.json as text. */
  readonly json: string;
  readonly toAdd: readonly (readonly AddedToken[])[];
  /** A token to be put before every text instead of what `json` says; null: as it says. */
  readonly firstToken: string | null;
}

/**
 * Cuts and pads nothing, whatever tokenizer.json says of it: transformers does neither unless it is asked to.
 * @throws UserError device where there is no binary for this machine, Error with the library's reason for a bad tokenizer
 */
export async function openLibrary(
  { json, toAdd, firstToken }: LibraryOptions,
  limitMs: (nCharacters: number) => number = generousMs,
): Promise<Library> {
  const { AddedToken: Token, Tokenizer, templateProcessing } = await load();
  const tokenizer: NativeTokenizer = Tokenizer.fromString(json);
  for (const list of toAdd) tokenizer.addAddedTokens(list.map(nativeToken));
  const firstId = firstToken === null ? null : tokenizer.tokenToId(firstToken);
  if (firstToken !== null && firstId !== null) {
    const special: [string, number][] = [[firstToken, firstId]];
    tokenizer.setPostProcessor(templateProcessing(`${firstToken} $A`, `${firstToken} $A ${firstToken} $B`, special));
  }
  tokenizer.disableTruncation();
  tokenizer.disablePadding();
  return {
    async encode(texts, addSpecialTokens) {
      const options = { addSpecialTokens };
      const [first] = texts;
      const nCharacters = texts.reduce((sum, text) => sum + text.length, 0);
      const encodings = await within(
        limitMs(nCharacters),
        nCharacters,
        texts.length === 1
          ? tokenizer.encode(first, null, options).then((encoding) => [encoding])
          : tokenizer.encodeBatch([...texts], options),
      ).catch(refused);
      return encodings.map((encoding) => encoding.getIds());
    },
    decode: (ids, skipSpecialTokens) => tokenizer.decode([...ids], skipSpecialTokens).catch(refused),
    decodeEach: (lists, skipSpecialTokens) =>
      tokenizer.decodeBatch(lists as number[][], skipSpecialTokens).catch(refused),
    tokenOf: (id) => tokenizer.idToToken(id),
    idOf: (token) => tokenizer.tokenToId(token),
  };

  function nativeToken({ content, special = false, ...flags }: AddedToken): NativeToken {
    return new Token(content, special, {
      singleWord: flags.single_word ?? false,
      leftStrip: flags.lstrip ?? false,
      rightStrip: flags.rstrip ?? false,
      normalized: flags.normalized ?? !special,
    });
  }
}

/** Its patterns may try for ever. The library's thread cannot be ended, and ends with the process. */
async function within<T>(ms: number, nCharacters: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const sentence = `The model's tokenizer does not come to an end with ${nCharacters} characters within ${Math.round(ms / 1000)} s; take another model's tokenizer.json.`;
    timer = setTimeout(() => reject(new UserError('overLimit', sentence)), ms);
  });
  return Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** A hundredth of the pace that real ones have on one quiet core. */
const generousMs = (nCharacters: number): number => 60_000 + nCharacters / 10;

function refused(cause: unknown): never {
  if (isUserError(cause)) throw cause;
  throw new UserError(
    'badData',
    `The model's tokenizer has no token for a part of the text (${reasonOf(cause)}); change the text, or take another model's tokenizer.json.`,
  );
}

const reasonOf = (cause: unknown) => (cause instanceof Error ? cause.message : String(cause)).split('\n')[0];

/** Only when it is needed, so that whoever tokenises nothing loads nothing. */
const load = () =>
  import('tokenizers').catch((cause: unknown) => {
    throw new UserError(
      'device',
      `The library that makes tokens does not run on this machine, ${process.platform}-${process.arch} (${reasonOf(cause)}); give token ids instead of text.`,
    );
  });
