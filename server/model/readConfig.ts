// config.json to ModelConfig, with the meaning that transformers 5 gives it; reads the keys of transformers 4 as well.
// Whatever would make the model compute something else than our graphs do is refused by name.
import type { z } from 'zod';
import { UserError } from '../errors';
import { llamaForm, type ModelConfig, type ModelForm, type Rope, type WeightDtype } from './config';
import { type ConfigFields, configFields, formFields } from './configFields';
import { type Family, families, isFamilyName } from './families';
import { refuseUnsupportedFeatures } from './unsupportedFeatures';

/**
 * The parsed content of a config.json as what graphs need to know.
 * @throws UserError `unsupportedModel` naming the key, what it holds and what is supported.
 */
export function readModelConfig(json: unknown): ModelConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw unsupported(`config.json holds ${show(json)} instead of an object; is this a model's config.json?`);
  }
  const { model_type: type } = json as { model_type?: unknown };
  if (!isFamilyName(type)) {
    const found = type === undefined ? 'lacks model_type' : `has model_type ${show(type)}`;
    throw unsupported(`config.json ${found}; supported are ${Object.keys(families).join(', ')}.`);
  }
  const family: Family = families[type];
  const { defaults } = family;
  refuseUnsupportedFeatures(json as Record<string, unknown>, family);
  const fields = parseFields(json, family);
  const nHeads = fields.num_attention_heads;
  const nKeyValueHeads =
    fields.num_key_value_heads === undefined
      ? (defaults.nKeyValueHeads ?? nHeads)
      : (fields.num_key_value_heads ?? nHeads);
  const nBlocks = fields.num_hidden_layers;
  checkHeads(nHeads, nKeyValueHeads);
  checkBlockLists(fields, nBlocks);
  const headWidth = readHeadWidth(fields, defaults.headWidth);
  const form = { ...llamaForm, ...family.form?.(fields), rotaryShare: readRotaryShare(fields, family, headWidth) };
  const normEpsilon = fields.rms_norm_eps ?? defaults.normEpsilon ?? 1e-6;
  checkEpsilon(normEpsilon, form);
  return {
    family: type,
    nBlocks,
    width: fields.hidden_size,
    mlpWidth: fields.intermediate_size,
    nHeads,
    nKeyValueHeads,
    headWidth,
    vocabularySize: fields.vocab_size,
    contextLength: fields.max_position_embeddings ?? defaults.contextLength,
    normEpsilon,
    tiedEmbeddings: fields.tie_word_embeddings ?? defaults.tiedEmbeddings,
    biases: family.biases(fields),
    form,
    ropes: readRopes(fields, family),
    blocks: Array.from({ length: nBlocks }, (_, k) => ({ ...family.block(fields, k), sublayers: 'whole' as const })),
    bosTokenId: readIds(fields.bos_token_id)?.[0] ?? (fields.bos_token_id === undefined ? defaults.bosTokenId : null),
    eosTokenIds: readIds(fields.eos_token_id) ?? defaults.eosTokenIds,
    dtype: readDtype(fields),
  };
}

/**
 * What config.json leaves to be derived from the numbers of blocks, as keys to be stated before blocks are cut.
 * @throws UserError as readModelConfig
 */
export function spelledOutFields(json: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const family: Family = families[readModelConfig(json).family as keyof typeof families];
  return family.spelledOut?.(parseFields(json, family)) ?? {};
}

function parseFields(json: object, { reads = [] }: Family): ConfigFields {
  const own = Object.entries(json).filter(([key]) => reads.some((read) => read === key));
  return { ...parsed(configFields, json), ...parsed(formFields, Object.fromEntries(own)) };
}

function parsed<Fields>(schema: z.ZodType<Fields>, json: object): Fields {
  const result = schema.safeParse(json);
  if (result.success) return result.data;
  const { path, message } = result.error.issues[0]!;
  const key = String(path[0]);
  const value = (json as Record<string, unknown>)[key];
  const found = value === undefined ? `lacks ${key}` : `has ${key} ${show(value)}`;
  throw unsupported(`config.json ${found}; supported is ${message}.`);
}

function checkHeads(nHeads: number, nKeyValueHeads: number) {
  if (nHeads % nKeyValueHeads === 0) return;
  throw unsupported(
    `config.json has num_attention_heads ${nHeads} and num_key_value_heads ${nKeyValueHeads}; supported are head counts where the second divides the first.`,
  );
}

/** A sublayer is dropped by zeroing its output projection; a norm behind that gives 0 / sqrt(0 + epsilon). */
function checkEpsilon(normEpsilon: number, { norms }: ModelForm) {
  const normed = norms.attention.after !== null || norms.mlp.after !== null;
  if (normEpsilon > 0 || !normed) return;
  throw unsupported('config.json has rms_norm_eps 0; supported is a positive number where norms follow sublayers.');
}

function checkBlockLists(fields: ConfigFields, nBlocks: number) {
  for (const key of ['layer_types', 'no_rope_layers'] as const) {
    const found = fields[key]?.length ?? nBlocks;
    if (found !== nBlocks) {
      throw unsupported(
        `config.json has ${found} entries in ${key} but num_hidden_layers ${nBlocks}; supported is one entry for each block.`,
      );
    }
  }
}

function readHeadWidth(fields: ConfigFields, byDefault: number | null): number {
  const { hidden_size, num_attention_heads: nHeads } = fields;
  const width = fields.head_dim ?? (fields.head_dim === undefined ? byDefault : null) ?? hidden_size / nHeads;
  if (!Number.isInteger(width)) {
    throw unsupported(
      `config.json has hidden_size ${hidden_size}, which ${nHeads} heads do not divide, and no head_dim; state head_dim.`,
    );
  }
  if (width % 2 !== 0)
    throw unsupported(`config.json has a head width of ${width}; rotary embedding needs an even one.`);
  return width;
}

