// What the files beside tokenizer.json add to it: special tokens by name, and tokens that it lacks, in the order in which
// transformers 5.24 adds them (PreTrainedTokenizerBase._from_pretrained, TokenizersBackend.__init__). Pure.
import * as z from 'zod';
import type { TokenizerClass } from './tokenizerClass';
import { type AddedToken, addedToken, type TokenizerJson } from './tokenizerJson';

/** As a bare string, or with its flags. */
const token = z.union([z.string(), addedToken]);
export type NamedToken = z.infer<typeof token>;

export const tokenizerConfig = z.looseObject({
  bos_token: token.nullish(),
  eos_token: token.nullish(),
  unk_token: token.nullish(),
  sep_token: token.nullish(),
  pad_token: token.nullish(),
  cls_token: token.nullish(),
  mask_token: token.nullish(),
  added_tokens_decoder: z.record(z.string().regex(/^\d+$/), addedToken).optional(),
  additional_special_tokens: z.array(token).nullish(),
  extra_special_tokens: z.union([z.array(token), z.record(z.string(), token)]).nullish(),
  model_specific_special_tokens: z.record(z.string(), token).nullish(),
  tokenizer_class: z.string().nullish(),
  auto_map: z.unknown().optional(),
  add_prefix_space: z.boolean().nullish(),
  legacy: z.boolean().nullish(),
  clean_up_tokenization_spaces: z.boolean().nullish(),
  clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output: z.boolean().nullish(),
  split_special_tokens: z.boolean().nullish(),
  fast_tokenizer_files: z.array(z.string()).nullish(),
  fix_mistral_regex: z.boolean().nullish(),
  chat_template: z.unknown().optional(),
});
export type TokenizerConfig = z.infer<typeof tokenizerConfig>;

export const specialTokensMap = tokenizerConfig
  .pick({ additional_special_tokens: true, extra_special_tokens: true })
  .loose();
export const addedTokensJson = z.record(z.string(), z.int().nonnegative());

/** The files, as far as they are there. */
export interface SpecialTokenFiles {
  readonly json: TokenizerJson;
  readonly config: TokenizerConfig;
  /** special_tokens_map.json, which counts only where `config` has no added_tokens_decoder; so does added_tokens.json. */
  readonly map: z.infer<typeof specialTokensMap> | null;
  readonly added: z.infer<typeof addedTokensJson> | null;
}

export interface SpecialTokens {
  /** By name, such as bos_token; null: the files say that there is none. Names of which nothing is said are missing. */
  readonly named: ReadonlyMap<string, string | null>;
  /** To be added one list after the other. Tokens that are there already get these flags. */
  readonly toAdd: readonly (readonly AddedToken[])[];
  /** What transformers calls all special tokens: those with a name, and the extra ones. */
  readonly all: readonly string[];
}

const standardNames = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];
type Fields = Record<string, unknown>;

export function specialTokensOf(files: SpecialTokenFiles, by: TokenizerClass | null): SpecialTokens {
  const { json, config } = files;
  // A file may name a token as every object names something.
  const fields: Fields = Object.assign(Object.create(null), config);
  moveAdditional(fields);
  const ofModel = takeModelTokens(fields);
  const byId = config.added_tokens_decoder ? decoderTokens(config) : olderTokens(fields, ofModel, files);
  const byContent = new Map([...byId.values()].map((it) => [it.content, it]));
  for (const name of standardNames) {
    const written = asToken(fields[name]);
    if (written !== null) fields[name] = byContent.get(contentOf(written)) ?? written;
  }
  completeByClass(fields, by, json);
  const named = namedTokens(fields, ofModel);
  const extra = asTokens(
    'extra_special_tokens' in fields ? fields.extra_special_tokens : fields.additional_special_tokens,
  );
  const alreadyThere = by ? [] : json.added_tokens.map(({ content }) => content);
  const toAdd = [
    missingTokens(
      [...byId].sort(([a], [b]) => a - b).map(([, it]) => it),
      [...named.values()],
      extra,
      alreadyThere,
    ),
  ];
  const strings = [...new Set([...named.values(), ...extra].map(contentOf))];
  if (by?.addsTwice) toAdd.push(strings.map((content) => ({ content, special: true })));
  const said = standardNames.filter((name) => fields[name] === null).map((name) => [name, null] as const);
  return {
    named: new Map([...said, ...[...named].map(([name, it]) => [name, contentOf(it)] as const)]),
    toAdd,
    all: strings,
  };
}

/** `additional_special_tokens` is the older name. */
function moveAdditional(fields: Fields): void {
  if (!('additional_special_tokens' in fields) || !isEmpty(fields.extra_special_tokens)) return;
  fields.extra_special_tokens = fields.additional_special_tokens;
  delete fields.additional_special_tokens;
}

/** Names of the model's own, such as image_token, leave `fields`. */
function takeModelTokens(fields: Fields): Map<string, NamedToken> {
  const tokens = new Map<string, NamedToken>();
  for (const [name, value] of Object.entries(fields)) {
    if (!isOwnName(name) || typeof value !== 'string') continue;
    tokens.set(name, value);
    delete fields[name];
  }
  takeExtraRecord(fields, tokens);
  if (tokens.size > 0) return tokens;
  return new Map(Object.entries((fields.model_specific_special_tokens ?? {}) as Record<string, NamedToken>));
}

