// A checkpoint's own tokenizer as transformers opens it: text to ids and back.
import { isUserError, UserError } from '../errors';
import { type ChatTemplate, chatTemplateOf } from './chatTemplate';
import { badTokenizer, readTokenizerFiles, type TokenizerFiles } from './folderFiles';
import { joinedDecoder, joiningOf } from './joinedText';
import { type Library, openLibrary } from './library';
import { pieces, type SafeCut, safeCut } from './pieces';
import { remembering } from './remembering';
import { type SpecialTokens, specialTokensOf } from './specialTokens';
import { readTemplates } from './templateFiles';
import { rebuiltJson, type TokenizerClass, tokenizerClassOf } from './tokenizerClass';
import { growthOf, plainReason, type TokenizerJson } from './tokenizerJson';
import { type Vocabulary, vocabularyOf } from './vocabulary';

export interface Tokenizer {
  /**
   * The ids of a text. `addSpecialTokens`: with those that the tokenizer puts around every text, as Hugging Face's
   * default call does. `atLeast`: the caller needs only that many ids; what comes back is then a prefix of the whole
   * text's ids that is at least so long, or all of them. `sharesBeginning`: with texts that were or will be asked for, so
   * the ids of its pieces are remembered; they are the same ids.
   * @throws UserError badData for a text that this tokenizer cannot write
   */
  encode(text: string, options: EncodeOptions): Promise<number[]>;
  /** The text of ids. Ids without a token (a vocabulary padded for the hardware has some) give nothing. */
  decode(ids: readonly number[], options: { skipSpecialTokens: boolean }): Promise<string>;
  readonly bosTokenId: number | null;
  readonly eosTokenId: number | null;
  /** Those that are no text, such as the end of a turn, as they are written. */
  readonly specialTokens: readonly string[];
  /** null: the model is not one for chats. */
  readonly chatTemplate: ChatTemplate | null;
  /** All its tokens; read anew at every call. */
  vocabulary(): Vocabulary;
}

export interface EncodeOptions {
  readonly addSpecialTokens: boolean;
  readonly atLeast?: number;
  readonly sharesBeginning?: boolean;
}

/**
 * Opens the tokenizer of a Hugging Face folder.
 * @throws UserError notFound without tokenizer.json, damagedCheckpoint when it or its auxiliary files cannot be understood,
 * unsupportedModel for what transformers does by code that we do not have.
 */
export async function openTokenizer(folder: string): Promise<Tokenizer> {
  const files = await readTokenizerFiles(folder);
  const { config, model, json } = files;
  refuseUnsupported(files);
  const by = tokenizerClassOf({
    named: config.tokenizer_class ?? model.tokenizer_class ?? null,
    modelType: model.model_type ?? null,
    isByteLevel: files.text.includes('"ByteLevel"'),
    hasCode: namesCode(config.auto_map),
  });
  const special = specialTokensOf(files, by);
  const built = by ? rebuilt(files, by, special) : json;
  const library = await opened(folder, files, built, by, special);

  const all = [...built.added_tokens, ...special.toAdd.flat()];
  const idOf = (name: string): number | null => {
    const token = special.named.get(name);
    if (token === undefined)
      return [model[`${name}_id`] ?? []].flat().find((id): id is number => typeof id === 'number' && id >= 0) ?? null;
    return token === null ? null : (library.idOf(token) ?? (name === 'unk_token' ? null : idOf('unk_token')));
  };
  const contents = new Set(all.map(({ content }) => content));
  const joining = joiningOf(built.decoder);
  const decode = joining ? joinedDecoder(library, joining, [...contents]) : library.decode;
  const cleansUp = cleansUpSpaces(files, built);
  return {
    bosTokenId: idOf('bos_token'),
    eosTokenId: idOf('eos_token'),
    specialTokens: [...new Set(all.filter((token) => token.special).map(({ content }) => content))],
    chatTemplate: chatTemplateOf(await readTemplates(folder, config.chat_template), writtenTokens(special)),
    encode: encoder(library, { ...built, added_tokens: all.map((token) => ({ ...token, id: 0 })) }),
    vocabulary: () => vocabularyOf(library, built.model.vocab, all, special.all),
    async decode(ids, { skipSpecialTokens }) {
      const text = await decode(ids, skipSpecialTokens);
      return cleansUp ? cleanedUp(text) : text;
    },
  };
}

/** Real ones replace a space by a character of three bytes, or a letter by two. */
const mostGrowth = 1000;

/** What transformers does by these settings is not done here. */
function refuseUnsupported({ config, model, json }: TokenizerFiles): void {
  const refuse = (what: string) => {
    throw new UserError(
      'unsupportedModel',
      `tokenizer_config.json ${what}, which Espalier does not do; remove that line.`,
    );
  };
  if (config.split_special_tokens) refuse('says split_special_tokens, so that special tokens in a text are text');
  if (config.fast_tokenizer_files?.some((name) => name !== 'tokenizer.json'))
    refuse('names several tokenizer.json by version in fast_tokenizer_files');
  const growth = growthOf(json.normalizer);
  if (growth > mostGrowth)
    throw new UserError(
      'overLimit',
      `The normalizer of tokenizer.json makes a text up to ${growth.toExponential(0)} times as long, more than ${mostGrowth} times; take another model's tokenizer.json.`,
    );
  if (config.fix_mistral_regex && model.model_type === 'mistral') refuse('says fix_mistral_regex');
}

