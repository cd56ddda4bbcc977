// adapter_config.json, as PEFT 0.21 reads and writes it (src/peft/tuners/lora/config.py): plain LoRA, and nothing else.
import * as z from 'zod';
import { UserError } from '../errors';
import { type AdaptedModule, type AdapterForm, adapterTargets, moduleKey } from '../model/adapter';
import { refuseForeignContent } from '../shared/foreignContent';
import { parseStrictJson, quote } from './strictJson';

export const adapterConfigFile = 'adapter_config.json';

/** What is read from it. */
export interface AdapterConfig extends Pick<AdapterForm, 'rank' | 'alpha' | 'rankPattern' | 'alphaPattern' | 'rsLora'> {
  readonly dropout: number;
  /** Whether the list of target modules names a module; null where PEFT would decide by a regular expression. */
  readonly names: ((block: number, key: string) => boolean) | null;
  readonly baseModelNameOrPath: string | null;
}

/**
 * @param text the content of the file
 * @throws UserError `unsupportedModel` for what is not plain LoRA, `damagedCheckpoint` for what cannot be believed.
 */
export function parseAdapterConfig(text: string, path: string): AdapterConfig {
  const json = parseObject(text, path);
  refuseOtherThanLora(json, path);
  const result = schema.safeParse(json);
  if (!result.success) {
    const where = result.error.issues[0]!.path.join('.');
    throw new UserError('damagedCheckpoint', `${path} has something unexpected in ${where}; get the adapter again.`);
  }
  const { r, lora_alpha, lora_dropout, rank_pattern, alpha_pattern, use_rslora, ...said } = result.data;
  return {
    rank: r,
    alpha: lora_alpha,
    dropout: lora_dropout,
    rankPattern: rank_pattern ?? {},
    alphaPattern: alpha_pattern ?? {},
    rsLora: use_rslora ?? false,
    names: namedModules(said.target_modules, said.layers_to_transform, said.exclude_modules),
    baseModelNameOrPath: said.base_model_name_or_path ?? null,
  };
}

/** The fields of old and new PEFT alike: what is left out has its default there, and strange fields break old versions. */
export function adapterConfigJson(
  form: AdapterForm,
  modules: readonly AdaptedModule[],
  nBlocks: number,
  baseModelNameOrPath: string | null,
): Record<string, unknown> {
  return {
    alpha_pattern: form.alphaPattern,
    auto_mapping: null,
    base_model_name_or_path: baseModelNameOrPath,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layers_pattern: null,
    ...targetFields(modules, nBlocks),
    lora_alpha: form.alpha,
    lora_dropout: form.dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: form.rank,
    rank_pattern: form.rankPattern,
    revision: null,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: form.rsLora,
  };
}

/** Targets by blocks where that says it; otherwise every module by its name, as beside sublayers that were dropped. */
function targetFields(modules: readonly AdaptedModule[], nBlocks: number) {
  const blocks = [...new Set(modules.map(({ block }) => block))];
  const targets = adapterTargets.filter((name) => modules.some(({ target }) => target === name));
  if (blocks.length * targets.length !== modules.length)
    return { layers_to_transform: null, target_modules: modules.map(moduleKey) };
  return { layers_to_transform: blocks.length === nBlocks ? null : blocks, target_modules: targets };
}

function parseObject(text: string, path: string): Record<string, unknown> {
  refuseForeignContent(path, text, 'json');
  let json: unknown;
  try {
    json = parseStrictJson(text);
  } catch (error) {
    throw new UserError('damagedCheckpoint', `${path} is not valid JSON: ${(error as Error).message}.`);
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw new UserError('damagedCheckpoint', `${path} is not a JSON object; get the adapter again.`);
  return json as Record<string, unknown>;
}

/** Fields that must be off, since with them the adapter is more than scaling B A, or another thing. */
const mustBeOff = [
  'use_dora',
  'lora_bias',
  'modules_to_save',
  'fan_in_fan_out',
  'layer_replication',
  'target_parameters',
  'trainable_token_indices',
  'alora_invocation_tokens',
  'use_qalora',
  'use_bdlora',
  'arrow_config',
  'kasa_config',
  'monteclora_config',
];

/** Ways to begin that leave the model's own weights as they are; the others (PiSSA, OLoRA, ...) change them, too. */
const plainBeginnings: readonly unknown[] = [true, false, 'gaussian', 'eva', 'orthogonal', 'mica'];

function refuseOtherThanLora(json: Record<string, unknown>, path: string): void {
  const unsupported = (what: string) =>
    new UserError('unsupportedModel', `${path} ${what}; supported is plain LoRA on the projections of blocks.`);
  const shown = (field: string) => `${field} ${quote(JSON.stringify(json[field]) ?? 'undefined')}`;
  const { peft_type: type, bias = 'none', init_lora_weights: beginning = true } = json;
  if (type !== 'LORA')
    throw unsupported(type === undefined ? 'has no peft_type' : `has the peft_type ${quote(`${type}`)}`);
  const field = mustBeOff.find((name) => !isOff(json[name]));
  if (field !== undefined) throw unsupported(`sets ${shown(field)}`);
  if (bias !== 'none') throw unsupported(`sets ${shown('bias')}`);
  if (!plainBeginnings.includes(beginning)) throw unsupported(`sets ${shown('init_lora_weights')}`);
}

const isOff = (value: unknown): boolean =>
  value === undefined ||
  value === null ||
  value === false ||
  (typeof value === 'object' && Object.keys(value).length === 0);

/** As PEFT's check_target_module_exists for lists: a whole name wherever it lies, the end of one in the blocks listed. */
function namedModules(
  targets: string | readonly string[],
  layers: number | readonly number[] | null | undefined,
  excluded: unknown,
): AdapterConfig['names'] {
  if ((typeof targets === 'string' && targets !== 'all-linear') || !isOff(excluded)) return null;
  const names = typeof targets === 'string' ? adapterTargets : targets;
  const blocks = typeof layers === 'number' ? [layers] : (layers ?? []);
  return (block, key) =>
    names.includes(key) ||
    (names.some((name) => key.endsWith(`.${name}`)) && (blocks.length === 0 || blocks.includes(block)));
}

const positive = z.number().positive();
const schema = z.object({
  r: z.int().positive(),
  lora_alpha: positive,
  lora_dropout: z.number().min(0).lt(1).default(0),
  rank_pattern: z.record(z.string(), z.int().positive()).nullish(),
  alpha_pattern: z.record(z.string(), positive).nullish(),
  use_rslora: z.boolean().nullish(),
  target_modules: z.union([z.string(), z.array(z.string())]),
  layers_to_transform: z.union([z.int(), z.array(z.int())]).nullish(),
  exclude_modules: z.union([z.string(), z.array(z.string())]).nullish(),
  base_model_name_or_path: z.string().nullish(),
});