function takeExtraRecord(fields: Fields, tokens: Map<string, NamedToken>): void {
  const extra = fields.extra_special_tokens;
  if (typeof extra !== 'object' || extra === null || Array.isArray(extra)) return;
  for (const [name, value] of Object.entries(extra as Record<string, NamedToken>)) tokens.set(name, value);
  delete fields.extra_special_tokens;
}

const decoderTokens = ({ added_tokens_decoder = {} }: TokenizerConfig): Map<number, AddedToken> =>
  new Map(Object.entries(added_tokens_decoder).map(([id, it]) => [Number(id), it]));

/** Folders from before added_tokens_decoder: special_tokens_map.json wins over tokenizer_config.json. */
function olderTokens(
  fields: Fields,
  ofModel: Map<string, NamedToken>,
  files: SpecialTokenFiles,
): Map<number, AddedToken> {
  for (const [name, value] of Object.entries(files.map ?? {})) {
    const written = addedToken.safeParse(value);
    if (name === 'extra_special_tokens' && Array.isArray(value)) {
      const before = asTokens(fields[name]);
      const more = asTokens(value).map((it) => (typeof it === 'string' ? it : { ...it, special: true }));
      fields[name] = [...before, ...more.filter((it) => !before.some((other) => same(it, other)))];
    } else fields[name] = written.success ? { ...written.data, special: true, __type: 'AddedToken' } : value;
  }
  takeExtraRecord(fields, ofModel);
  const special = new Set(
    [...standardNames.map((name) => asToken(fields[name])), ...asTokens(fields.extra_special_tokens)].flatMap((it) =>
      it === null ? [] : [contentOf(it)],
    ),
  );
  const byId = new Map<number, AddedToken>();
  for (const [content, id] of Object.entries(files.added ?? {})) {
    const isSpecial = special.has(content);
    byId.set(id, { content, lstrip: false, rstrip: false, normalized: !isSpecial, special: isSpecial });
  }
  for (const { id, ...written } of files.json.added_tokens) byId.set(id, written);
  return byId;
}

/** What the class assumes where nothing is said. An empty name is said too. */
function completeByClass(fields: Fields, by: TokenizerClass | null, { padding }: TokenizerJson): void {
  for (const [name, value] of Object.entries(by?.tokens ?? {})) if (!(name in fields)) fields[name] = value;
  const own = Object.entries(by?.ownTokens ?? {});
  for (const [name, value] of own) if (!(name in fields)) fields[name] = value;
  if (own.length > 0)
    fields.additional_special_tokens = [
      ...asTokens(fields.additional_special_tokens),
      ...own.map(([, value]) => value),
    ];
  if (padding?.pad_token !== undefined && !('pad_token' in fields)) fields.pad_token = padding.pad_token;
}

function namedTokens(fields: Fields, ofModel: ReadonlyMap<string, NamedToken>): Map<string, NamedToken> {
  const isToken = (value: unknown) =>
    typeof value === 'string' || z.object({ __type: z.literal('AddedToken') }).safeParse(value).success;
  const own = Object.keys(fields).filter((name) => isOwnName(name) && isToken(fields[name]));
  const named = new Map<string, NamedToken>();
  for (const name of [...standardNames, ...own]) {
    const written = asToken(fields[name]);
    if (written !== null) named.set(name, written);
  }
  for (const [name, written] of ofModel) named.set(name, written);
  return named;
}

/** All tokens of the decoder, then what is named and what is extra and lies in neither. A named one is special. */
function missingTokens(
  ofDecoder: readonly AddedToken[],
  named: readonly NamedToken[],
  extra: readonly NamedToken[],
  alreadyThere: readonly string[],
): AddedToken[] {
  const known = new Set([...alreadyThere, ...ofDecoder.map(contentOf)]);
  const names = new Set(named.map(contentOf));
  const list: NamedToken[] = [...ofDecoder];
  for (const one of [...named, ...extra])
    if (!known.has(contentOf(one)) && !list.some((other) => same(one, other))) list.push(one);
  return list.map((one) => {
    if (typeof one === 'string') return { content: one, special: true };
    return one.special || !names.has(one.content) ? one : { ...one, special: true };
  });
}

const isOwnName = (name: string): boolean => name.endsWith('_token') && !standardNames.includes(name);
const contentOf = (one: NamedToken): string => (typeof one === 'string' ? one : one.content);
const same = (a: NamedToken, b: NamedToken): boolean =>
  typeof a === 'string' || typeof b === 'string' ? a === b : flagsOf(a) === flagsOf(b);
const flagsOf = ({ content, single_word, lstrip, rstrip, normalized, special = false }: AddedToken): string =>
  JSON.stringify([content, !!single_word, !!lstrip, !!rstrip, normalized ?? !special, special]);
const asToken = (value: unknown): NamedToken | null =>
  token
    .nullable()
    .catch(null)
    .parse(value ?? null);
const asTokens = (value: unknown): NamedToken[] =>
  z
    .array(token)
    .catch([])
    .parse(value ?? []);
const isEmpty = (value: unknown): boolean =>
  value === undefined || value === null || (typeof value === 'object' && Object.keys(value).length === 0);