const namesCode = (autoMap: unknown): boolean =>
  Array.isArray(autoMap) || (typeof autoMap === 'object' && autoMap !== null && 'AutoTokenizer' in autoMap);

function rebuilt({ json, config }: TokenizerFiles, by: TokenizerClass, { named }: SpecialTokens): TokenizerJson {
  const unkToken = named.get('unk_token') ?? '';
  return rebuiltJson(json, by, { addPrefixSpace: config.add_prefix_space, legacy: config.legacy, unkToken });
}

async function opened(
  folder: string,
  files: TokenizerFiles,
  built: TokenizerJson,
  by: TokenizerClass | null,
  { named, toAdd }: SpecialTokens,
) {
  const json = by ? JSON.stringify(built) : files.text;
  try {
    return await openLibrary({
      json,
      toAdd,
      firstToken: by?.frame === 'bos' ? (named.get('bos_token') ?? null) : null,
    });
  } catch (cause) {
    if (isUserError(cause)) throw cause;
    throw badTokenizer(folder, 'tokenizer.json', plainReason(files.json, String((cause as Error).message)));
  }
}

/** By the names under which a chat template knows them; those that the model lacks are not there. */
const writtenTokens = ({ named }: SpecialTokens): Record<string, string> =>
  Object.fromEntries([...named].flatMap(([name, content]) => (content === null ? [] : [[name, content]])));

// Long enough that the cuts cost nothing, short enough that a caller that wants the first few thousand ids of a book soon
// has them.
const pieceLength = 1 << 15;
const piecesAtOnce = 16;

// Texts with the same beginning are cut at the same places up to where they part.
const rememberedLength = 1 << 8;

function encoder(library: Library, json: TokenizerJson): Tokenizer['encode'] {
  const plainIds = (texts: readonly string[]) => library.encode(texts, false);
  const rememberedIds = remembering(plainIds, (text) => text);
  let cut: SafeCut | null = null;
  let frame: ReturnType<typeof frameOf> | null = null;
  return async (text, { addSpecialTokens, atLeast = Number.POSITIVE_INFINITY, sharesBeginning = false }) => {
    const length = sharesBeginning ? rememberedLength : pieceLength;
    const around = text.length > 2 * length || sharesBeginning ? await (frame ??= frameOf(library)) : null;
    if (around === null) return (await library.encode([text], addSpecialTokens))[0]!;
    const ids = addSpecialTokens ? [...around.before] : [];
    const all = [...pieces(text, (cut ??= safeCut(json)), length)];
    const idsOf = sharesBeginning ? rememberedIds : plainIds;
    const atOnce = Number.isFinite(atLeast) ? 1 : sharesBeginning ? all.length : piecesAtOnce;
    for (let first = 0; first < all.length; first += atOnce) {
      if (ids.length >= atLeast) return ids;
      for (const some of await idsOf(all.slice(first, first + atOnce))) for (const id of some) ids.push(id);
    }
    if (addSpecialTokens) ids.push(...around.after);
    return ids;
  };
}

/**
 * What the post processor puts before and after a text, found by looking. It alone decides, as in transformers 5:
 * `add_bos_token` in tokenizer_config.json changes nothing for a tokenizer read from tokenizer.json. null: it cannot be
 * told, since the tokenizer writes the letter that we look with as nothing.
 */
async function frameOf(library: Library): Promise<{ before: number[]; after: number[] } | null> {
  const [bare] = await library.encode(['a'], false);
  const [framed] = await library.encode(['a'], true);
  if (!bare || !framed || bare.length === 0) return null;
  const at = framed.findIndex((_, start) => bare.every((id, i) => framed[start + i] === id));
  return at < 0 ? null : { before: framed.slice(0, at), after: framed.slice(at + bare.length) };
}

/** Takes spaces away before punctuation. transformers 5 ignores the setting for BPE unless it is insisted on. */
const cleansUpSpaces = ({ config }: TokenizerFiles, { model }: TokenizerJson): boolean =>
  config.clean_up_tokenization_spaces === true &&
  (!isBpe(model) || config.clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output === true);

const isBpe = ({ type, merges }: TokenizerJson['model']): boolean => type === 'BPE' || (!type && merges !== undefined);

const spaced: readonly [string, string][] = [
  [' .', '.'],
  [' ?', '?'],
  [' !', '!'],
  [' ,', ','],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
];
const cleanedUp = (text: string): string => spaced.reduce((written, [from, to]) => written.replaceAll(from, to), text);
