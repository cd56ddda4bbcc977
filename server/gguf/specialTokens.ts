// Special tokens, chat templates and merges of a GGUF file, as llama.cpp's converter finds them in tokenizer.json,
// tokenizer_config.json and config.json (gguf/vocab.py, SpecialVocab). Pure.
import { isRecord } from '../shared/records';
import { bool, type Keys, setList, setText, uint32 } from './keys';

type Json = Readonly<Record<string, unknown>>;

/** The files as they are written; null: not there. */
export interface SpecialTokenFiles {
  readonly tokenizer: Json | null;
  readonly tokenizerConfig: Json | null;
  readonly config: Json;
  /** chat_template.jinja with additional_chat_templates/, or what chat_template.json says; null: neither is there. */
  readonly templates: unknown;
}

const usualTypes = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'];

/** The keys of their ids; other types have none. */
const idKeys: Readonly<Record<string, string>> = {
  bos: 'tokenizer.ggml.bos_token_id',
  eos: 'tokenizer.ggml.eos_token_id',
  unk: 'tokenizer.ggml.unknown_token_id',
  // So it is spelled.
  sep: 'tokenizer.ggml.seperator_token_id',
  pad: 'tokenizer.ggml.padding_token_id',
  mask: 'tokenizer.ggml.mask_token_id',
  eot: 'tokenizer.ggml.eot_token_id',
  eom: 'tokenizer.ggml.eom_token_id',
};

/** Whether llama.cpp puts the token around texts. */
const addKeys: Readonly<Record<string, string>> = {
  bos: 'tokenizer.ggml.add_bos_token',
  eos: 'tokenizer.ggml.add_eos_token',
  sep: 'tokenizer.ggml.add_sep_token',
};

/** @param nTokens ids from this one on are left out; null: none is */
export function setSpecialTokens(keys: Keys, files: SpecialTokenFiles, nTokens: number | null): void {
  const said: Said = {
    fields: { ...files.tokenizerConfig },
    hasFields: files.tokenizerConfig !== null && Object.keys(files.tokenizerConfig).length > 0,
    types: [...usualTypes],
    adds: new Map(),
  };
  if (files.tokenizer) readPostProcessor(said, files.tokenizer.post_processor);
  const ids = new Map<string, number>();
  const most = nTokens ?? 2 ** 32;
  const setId = (type: string, id: unknown) => {
    // A negative one stands for none.
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < most && !ids.has(type)) ids.set(type, id);
  };
  if (said.hasFields) {
    const added = Array.isArray(files.tokenizer?.added_tokens) ? files.tokenizer.added_tokens.filter(isRecord) : [];
    for (const type of said.types) {
      const adds = said.fields[`add_${type}_token`];
      if (typeof adds === 'boolean') said.adds.set(type, adds);
      const token = said.fields[`${type}_token`];
      const content = isRecord(token) ? token.content : token;
      if (typeof content === 'string') setId(type, added.find((one) => one.content === content)?.id);
    }
  }
  for (const type of said.types) setId(type, files.config[`${type}_token_id`]);
  for (const [type, id] of ids) if (idKeys[type]) keys.set(idKeys[type], uint32(id));
  for (const [type, adds] of said.adds) if (addKeys[type]) keys.set(addKeys[type], bool(adds));
  if (said.hasFields) setChatTemplates(keys, chatTemplatesOf(files));
  setNormalizer(keys, files.tokenizer?.normalizer);
}

/** What is known of the tokens while the files are gone through. */
interface Said {
  readonly fields: Record<string, unknown>;
  /** Without tokenizer_config.json nothing is remembered of what follows from tokenizer.json. */
  readonly hasFields: boolean;
  readonly types: string[];
  readonly adds: Map<string, boolean>;
}

type Name = 'bos' | 'eos' | 'sep' | 'cls';

function readPostProcessor(said: Said, processor: unknown): void {
  const tokenNames = {
    bos: said.fields.bos_token,
    eos: said.fields.eos_token,
    sep: said.fields.sep_token,
    cls: said.fields.cls_token,
  };
  const become = (name: Name, value: unknown) => {
    tokenNames[name] = value;
    if (said.hasFields) said.fields[`${name}_token`] = value;
  };
  if (!tokenNames.bos && tokenNames.cls && said.hasFields) become('bos', tokenNames.cls);
  if (!tokenNames.eos && tokenNames.sep && said.hasFields) become('eos', tokenNames.sep);
  if (!isRecord(processor)) return;
  const list = Array.isArray(processor.processors) ? processor.processors : [processor];
  for (const each of list.filter(isRecord)) {
    if (each.type === 'RobertaProcessing') {
      for (const type of ['bos', 'eos', 'sep']) said.adds.set(type, true);
      if (!tokenNames.cls && said.hasFields) become('cls', firstOf(each.cls) ?? tokenNames.bos);
      if (!tokenNames.sep && said.hasFields) become('sep', firstOf(each.sep) ?? tokenNames.eos);
    } else if (each.type === 'TemplateProcessing') {
      readTemplate(said, tokenNames, become, each);
    }
  }
}

