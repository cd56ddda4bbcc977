// A checkpoint's own tokenizer: text to ids and back. The only file that touches @huggingface/tokenizers.
import { readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Tokenizer as Library } from '@huggingface/tokenizers';
import * as z from 'zod';
import { UserError } from '../errors';
import { refuseForeignContent } from '../shared/foreignContent';
import { type ChatTemplate, chatTemplateOf, type TokenNames } from './chatTemplate';
import { pieces, safeCut } from './pieces';
import { readTemplates } from './templateFiles';
import { rewriteTokenizer, type TokenizerJson, tokenizerJson } from './tokenizerJson';

export interface Tokenizer {
  /**
   * The ids of a text. `addSpecialTokens`: with those that the tokenizer puts around every text, as Hugging Face's
   * default call does. `atLeast`: the caller needs only that many ids; what comes back is then a prefix of the whole
   * text's ids that is at least so long, or all of them. `sharesBeginning`: with texts that were or will be asked for, so
   * the ids of its pieces are remembered; they are the same ids.
   */
  encode(text: string, options: { addSpecialTokens: boolean; atLeast?: number; sharesBeginning?: boolean }): number[];
  /** The text of ids. Ids without a token (a vocabulary padded for the hardware has some) give nothing. */
  decode(ids: readonly number[], options: { skipSpecialTokens: boolean }): string;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  /** One more than the highest id that can come out. */
  readonly nTokens: number;
  /** Those that are no text, such as the end of a turn, as they are written. */
  readonly specialTokens: readonly string[];
  /** null: the model is not one for chats. */
  readonly chatTemplate: ChatTemplate | null;
}

/**
 * Opens the tokenizer of a Hugging Face folder.
 * @throws UserError notFound without tokenizer.json, damagedCheckpoint when it or its auxiliary files cannot be understood.
 */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  const json = await read(tokenizerJson, folder, 'tokenizer.json');
  if (!json) throw missingTokenizer(folder);
  const config = (await read(specialTokens, folder, 'tokenizer_config.json')) ?? {};
  const special = (await read(specialTokens, folder, 'special_tokens_map.json')) ?? {};
  const model = (await read(modelConfig, folder, 'config.json')) ?? {};
  const templates = await readTemplates(folder, config.chat_template);
  const library = openLibrary(json, config, folder);

  // The first file that speaks of the token decides; an explicit null says that there is none (Qwen's bos).
  const written = (name: TokenName) =>
    [config, special].map((file) => file[`${name}_token`]).find((token) => token !== undefined);
  const tokenId = (name: 'bos' | 'eos'): number | null => {
    const token = written(name);
    if (token === undefined) return [model[`${name}_token_id`] ?? []].flat().find((id) => id >= 0) ?? null;
    return token === null ? null : (library.token_to_id(contentOf(token)) ?? null);
  };
  const bosTokenId = tokenId('bos');
  const eosTokenId = tokenId('eos');

  const cut = safeCut(json);
  const plainIds = (text: string): number[] => library.encode(text, { add_special_tokens: false }).ids;
  const rememberedIds = remembering(plainIds);
  const frame = frameOf(library);

  let nTokens = 0;
  for (const id of library.get_vocab().values()) nTokens = Math.max(nTokens, id + 1);

  return {
    bosTokenId,
    eosTokenId,
    nTokens,
    specialTokens: json.added_tokens.filter(({ special }) => special).map(({ content }) => content),
    chatTemplate: chatTemplateOf(templates, writtenTokens(written)),
    encode(text, { addSpecialTokens, atLeast = Number.POSITIVE_INFINITY, sharesBeginning = false }) {
      const ids = addSpecialTokens ? [...frame.before] : [];
      const [length, idsOf] = sharesBeginning ? [rememberedLength, rememberedIds] : [pieceLength, plainIds];
      for (const piece of pieces(text, cut, length)) {
        if (ids.length >= atLeast) return ids;
        for (const id of idsOf(piece)) ids.push(id);
      }
      if (addSpecialTokens) ids.push(...frame.after);
      return ids;
    },
    decode(ids, { skipSpecialTokens }) {
      const known = ids.filter((id) => library.id_to_token(id) !== undefined);
      return known.length === 0 ? '' : library.decode(known, { skip_special_tokens: skipSpecialTokens });
    },
  };
}

