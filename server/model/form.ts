// What families do differently (config.ts, ModelForm), as pieces of graphs.
import { add, geluTanh, scale, silu, tanh } from '../graph/ops/elementwise';
import { rmsNorm } from '../graph/ops/transformer';
import { scalar, type Value } from '../graph/value';
import type { ModelConfig, ModelForm } from './config';

/** RMS norm of x [..., n] by a weight [n] as the family means it. */
export const norm = ({ normEpsilon, form }: ModelConfig, x: Value, weight: Value): Value =>
  rmsNorm(x, form.normAddsOne ? add(weight, scalar(1)) : weight, normEpsilon);

export const activate = ({ form }: ModelConfig, x: Value): Value => activations[form.activation](x);

const activations = { silu, geluTanh } satisfies Record<ModelForm['activation'], (x: Value) => Value>;

/** cap tanh(x / cap), which stays within (-cap, cap) (Gemma 2, arXiv:2408.00118, section 2). */
export const softCap = (x: Value, cap: number | null): Value =>
  cap === null ? x : scale(tanh(scale(x, 1 / cap)), cap);

/** h[0] of embeddings [tokens, D], flat; changes them in place. */
export function scaledEmbeddings({ form }: ModelConfig, embeddings: Float32Array): Float32Array {
  const { embedding } = form.scales;
  if (embedding !== 1) for (let i = 0; i < embeddings.length; i++) embeddings[i]! *= embedding;
  return embeddings;
}

/** How many numbers of each head are rotated. */
export const rotaryWidth = ({ headWidth, form }: ModelConfig): number => Math.floor(headWidth * form.rotaryShare);
