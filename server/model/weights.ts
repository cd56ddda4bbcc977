// Which weights a model has: their names in a Hugging Face checkpoint and their shapes. A linear's weight is [out, in].
import type { Sublayers, ModelConfig } from './config';
import { hasAttention, hasMlp } from './path';

export interface WeightTemplate {
  /** The name after `model.layers.<block>.`, such as `self_attn.q_proj.weight`. */
  readonly suffix: string;
  readonly shape: readonly number[];
}

/** The weights that a block has, in the order in which it uses them; with `sublayers`, those that they need. */
export function blockWeights(config: ModelConfig, sublayers: Sublayers = 'whole'): WeightTemplate[] {
  const { width: D, mlpWidth: F, nHeads: H, nKeyValueHeads: G, headWidth: E, biases, form } = config;
  const linear = (name: string, out: number, into: number, biased: boolean): WeightTemplate[] => [
    { suffix: `${name}.weight`, shape: [out, into] },
    ...(biased ? [{ suffix: `${name}.bias`, shape: [out] }] : []),
  ];
  const norm = (name: string | null, width = D): WeightTemplate[] =>
    name === null ? [] : [{ suffix: `${name}.weight`, shape: [width] }];
  const projections = form.fusedProjections
    ? linear('self_attn.qkv_proj', (H + 2 * G) * E, D, biases.qkv)
    : [
        ...linear('self_attn.q_proj', H * E, D, biases.qkv),
        ...linear('self_attn.k_proj', G * E, D, biases.qkv),
        ...linear('self_attn.v_proj', G * E, D, biases.qkv),
      ];
  const normedHeads = { none: null, head: [E, E], allHeads: [H * E, G * E] }[form.queryKeyNorm];
  const attention = [
    ...norm(form.norms.attention.before),
    ...projections,
    ...(normedHeads ? [...norm('self_attn.q_norm', normedHeads[0]), ...norm('self_attn.k_norm', normedHeads[1])] : []),
    ...linear('self_attn.o_proj', D, H * E, biases.attentionOutput),
    ...norm(form.norms.attention.after),
  ];
  const gateAndUp = form.fusedProjections
    ? linear('mlp.gate_up_proj', 2 * F, D, biases.mlp)
    : [...linear('mlp.gate_proj', F, D, biases.mlp), ...linear('mlp.up_proj', F, D, biases.mlp)];
  const mlp = [
    ...norm(form.norms.mlp.before),
    ...gateAndUp,
    ...linear('mlp.down_proj', D, F, biases.mlp),
    ...norm(form.norms.mlp.after),
  ];
  return [...(hasAttention(sublayers) ? attention : []), ...(hasMlp(sublayers) ? mlp : [])];
}

/** The last layer of each sublayer, through which it adds to the hidden state. */
export const outputProjections = { attention: 'self_attn.o_proj', mlp: 'mlp.down_proj' } as const;

export const embeddingName = 'model.embed_tokens.weight';
export const finalNormName = 'model.norm.weight';
export const headName = 'lm_head.weight';

/** `blockWeightName(3, 'mlp.up_proj.weight')` is `model.layers.3.mlp.up_proj.weight`. */
export const blockWeightName = (block: number, suffix: string) => `model.layers.${block}.${suffix}`;

/** The block and suffix of a block's weight; null for the weights outside of blocks. */
export function parseBlockWeightName(name: string): { block: number; suffix: string } | null {
  const match = /^model\.layers\.(0|[1-9]\d{0,6})\.(.+)$/.exec(name);
  return match ? { block: Number(match[1]), suffix: match[2]! } : null;
}

/** Every weight that the model needs, by name, in the order of use; a tied model's head is its embedding and not listed. */
export function weightShapes(config: ModelConfig): Map<string, readonly number[]> {
  const { vocabularySize: V, width: D } = config;
  const templates = blockWeights(config);
  const blocks = config.blocks.flatMap((_, k) =>
    templates.map(({ suffix, shape }) => [blockWeightName(k, suffix), shape] as const),
  );
  return new Map<string, readonly number[]>([
    [embeddingName, [V, D]],
    ...blocks,
    [finalNormName, [D]],
    ...(config.tiedEmbeddings ? [] : [[headName, [V, D]] as const]),
  ]);
}

/** How many numbers the model is made of; a tied head counts once. */
export function nParameters(config: ModelConfig): number {
  let n = 0;
  for (const shape of weightShapes(config).values()) n += shape.reduce((product, dim) => product * dim, 1);
  return n;
}
