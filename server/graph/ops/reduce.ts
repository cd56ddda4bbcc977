// Ops that fold axes away. Reduced axes stay as extents of 1, so that results broadcast against what they came from.
import { apply, type Op, ShapeError, type Value } from '../value';

interface Axes {
  readonly axes: readonly number[];
}

/** ReduceMax takes its axes as an input like the others since opset 18. */
const reduction = (name: string): Op<Axes> => ({
  name,
  shape: ([x], { axes }) => {
    if (axes.some((axis) => !(axis in x!))) throw new ShapeError(name, [x!, axes]);
    return x!.map((n, i) => (axes.includes(i) ? 1 : n));
  },
  emit: (to, [x], { attributes: { axes } }) => to.node(name, [x!, to.int64s(axes)], { keepdims: { int: 1 } }),
});

const ReduceSum = reduction('ReduceSum');
const ReduceMean = reduction('ReduceMean');
const ReduceMax = reduction('ReduceMax');

/** Along the last axis. */
const Softmax: Op = {
  name: 'Softmax',
  shape: ([x]) => x!,
  emit: (to, inputs) => to.node('Softmax', inputs, { axis: { int: -1 } }),
};

const from = (x: Value, axes: readonly number[]): Axes => ({ axes: axes.map((a) => (a < 0 ? a + x.shape.length : a)) });

export const reduceSum = (x: Value, axes: readonly number[]) => apply(ReduceSum, [x], from(x, axes));
export const reduceMean = (x: Value, axes: readonly number[]) => apply(ReduceMean, [x], from(x, axes));
export const reduceMax = (x: Value, axes: readonly number[]) => apply(ReduceMax, [x], from(x, axes));
export const softmax = (x: Value) => apply(Softmax, [x], undefined);
