// AdamW with clipped gradients as graphs: one run changes the matrices of many blocks. Formulas and their order are those of
// torch.optim.AdamW and torch.nn.utils.clip_grad_norm_ (arXiv:1412.6980, arXiv:1711.05101).
import { add, div, mul, scale, sqrt, square, sub } from '../graph/ops/elementwise';
import { concat, reshape } from '../graph/ops/movement';
import { reduceSum } from '../graph/ops/reduce';
import { gradientOf } from '../model/blockGradient';
import { type Graph, input, scalar, type Shape, type Value } from '../graph/value';

export interface AdamWConstants {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

/** Inputs and outputs of the graph for one matrix; an output's name has `next ` before it. */
export const parameterOf = (name: string) => name;
export const firstMoment = (name: string) => `first moment ${name}`;
export const secondMoment = (name: string) => `second moment ${name}`;
export const next = (name: string) => `next ${name}`;

/** What changes from step to step, each []: fed as inputs. */
export interface StepScalars {
  /** What every gradient is multiplied by so that all together are no longer than the clip. */
  readonly clip: number;
  /** 1 - learning rate * weight decay. */
  readonly decay: number;
  /** learning rate / (1 - beta1^t), t counted from 1. */
  readonly stepSize: number;
  /** sqrt(1 - beta2^t). */
  readonly secondCorrection: number;
}

export const stepScalars = (
  { beta1, beta2, weightDecay }: { beta1: number; beta2: number; weightDecay: number },
  rate: number,
  step: number,
  clip: number,
): StepScalars => ({
  clip,
  decay: 1 - rate * weightDecay,
  stepSize: rate / (1 - beta1 ** (step + 1)),
  secondCorrection: Math.sqrt(1 - beta2 ** (step + 1)),
});

/** One step of some matrices, by name and shape. */
export function adamwStep(matrices: Readonly<Record<string, Shape>>, { beta1, beta2, epsilon }: AdamWConstants): Graph {
  const clip = input('clip', []);
  const decay = input('decay', []);
  const stepSize = input('stepSize', []);
  const secondCorrection = input('secondCorrection', []);
  const outputs: Record<string, Value> = {};
  for (const [name, shape] of Object.entries(matrices)) {
    const gradient = mul(input(gradientOf(name), shape), clip);
    const [before1, before2] = [input(firstMoment(name), shape), input(secondMoment(name), shape)];
    const moment1 = add(before1, scale(sub(gradient, before1), 1 - beta1));
    const moment2 = add(scale(before2, beta2), scale(square(gradient), 1 - beta2));
    const spread = add(div(sqrt(moment2), secondCorrection), scalar(epsilon));
    const decayed = mul(input(parameterOf(name), shape), decay);
    outputs[next(parameterOf(name))] = sub(decayed, mul(div(moment1, spread), stepSize));
    outputs[next(firstMoment(name))] = moment1;
    outputs[next(secondMoment(name))] = moment2;
  }
  return { name: 'adamwStep', outputs };
}

/** The sums of the squares of all elements of the gradients of each set of matrices, [sets]. */
export function sumsOfSquares(sets: readonly Readonly<Record<string, Shape>>[]): Graph {
  return { name: 'sumsOfSquares', outputs: { sums: concat(sets.map(sumOfSquares), 0) } };
}

/** [1] */
function sumOfSquares(matrices: Readonly<Record<string, Shape>>): Value {
  const sums = Object.entries(matrices).map(([name, shape]) => {
    const squares = square(input(gradientOf(name), shape));
    return reshape(
      reduceSum(
        squares,
        shape.map((_, axis) => axis),
      ),
      [1],
    );
  });
  return sums.reduce(add);
}
