// Ops that fold axes away. Reduced axes stay as extents of 1, so that results broadcast against what they came from.
import { apply, type Op, ShapeError, size, type Use, type Value } from '../value';
import { mul, scale, sub } from './elementwise';
import { expand } from './movement';

interface Axes {
  readonly axes: readonly number[];
}

/** ReduceMax takes its axes as an input like the others since opset 18. */
const reduction = (name: string, gradient?: (use: Use<Axes>, dy: Value) => readonly Value[]): Op<Axes> => ({
  name,
  shape: ([x], { axes }) => {
    if (axes.some((axis) => !(axis in x!))) throw new ShapeError(name, [x!, axes]);
    return x!.map((n, i) => (axes.includes(i) ? 1 : n));
  },
  ...(gradient && { gradient }),
  emit: (to, [x], { attributes: { axes } }) => to.node(name, [x!, to.int64s(axes)], { keepdims: { int: 1 } }),
});

const ReduceSum = reduction('ReduceSum', ({ inputs: [x] }, dy) => [expand(dy, x!.shape)]);
const ReduceMean = reduction('ReduceMean', ({ y, inputs: [x] }, dy) => [
  expand(scale(dy, size(y.shape) / size(x!.shape)), x!.shape),
]);
const ReduceMax = reduction('ReduceMax');

/** Along the last axis. */
const Softmax: Op = {
  name: 'Softmax',
  shape: ([x]) => x!,
  gradient: ({ y }, dy) => {
    const weighted = mul(dy, y);
    return [sub(weighted, mul(y, reduceSum(weighted, [-1])))];
  },
  emit: (to, inputs) => to.node('Softmax', inputs, { axis: { int: -1 } }),
};

const from = (x: Value, axes: readonly number[]): Axes => ({ axes: axes.map((a) => (a < 0 ? a + x.shape.length : a)) });

export const reduceSum = (x: Value, axes: readonly number[]) => apply(ReduceSum, [x], from(x, axes));
export const reduceMean = (x: Value, axes: readonly number[]) => apply(ReduceMean, [x], from(x, axes));
export const reduceMax = (x: Value, axes: readonly number[]) => apply(ReduceMax, [x], from(x, axes));
export const softmax = (x: Value) => apply(Softmax, [x], undefined);