const firstOf = (list: unknown): unknown => (Array.isArray(list) ? list[0] : undefined);

function readTemplate(
  said: Said,
  names: Record<Name, unknown>,
  become: (name: Name, value: unknown) => void,
  { single, pair }: Json,
): void {
  const one = Array.isArray(single) ? single : [];
  const first = one.length > 1 ? specialOf(one[0]) : null;
  const last = one.length > 1 ? specialOf(one.at(-1)) : null;
  if (first) {
    if (!said.hasFields) names.bos = first;
    else if (first !== names.bos && first !== names.cls) {
      if (!names.bos) become('bos', first);
      if (!names.cls) become('cls', first);
    }
    said.adds.set('bos', first === names.bos || first === names.cls);
  }
  if (last) {
    if (!said.hasFields) names.eos = last;
    else if (last !== names.eos) {
      const kept = ['eot', 'eom'].find((type) => !said.types.includes(type));
      if (kept) {
        said.types.push(kept);
        said.fields[`${kept}_token`] = names.eos;
      }
      become('eos', last);
    }
    said.adds.set('eos', true);
  }
  if (Array.isArray(pair) && pair.length > 0) readPair(said, names, pair, { first, last });
}

/** A [sep] [eos] B */
function readPair(
  said: Said,
  names: Record<Name, unknown>,
  pair: readonly unknown[],
  { first, last }: { first: string | null; last: string | null },
): void {
  const start = first && specialOf(pair[0]) === first ? 1 : 0;
  const stop = last && specialOf(pair.at(-1)) === last ? -1 : undefined;
  const inner = pair.slice(start, stop);
  if (inner.length === 0 || sequenceOf(inner[0]) !== 'A' || sequenceOf(inner.at(-1)) !== 'B') return;
  const middle = inner.slice(1, -1);
  if (middle.length === 0) return;
  const separates = (part: unknown) => {
    const token = specialOf(part);
    return token !== null && (token === names.sep || token === names.eos);
  };
  const adds = (!last && separates(middle[0])) || (middle.length === 2 && separates(middle[1]));
  said.adds.set('sep', adds);
  if (adds && !names.sep && said.hasFields) said.fields.sep_token = names.eos;
}

const idOf = (part: unknown, kind: string): string | null => {
  const inner = isRecord(part) ? part[kind] : null;
  return isRecord(inner) && typeof inner.id === 'string' && inner.id !== '' ? inner.id : null;
};
const specialOf = (part: unknown) => idOf(part, 'SpecialToken');
const sequenceOf = (part: unknown) => idOf(part, 'Sequence');

/** What tokenizer_config.json says goes first, also where it says null. */
const chatTemplatesOf = ({ tokenizerConfig, templates }: SpecialTokenFiles): unknown =>
  tokenizerConfig && 'chat_template' in tokenizerConfig ? tokenizerConfig.chat_template : templates;

function setChatTemplates(keys: Keys, templates: unknown): void {
  if (typeof templates === 'string') setText(keys, 'tokenizer.chat_template', templates);
  if (!Array.isArray(templates)) return;
  const named = templates.filter(isRecord).flatMap(({ name, template }) => {
    const plain = typeof name === 'string' ? name.replace(/[^A-Za-z0-9]/gu, '_') : '';
    return plain !== '' && typeof template === 'string' ? [{ name: plain, template }] : [];
  });
  const others = named.filter(({ name }) => name !== 'default');
  for (const { name, template } of others) setText(keys, `tokenizer.chat_template.${name}`, template);
  setList(keys, 'tokenizer.chat_templates', 'string', [...new Set(others.map(({ name }) => name))]);
  const byDefault = named.findLast(({ name }) => name === 'default');
  if (byDefault) setText(keys, 'tokenizer.chat_template', byDefault.template);
}

function setNormalizer(keys: Keys, normalizer: unknown): void {
  const found: { lowercase?: boolean; strip_accents?: boolean } = {};
  const read = (one: unknown): void => {
    if (!isRecord(one)) return;
    if (one.type === 'Lowercase') found.lowercase = true;
    else if (one.type === 'StripAccents') found.strip_accents = true;
    else if (one.type === 'BertNormalizer') {
      for (const name of ['lowercase', 'strip_accents'] as const) {
        const said = one[name];
        if (typeof said === 'boolean') found[name] = said;
      }
    } else if (one.type === 'Sequence' && Array.isArray(one.normalizers))
      for (const each of one.normalizers) read(each);
  };
  read(normalizer);
  for (const name of ['lowercase', 'strip_accents'] as const) {
    const value = found[name];
    if (value !== undefined) keys.set(`tokenizer.ggml.normalizer.${name}`, bool(value));
  }
}

/** The merges of a BPE model, as pairs with a space between them; spaces within a token are written as byte-level BPE writes them. */
export function mergesOf(tokenizer: Json | null): string[] {
  const model = tokenizer?.model;
  const merges = isRecord(model) && Array.isArray(model.merges) ? model.merges : [];
  return merges.map((merge: unknown) =>
    Array.isArray(merge) ? merge.map((part) => String(part).replaceAll(' ', '\u0120')).join(' ') : String(merge),
  );
}
