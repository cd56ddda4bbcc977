// A block of a LLaMA-like transformer in the graph language: one definition for whole sequences, cached decoding and packed
// rows, which differ in their attention alone. Weights are inputs, so one compiled block serves all blocks of a shape.
// Letters: B batch, T tokens, D width, G key/value heads, E head width, F MLP width.
import { add, mul, scale } from '../graph/ops/elementwise';
import { slice } from '../graph/ops/movement';
import { type Graph, input, type Value } from '../graph/value';
import { type Attention, causalAttention } from './attention';
import { type BatchShape, type BlockWeightInputs, blockWeightInputs, noAdapters } from './blockInputs';
import type { ModelConfig, SublayerNorms } from './config';
import { activate, norm } from './form';
import { queriesKeysValues } from './heads';
import type { AdapterUse } from './lora';
import { hasAttention, hasMlp, type Stage } from './path';

/** The values inside a block that others look at, each [B*T, D]. A sublayer that is left out adds zero. */
export interface BlockParts {
  readonly batch: BatchShape;
  readonly hiddenIn: Value; // h[k]
  readonly attention: Value; // what attention adds
  readonly between: Value; // h[k] + attention
  readonly mlp: Value; // what the MLP adds
  readonly channels: Value | null; // inside the MLP, before down [B*T, F]; null where there is none
  readonly hiddenOut: Value; // h[k+1]
  /** As the attention gives them; null where there is none. */
  readonly keyValues: { readonly keys: Value; readonly values: Value } | null;
}

export interface BlockOptions {
  /** Default: causal, for whole sequences. */
  readonly attention?: Attention;
  readonly adapters?: AdapterUse;
}

/**
 * A block, or one sublayer of it. Inputs: hidden [B*T, D], positions [B, T], those of the rotation
 * (heads.ts) and of the attention, weights by suffix, and the matrices of adapters by the names of lora.ts.
 */
export function blockParts(
  config: ModelConfig,
  { block, sublayers }: Stage,
  batch: BatchShape,
  { attention = causalAttention, adapters = noAdapters }: BlockOptions = {},
): BlockParts {
  const weights = blockWeightInputs(config, block, adapters);
  const hiddenIn = input('hidden', [batch.batch * batch.tokens, config.width]);
  const attended = hasAttention(sublayers) ? attentionOf(config, block, weights, hiddenIn, batch, attention) : null;
  const between = attended ? add(hiddenIn, attended.added) : hiddenIn;
  const mlp = hasMlp(sublayers) ? gatedMlp(config, weights, between) : null;
  return {
    batch,
    hiddenIn,
    attention: attended?.added ?? scale(hiddenIn, 0),
    between,
    mlp: mlp?.added ?? scale(between, 0),
    channels: mlp?.channels ?? null,
    hiddenOut: mlp ? add(between, mlp.added) : between,
    keyValues: attended?.keyValues ?? null,
  };
}

/** The same as a graph with the output hiddenOut, and with `returnKeyValues` also keys and values, where there are any. */
export function blockGraph(
  config: ModelConfig,
  stage: Stage,
  batch: BatchShape,
  { returnKeyValues = false, ...options }: BlockOptions & { readonly returnKeyValues?: boolean } = {},
): Graph {
  const { hiddenOut, keyValues } = blockParts(config, stage, batch, options);
  return { name: 'block', outputs: { hiddenOut, ...(returnKeyValues && keyValues) } };
}

function attentionOf(
  config: ModelConfig,
  block: number,
  weights: BlockWeightInputs,
  x: Value,
  batch: BatchShape,
  { tablePositions, attend }: Attention,
) {
  const { attention: norms } = config.form.norms;
  const shape = { ...batch, tablePositions: tablePositions ?? batch.tokens };
  const heads = queriesKeysValues(config, block, weights, normBefore(config, norms, weights, x), shape);
  const { attentionOutput, ...keyValues } = attend(config, heads, config.blocks[block]!.slidingWindow);
  return { added: added(config, norms, weights, weights.project('self_attn.o_proj', attentionOutput)), keyValues };
}

/** activation(x Wg) * (x Wu) Wd of the normed x (arXiv:2002.05202). */
function gatedMlp(config: ModelConfig, weights: BlockWeightInputs, x: Value) {
  const { form, mlpWidth: F } = config;
  const normed = normBefore(config, form.norms.mlp, weights, x);
  const fused = form.fusedProjections ? weights.project('mlp.gate_up_proj', normed) : null;
  const gate = fused ? slice(fused, 1, 0, F) : weights.project('mlp.gate_proj', normed);
  const up = fused ? slice(fused, 1, F, 2 * F) : weights.project('mlp.up_proj', normed);
  const channels = mul(activate(config, gate), up);
  return { channels, added: added(config, form.norms.mlp, weights, weights.project('mlp.down_proj', channels)) };
}

const normBefore = (config: ModelConfig, { before }: SublayerNorms, weights: BlockWeightInputs, x: Value): Value =>
  before === null ? x : norm(config, x, weights.get(`${before}.weight`));

/** What a sublayer that has made y adds to the hidden state. */
function added(config: ModelConfig, { after }: SublayerNorms, weights: BlockWeightInputs, y: Value): Value {
  const { residual } = config.form.scales;
  const normed = after === null ? y : norm(config, y, weights.get(`${after}.weight`));
  return residual === 1 ? normed : scale(normed, residual);
}