/** What positions mean; a part of config.json, by transformers' rules. */
interface RopeFields {
  /** The key that the parameters stand under, for messages. */
  readonly where: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly theta: number;
}

/** transformers 5 keeps all in `rope_parameters`; before, `rope_theta` stood beside `rope_scaling`, which still wins. */
function readRopes(fields: ConfigFields, { defaults }: Family): Rope[] {
  const { where, parameters } = ropeParameters(fields);
  const isNested = (key: string) => typeof parameters[key] === 'object' && /attention$/.test(key);
  const nested = Object.keys(parameters).find(isNested);
  const theta = fields.rope_theta ?? defaults.theta;
  if (defaults.slidingTheta === undefined) {
    if (nested === undefined) return [readRope(fields, { where, parameters, theta }, defaults)];
    throw unsupported(`config.json has ${where} of their own for ${nested}; supported is one set for all blocks.`);
  }
  // What stands for all blocks is that of the blocks with full attention: the sliding ones see too little to need more.
  const ofType = (type: string, otherwise: Readonly<Record<string, unknown>>) => {
    const own = nested === undefined ? otherwise : (parameters[type] ?? {});
    return { where: nested === undefined ? where : `${where}.${type}`, parameters: own as Record<string, unknown> };
  };
  const slidingTheta = fields.rope_local_base_freq ?? defaults.slidingTheta;
  return [
    readRope(fields, { ...ofType('full_attention', parameters), theta }, defaults),
    readRope(fields, { ...ofType('sliding_attention', {}), theta: slidingTheta }, defaults),
  ];
}

function ropeParameters(fields: ConfigFields) {
  const where = fields.rope_scaling && Object.keys(fields.rope_scaling).length > 0 ? 'rope_scaling' : 'rope_parameters';
  const parameters: Readonly<Record<string, unknown>> = fields[where] ?? {};
  return { where, parameters };
}

function readRope(fields: ConfigFields, { where, parameters, theta }: RopeFields, defaults: Family['defaults']): Rope {
  const read = (key: string, byDefault?: number | null) => {
    const value = parameters[key] ?? byDefault;
    if (typeof value === 'number' && Number.isFinite(value) && value > 0) return value;
    const found =
      value === undefined || value === null ? `lacks ${where}.${key}` : `has ${where}.${key} ${show(value)}`;
    throw unsupported(`config.json ${found}; supported is a positive number.`);
  };
  const plain = { theta: read('rope_theta', theta) };
  const type = parameters.rope_type ?? parameters.type ?? 'default';
  switch (type) {
    case 'default':
      return { type: 'default', ...plain };
    case 'linear':
      return { type: 'linear', ...plain, factor: read('factor') };
    case 'llama3': {
      const lowFrequencyFactor = read('low_freq_factor');
      const highFrequencyFactor = read('high_freq_factor');
      if (lowFrequencyFactor >= highFrequencyFactor) {
        throw unsupported(
          `config.json has ${where}.low_freq_factor ${lowFrequencyFactor}, not below high_freq_factor ${highFrequencyFactor}.`,
        );
      }
      const contextLength = fields.max_position_embeddings ?? defaults.contextLength;
      const originalContextLength =
        fields.original_max_position_embeddings ?? read('original_max_position_embeddings', contextLength);
      return {
        type: 'llama3',
        ...plain,
        factor: read('factor'),
        lowFrequencyFactor,
        highFrequencyFactor,
        originalContextLength,
      };
    }
    default:
      throw unsupported(`config.json has rope type ${show(type)}; supported are default, linear and llama3.`);
  }
}

/** The share of each head that is rotated; 1 but for families that read it. */
function readRotaryShare(fields: ConfigFields, { reads = [] }: Family, headWidth: number): number {
  const { where, parameters } = ropeParameters(fields);
  const inside = parameters.partial_rotary_factor;
  const share = inside ?? fields.partial_rotary_factor ?? 1;
  if (share === 1) return 1;
  const found = `config.json has ${inside === undefined ? '' : `${where}.`}partial_rotary_factor ${show(share)}`;
  if (!reads.includes('partial_rotary_factor'))
    throw unsupported(`${found}; supported is rotation of whole heads (1).`);
  const width = typeof share === 'number' ? Math.floor(headWidth * share) : 0;
  if (typeof share === 'number' && share < 1 && width >= 2 && width % 2 === 0) return share;
  throw unsupported(`${found}; supported is a share that rotates an even number of a head's ${headWidth}.`);
}

/** Token ids as a list, undefined if the key is absent; negative ones say "none" in some old files. */
const readIds = (value: number | number[] | null | undefined) =>
  value === undefined ? undefined : value === null ? [] : [value].flat().filter((id) => id >= 0);

const dtypes: Readonly<Record<string, WeightDtype>> = { float32: 'F32', float16: 'F16', bfloat16: 'BF16' };

/** What is stated; F32 for what is stored in no other way. What the files hold decides once they are open. */
function readDtype(fields: ConfigFields): WeightDtype {
  const name = (fields.dtype ?? fields.torch_dtype ?? 'float32').replace(/^torch\./, '');
  return Object.hasOwn(dtypes, name) ? dtypes[name]! : 'F32';
}

/** A value from the file as part of a one-line sentence. */
const show = (value: unknown) => {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
};

const unsupported = (sentence: string) => new UserError('unsupportedModel', sentence);