// Long enough that the cuts cost nothing, short enough that the library's arrays of words stay small and a caller that
// wants the first few thousand ids of a book soon has them.
const pieceLength = 1 << 15;

// Texts with the same beginning are cut at the same places up to where they part, and at the end a piece or two are new.
const rememberedLength = 1 << 8;
const mostRemembered = 1 << 13;

function remembering(idsOf: (text: string) => number[]): (text: string) => number[] {
  const known = new Map<string, number[]>();
  return (text) => {
    const found = known.get(text);
    if (found) return found;
    if (known.size === mostRemembered) known.clear();
    const ids = idsOf(text);
    known.set(text, ids);
    return ids;
  };
}

/**
 * What the post processor puts before and after a text, found by looking. It alone decides, as in transformers 5
 * (checked in 5.23): `add_bos_token` in tokenizer_config.json changes nothing for a tokenizer read from tokenizer.json.
 */
function frameOf(library: Library): { before: number[]; after: number[] } {
  const bare = library.encode('a', { add_special_tokens: false }).ids;
  const framed = library.encode('a', { add_special_tokens: true }).ids;
  const at = framed.findIndex((_, start) => bare.every((id, i) => framed[start + i] === id));
  return { before: framed.slice(0, at), after: framed.slice(at + bare.length) };
}

const token = z.union([z.string(), z.looseObject({ content: z.string() })]).nullish();
const specialTokens = z.looseObject({
  bos_token: token,
  eos_token: token,
  unk_token: token,
  sep_token: token,
  pad_token: token,
  cls_token: token,
  mask_token: token,
  chat_template: z.unknown().optional(),
});
type TokenName = 'bos' | 'eos' | 'unk' | 'sep' | 'pad' | 'cls' | 'mask';
type Token = NonNullable<z.infer<typeof token>>;
const contentOf = (token: Token): string => (typeof token === 'string' ? token : token.content);

/** By the names under which a chat template knows them; those that the model lacks are not there. */
function writtenTokens(written: (name: TokenName) => Token | null | undefined): TokenNames {
  const names: TokenName[] = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'];
  return Object.fromEntries(
    names.flatMap((name) => {
      const token = written(name);
      return token ? [[`${name}_token`, contentOf(token)]] : [];
    }),
  );
}
// A negative id stands for none.
const tokenId = z.int();
const modelConfig = z.looseObject({
  bos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
  eos_token_id: z.union([tokenId, z.array(tokenId)]).nullish(),
});

function openLibrary(json: TokenizerJson, config: z.infer<typeof specialTokens>, folder: string): Library {
  try {
    // Clean-up takes spaces away before punctuation; transformers 5 ignores it for BPE, whatever the configuration says.
    return new Library(rewriteTokenizer(json), { ...config, clean_up_tokenization_spaces: false });
  } catch (cause) {
    throw badTokenizer(folder, 'tokenizer.json', cause instanceof Error ? cause.message : String(cause));
  }
}

/** null: the file is not there. */
async function read<T extends z.ZodType>(schema: T, folder: string, name: string): Promise<z.infer<T> | null> {
  const text = await readText(folder, name);
  if (text === null) return null;
  const result = schema.safeParse(parsed(text, folder, name));
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw badTokenizer(folder, name, `${issue?.path.join('.') || 'the file'}: ${issue?.message ?? 'not understood'}`);
}

/** null: the file is not there. */
const readText = (folder: string, name: string): Promise<string | null> =>
  readFile(join(folder, name), 'utf8').then(
    (text) => {
      refuseForeignContent(join(folder, name), text, 'json');
      return text;
    },
    (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
      throw badTokenizer(folder, name, `it cannot be read (${error.code})`);
    },
  );

function parsed(text: string, folder: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badTokenizer(folder, name, 'it is not valid JSON');
  }
}

const missingTokenizer = (folder: string) =>
  new UserError(
    'notFound',
    `There is no tokenizer.json in ${folder}; add the one of the original model, or give token ids instead of text.`,
  );

const badTokenizer = (folder: string, name: string, reason: string) =>
  new UserError(
    'damagedCheckpoint',
    `${name} in ${basename(folder)} is not usable: ${reason.split('\n')[0]?.replace(/\.$/, '')}; download the folder's tokenizer files again.`,
  );
