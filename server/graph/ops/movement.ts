// Ops that move elements without changing them.
import { apply, type Op, type Shape, ShapeError, size, type Value } from '../value';

const Reshape: Op<{ readonly shape: Shape }> = {
  name: 'Reshape',
  shape: ([x], { shape }) => {
    if (size(x!) !== size(shape)) throw new ShapeError('Reshape', [x!, shape]);
    return shape;
  },
  emit: (to, [x], { shape }) => to.node('Reshape', [x!, to.int64s(shape)]),
};

const Transpose: Op<{ readonly order: readonly number[] }> = {
  name: 'Transpose',
  shape: ([x], { order }) => {
    if (order.length !== x!.length || x!.some((_, axis) => !order.includes(axis)))
      throw new ShapeError('Transpose', [x!, order]);
    return order.map((axis) => x![axis]!);
  },
  emit: (to, inputs, { attributes: { order } }) => to.node('Transpose', inputs, { perm: { ints: order } }),
};

/** The elements [start, end) along one axis. */
const Slice: Op<{ readonly axis: number; readonly start: number; readonly end: number }> = {
  name: 'Slice',
  shape: ([x], { axis, start, end }) => {
    if (!(axis in x!) || start < 0 || end > x![axis]! || start >= end)
      throw new ShapeError('Slice', [x!, [start, end]]);
    return x!.map((n, i) => (i === axis ? end - start : n));
  },
  emit: (to, [x], { attributes: { axis, start, end } }) =>
    to.node('Slice', [x!, to.int64s([start]), to.int64s([end]), to.int64s([axis])]),
};

const Concat: Op<{ readonly axis: number }> = {
  name: 'Concat',
  shape: (shapes, { axis }) => {
    const first = shapes[0]!;
    if (
      !(axis in first) ||
      shapes.some((s) => s.length !== first.length || s.some((n, i) => i !== axis && n !== first[i]))
    )
      throw new ShapeError('Concat', shapes);
    return first.map((n, i) => (i === axis ? shapes.reduce((sum, s) => sum + s[axis]!, 0) : n));
  },
  emit: (to, inputs, { attributes: { axis } }) => to.node('Concat', inputs, { axis: { int: axis } }),
};

export const reshape = (x: Value, shape: Shape) => apply(Reshape, [x], { shape });
export const transpose = (x: Value, order: readonly number[]) => apply(Transpose, [x], { order });
export const slice = (x: Value, axis: number, start: number, end: number) =>
  start === 0 && end === x.shape[axis] ? x : apply(Slice, [x], { axis, start, end });
export const concat = (xs: readonly Value[], axis: number) => (xs.length === 1 ? xs[0]! : apply(Concat, xs, { axis }));
