// Ops of transformers that onnxruntime has as one kernel each.
import { apply, type Op, ShapeError, scalar, type Value } from '../value';
import { add, mul, neg, reciprocal, sqrt, square, sub } from './elementwise';
import { reduceMean } from './reduce';

/** x [..., D], weight [D] -> x / sqrt(mean(x^2) + epsilon) weight, the mean along the last axis (arXiv:1910.07467). */
const RmsNorm: Op<{ readonly epsilon: number }> = {
  name: 'RmsNorm',
  shape: ([x, weight]) => {
    if (weight!.length !== 1 || weight![0] !== x!.at(-1)) throw new ShapeError('RmsNorm', [x!, weight!]);
    return x!;
  },
  /** With n = x / rms(x) and g = dy weight: dx = (g - n mean(g n)) / rms(x). */
  gradient: ({ inputs: [x, weight], attributes: { epsilon } }, dy) => {
    const inverse = reciprocal(sqrt(add(reduceMean(square(x!), [-1]), scalar(epsilon))));
    const n = mul(x!, inverse);
    const g = mul(dy, weight!);
    return [mul(sub(g, mul(n, reduceMean(mul(g, n), [-1]))), inverse), mul(dy, n)];
  },
  emit: (to, inputs, { attributes: { epsilon } }) =>
    to.node('SimplifiedLayerNormalization', inputs, {
      axis: { int: -1 },
      epsilon: { float: epsilon },
      stash_type: { int: 1 },
    }),
};

/**
 * x [B, H, T, E], positions [B, T] into the tables cos and sin [positions, E/2] -> x with the pairs (i, i + E/2) of each
 * head turned by the angle of its position (arXiv:2104.09864, halves as Hugging Face lays them out).
 */
const Rotary: Op = {
  name: 'Rotary',
  shape: ([x, positions, cos, sin]) => {
    const [b, , t, e] = x!;
    const fits =
      x!.length === 4 && positions![0] === b && positions![1] === t && cos![1] === e! / 2 && `${sin}` === `${cos}`;
    if (!fits) throw new ShapeError('Rotary', [x!, positions!, cos!, sin!]);
    return x!;
  },
  /** Turned back by the same angle. */
  gradient: ({ inputs: [, positions, cos, sin] }, dy) => [rotary(dy, positions!, cos!, neg(sin!)), null, null, null],
  emit: (to, inputs) => to.node('com.microsoft:RotaryEmbedding', inputs, { interleaved: { int: 0 } }),
};

export const rmsNorm = (x: Value, weight: Value, epsilon: number) => apply(RmsNorm, [x, weight], { epsilon });
export const rotary = (x: Value, positions: Value, cos: Value, sin: Value) =>
  apply(Rotary, [x, positions, cos, sin], undefined);
