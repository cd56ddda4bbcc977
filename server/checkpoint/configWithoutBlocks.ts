// config.json for a model that keeps only some of its blocks. Whatever speaks of single blocks is cut or renumbered;
// a pattern that was only implied ("every fourth block") is spelled out, since it would now hit other blocks.

import { readModelConfig, spelledOutFields } from '../model/readConfig';
import type { Dtype } from '../protocol/recipes';

type Json = Readonly<Record<string, unknown>>;

/**
 * @param json the content of config.json, supported by `readModelConfig`
 * @param keptBlocks numbers of the blocks to keep, ascending
 * @param dtype the dtype that the weights are converted to, null if they stay as they are
 * @returns the new content; reading it gives each kept block what it had before.
 */
export function configWithoutBlocks(
  json: Json,
  keptBlocks: readonly number[],
  dtype: Dtype | null = null,
): Record<string, unknown> {
  const { nBlocks } = readModelConfig(json);
  const result: Record<string, unknown> = { ...json, ...spelledOutFields(json) };
  const keep = (list: readonly unknown[]) => keptBlocks.map((k) => list[k]);
  const countBelow = (threshold: number) => keptBlocks.filter((k) => k < threshold).length;
  for (const [key, value] of Object.entries(result)) {
    if (listsByBlock.has(key) && Array.isArray(value) && value.length === nBlocks) result[key] = keep(value);
    else if (listsOfBlocks.has(key) && Array.isArray(value))
      result[key] = keptBlocks.flatMap((k, i) => (value.includes(k) ? [i] : []));
    else if (thresholds.has(key) && typeof value === 'number') result[key] = countBelow(value);
  }
  result.num_hidden_layers = keptBlocks.length;
  if (dtype !== null) for (const key of dtypeKeys(json)) result[key] = dtypeNames[dtype];
  return result;
}

/**
 * The content of a generation_config.json, whose few fields about blocks are renumbered: `dola_layers` (a list of blocks) and
 * `assistant_early_exit` (how many blocks a draft goes through). The very same object where it has none.
 * @param keptBlocks null: all
 */
export function generationWithoutBlocks<T extends Json>(json: T, keptBlocks: readonly number[] | null): T {
  const { dola_layers: layers, assistant_early_exit: exit } = json;
  if (keptBlocks === null || (!Array.isArray(layers) && typeof exit !== 'number')) return json;
  return {
    ...json,
    ...(Array.isArray(layers) && { dola_layers: keptBlocks.flatMap((k, i) => (layers.includes(k) ? [i] : [])) }),
    ...(typeof exit === 'number' && { assistant_early_exit: Math.max(1, keptBlocks.filter((k) => k < exit).length) }),
  };
}

/**
 * The text of a config.json that was made of another. JSON knows one kind of number, but transformers takes 30.0 for a float
 * and may refuse 30 in its place: what was written with a point keeps it.
 */
export function formatConfig(config: Json, original: string): string {
  const floats = new Set([...original.matchAll(/"([^"\\]+)"\s*:\s*-?\d+\.0+(?=\s*[,}])/g)].map(([, key]) => key));
  const text = JSON.stringify(config, null, 2);
  return `${text.replace(/"([^"\\]+)": (-?\d+)(?=,?$)/gm, (found, key) => (floats.has(key) ? `${found}.0` : found))}\n`;
}

/** Lists with one entry for each block. */
export const listsByBlock = new Set([
  'layer_types',
  'mlp_layer_types',
  'no_rope_layers',
  'num_key_value_heads',
  'num_attention_heads',
  'intermediate_size',
  'sliding_window',
  'sliding_windows',
  'sliding_window_pattern',
  'attention_layer_types',
  'layers_block_type',
  'moe_layer_freq',
]);

/** Lists of block numbers. */
export const listsOfBlocks = new Set([
  'mlp_only_layers',
  'full_attention_layers',
  'sliding_attention_layers',
  'drop_attn_list',
  'drop_mlp_list',
]);

/** "The blocks from this one on are different." */
export const thresholds = new Set(['max_window_layers', 'first_k_dense_replace']);

const dtypeNames = { f32: 'float32', f16: 'float16', bf16: 'bfloat16' } as const satisfies Record<Dtype, string>;

/** Whichever of the two spellings the file uses; the one that all versions read if it uses none. */
function dtypeKeys(json: Json): string[] {
  const used = ['dtype', 'torch_dtype'].filter((key) => json[key] !== undefined);
  return used.length > 0 ? used : ['torch_dtype'];
}
