// Ops that move elements without changing them.
import { apply, broadcast, type Op, type Shape, ShapeError, size, type Value } from '../value';

const Reshape: Op<{ readonly shape: Shape }> = {
  name: 'Reshape',
  shape: ([x], { shape }) => {
    if (size(x!) !== size(shape)) throw new ShapeError('Reshape', [x!, shape]);
    return shape;
  },
  gradient: ({ inputs: [x] }, dy) => [reshape(dy, x!.shape)],
  emit: (to, [x], { shape }) => to.node('Reshape', [x!, to.int64s(shape)]),
};

const Transpose: Op<{ readonly order: readonly number[] }> = {
  name: 'Transpose',
  shape: ([x], { order }) => {
    if (order.length !== x!.length || x!.some((_, axis) => !order.includes(axis)))
      throw new ShapeError('Transpose', [x!, order]);
    return order.map((axis) => x![axis]!);
  },
  gradient: ({ attributes: { order } }, dy) => [
    transpose(
      dy,
      order.map((_, axis) => order.indexOf(axis)),
    ),
  ],
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
  gradient: ({ inputs: [x], attributes: { axis, start, end } }, dy) => [pad(dy, axis, start, x!.shape[axis]! - end)],
  emit: (to, [x], { attributes: { axis, start, end } }) =>
    to.node('Slice', [x!, to.int64s([start]), to.int64s([end]), to.int64s([axis])]),
};

/** Zeros before and after, along one axis. */
const Pad: Op<{ readonly axis: number; readonly before: number; readonly after: number }> = {
  name: 'Pad',
  shape: ([x], { axis, before, after }) => {
    if (!(axis in x!) || before < 0 || after < 0) throw new ShapeError('Pad', [x!, [before, after]]);
    return x!.map((n, i) => (i === axis ? before + n + after : n));
  },
  gradient: ({ inputs: [x], attributes: { axis, before } }, dy) => [slice(dy, axis, before, before + x!.shape[axis]!)],
  /** For all axes: with a list of axes, onnxruntime's optimizer moves transposes past it as if there were none. */
  emit(to, [x], { attributes: { axis, before, after }, shape }) {
    const along = (n: number) => shape.map((_, i) => (i === axis ? n : 0));
    return to.node('Pad', [x!, to.int64s([...along(before), ...along(after)])]);
  },
};

/** The elements again along axes of extent 1, up to `shape`. */
const Expand: Op<{ readonly shape: Shape }> = {
  name: 'Expand',
  shape: ([x], { shape }) => {
    if (`${broadcast('Expand', x!, shape)}` !== `${shape}`) throw new ShapeError('Expand', [x!, shape]);
    return shape;
  },
  gradient: (_, dy) => [dy],
  emit: (to, [x], { shape }) => to.node('Expand', [x!, to.int64s(shape)]),
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
  gradient: ({ inputs, attributes: { axis } }, dy) => {
    let start = 0;
    return inputs.map((x) => slice(dy, axis, start, (start += x.shape[axis]!)));
  },
  emit: (to, inputs, { attributes: { axis } }) => to.node('Concat', inputs, { axis: { int: axis } }),
};

export const reshape = (x: Value, shape: Shape) => apply(Reshape, [x], { shape });
export const transpose = (x: Value, order: readonly number[]) => apply(Transpose, [x], { order });
/** The last two axes exchanged. */
export const swapLast = (x: Value) => {
  const axes = x.shape.map((_, axis) => axis);
  return transpose(x, [...axes.slice(0, -2), axes.length - 1, axes.length - 2]);
};
export const expand = (x: Value, shape: Shape) => (`${x.shape}` === `${shape}` ? x : apply(Expand, [x], { shape }));
export const pad = (x: Value, axis: number, before: number, after: number) =>
  before === 0 && after === 0 ? x : apply(Pad, [x], { axis, before, after });
export const slice = (x: Value, axis: number, start: number, end: number) =>
  start === 0 && end === x.shape[axis] ? x : apply(Slice, [x], { axis, start, end });
export const concat = (xs: readonly Value[], axis: number) => (xs.length === 1 ? xs[0]! : apply(Concat, xs, { axis }));
