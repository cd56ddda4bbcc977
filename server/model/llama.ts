// A LLaMA-like transformer in the graph language, one block at a time. Weights are inputs, so one compiled block serves
// all blocks of a shape. Letters: B batch, T tokens, D width, H query heads, G key/value heads, E head width, F MLP width.
import { add, mul, scale, silu } from '../graph/ops/elementwise';
import { rmsNorm } from '../graph/ops/transformer';
import { type Graph, input, type Value } from '../graph/value';
import { attendToCache, causalAttention, maskedAttention, queriesKeysValues } from './attention';
import { type BatchShape, type BlockWeightInputs, blockWeightInputs, noAdapters } from './blockInputs';
import type { ModelConfig } from './config';
import type { AdapterUse } from './lora';
import { hasAttention, hasMlp, type Stage } from './path';

/**
 * The values inside a block that others look at, each [B*T, D]; `keys` and `values` are [B, G, T, E], and null where there
 * is no attention. A half that is left out adds zero.
 */
export interface BlockParts {
  readonly batch: BatchShape;
  readonly entering: Value; // h[k]
  readonly attention: Value; // what attention adds
  readonly between: Value; // h[k] + attention
  readonly mlp: Value; // what the MLP adds
  readonly leaving: Value; // h[k+1]
  readonly cache: { readonly keys: Value; readonly values: Value } | null;
}

/** A text that is equal for two blocks exactly when one compiled graph serves both. */
export function blockSignature(config: ModelConfig, { block, form }: Stage): string {
  const { rope, slidingWindow } = config.blocks[block]!;
  return hasAttention(form) ? `${form} ${rope ? 'rope' : 'noRope'} ${slidingWindow ?? 'full'}` : form;
}

/**
 * A block, or half of one, for whole windows. Inputs: hidden [B*T, D], positions [B, T], cos and sin [T, E/2], weights by
 * suffix, and the matrices of adapters by the names of lora.ts.
 */
export function blockParts(
  config: ModelConfig,
  { block, form }: Stage,
  batch: BatchShape,
  adapters: AdapterUse = noAdapters,
): BlockParts {
  const weights = blockWeightInputs(config, adapters);
  const entering = input('hidden', [batch.batch * batch.tokens, config.width]);
  const attended = hasAttention(form) ? attentionOf(config, block, weights, entering, batch) : null;
  const between = attended ? add(entering, attended.attention) : entering;
  const mlp = hasMlp(form) ? gatedMlp(config, weights, between) : null;
  return {
    batch,
    entering,
    attention: attended?.attention ?? scale(entering, 0),
    between,
    mlp: mlp ?? scale(between, 0),
    leaving: mlp ? add(between, mlp) : between,
    cache: attended?.cache ?? null,
  };
}

function attentionOf(config: ModelConfig, block: number, weights: BlockWeightInputs, x: Value, batch: BatchShape) {
  const normed = rmsNorm(x, weights.get('input_layernorm.weight'), config.normEpsilon);
  const heads = queriesKeysValues(config, block, weights, normed, batch, batch.tokens);
  const seen = causalAttention(config, heads, config.blocks[block]!.slidingWindow);
  return { attention: weights.project('self_attn.o_proj', seen), cache: { keys: heads.keys, values: heads.values } };
}

/**
 * One token after others whose keys and values are kept. Inputs: hidden [1, D], positions [1, 1], cos and sin
 * [capacity, E/2], pastKeys and pastValues [1, G, capacity, E] (zero where nothing was written yet), slot [capacity]
 * (one at this token's place, else zero), mask [capacity] (zero where visible, else very negative), weights by suffix.
 */
export function decodeBlock(config: ModelConfig, { block, form }: Stage, capacity: number): Graph {
  const weights = blockWeightInputs(config);
  const entering = input('hidden', [1, config.width]);
  if (!hasAttention(form))
    return { name: 'decode', outputs: { leaving: add(entering, gatedMlp(config, weights, entering)) } };
  const normed = rmsNorm(entering, weights.get('input_layernorm.weight'), config.normEpsilon);
  const now = queriesKeysValues(config, block, weights, normed, { batch: 1, tokens: 1 }, capacity);
  const { seen, keys, values } = attendToCache(config, now, capacity);
  const between = add(entering, weights.project('self_attn.o_proj', seen));
  const leaving = hasMlp(form) ? add(between, gatedMlp(config, weights, between)) : between;
  return { name: 'decode', outputs: { leaving, keys, values } };
}

/** Rows in which a token sees what a mask lets it see, of its row and of a past that all rows share. */
export interface PackedShape extends BatchShape {
  readonly nPast: number; // P
  /** Rows of the tables cos and sin. */
  readonly tablePositions: number;
}

/**
 * A block, or half of one, for packed rows. Inputs: hidden [B*T, D], positions [B, T], cos and sin [tablePositions, E/2],
 * mask, pastKeys and pastValues as maskedAttention has them, weights by suffix. With `lends` also the keys and values
 * [B, G, P+T, E], for those who come behind.
 */
export function packedBlock(config: ModelConfig, { block, form }: Stage, shape: PackedShape, lends: boolean): Graph {
  const weights = blockWeightInputs(config);
  const entering = input('hidden', [shape.batch * shape.tokens, config.width]);
  if (!hasAttention(form))
    return { name: 'packed', outputs: { leaving: add(entering, gatedMlp(config, weights, entering)) } };
  const normed = rmsNorm(entering, weights.get('input_layernorm.weight'), config.normEpsilon);
  const heads = queriesKeysValues(config, block, weights, normed, shape, shape.tablePositions);
  const { seen, keys, values } = maskedAttention(config, heads, shape.nPast);
  const between = add(entering, weights.project('self_attn.o_proj', seen));
  const leaving = hasMlp(form) ? add(between, gatedMlp(config, weights, between)) : between;
  return { name: 'packed', outputs: { leaving, ...(lends && { keys, values }) } };
}

/** silu(x Wg) * (x Wu) Wd of the normed x (arXiv:2002.05202). */
function gatedMlp(config: ModelConfig, weights: BlockWeightInputs, x: Value): Value {
  const normed = rmsNorm(x, weights.get('post_attention_layernorm.weight'), config.normEpsilon);
  const gate = silu(weights.project('mlp.gate_proj', normed));
  return weights.project('mlp.down_proj', mul(gate, weights.project('mlp.up_proj', normed)));
}
