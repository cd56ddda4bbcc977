// Ops that pick elements by their size or place. They have no gradient: only what needs none uses them.
import { apply, type Op, ShapeError, type Value } from '../value';

/** x [..., N] -> the places of its `count` largest elements along the last axis, largest first, [..., count] int64. */
const LargestPlaces: Op<{ readonly count: number }> = {
  name: 'LargestPlaces',
  shape: ([x], { count }) => {
    if (x!.length === 0 || count < 1 || count > x!.at(-1)!) throw new ShapeError('LargestPlaces', [x!, [count]]);
    return [...x!.slice(0, -1), count];
  },
  dtype: () => 'int64',
  emit: (to, [x], { attributes: { count } }) =>
    to.nodes('TopK', [x!, to.int64s([count])], 2, { axis: { int: -1 }, largest: { int: 1 }, sorted: { int: 1 } })[1]!,
};

/** x [..., N], places [..., M] in [0, N) -> the elements of x there, along the last axis, [..., M]. */
const TakeAlong: Op = {
  name: 'TakeAlong',
  shape: ([x, places]) => {
    if (`${x!.slice(0, -1)}` !== `${places!.slice(0, -1)}`) throw new ShapeError('TakeAlong', [x!, places!]);
    return places!;
  },
  emit: (to, inputs) => to.node('GatherElements', inputs, { axis: { int: -1 } }),
};

/** x [N, ...], places [M] in [0, N) -> its rows there, [M, ...]. */
const TakeRows: Op = {
  name: 'TakeRows',
  shape: ([x, places]) => {
    if (x!.length === 0 || places!.length !== 1) throw new ShapeError('TakeRows', [x!, places!]);
    return [places![0]!, ...x!.slice(1)];
  },
  emit: (to, inputs) => to.node('Gather', inputs, { axis: { int: 0 } }),
};

export const takeRows = (x: Value, places: Value) => apply(TakeRows, [x, places], undefined);
export const largestPlaces = (x: Value, count: number) => apply(LargestPlaces, [x], { count });
export const takeAlong = (x: Value, places: Value) => apply(TakeAlong, [x, places], undefined);
