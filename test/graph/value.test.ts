// Building: shapes are known at once, and what does not fit is refused with the op's name and the shapes.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { add, sub } from '../../server/graph/ops/elementwise';
import { linear, matmul } from '../../server/graph/ops/linear';
import { concat, reshape, slice, transpose } from '../../server/graph/ops/movement';
import { reduceMax, reduceMean, reduceSum } from '../../server/graph/ops/reduce';
import { rmsNorm, rotary } from '../../server/graph/ops/transformer';
import { broadcast, constant, input, scalar, ShapeError, size, topologicalOrder } from '../../server/graph/value';
import { numpyShape } from './evaluate';

const x = (...shape: number[]) => input('x', shape);
const turn = (shape: number[], positions: number[], cos: number[], sin = cos) =>
  rotary(x(...shape), input('positions', positions, 'int64'), input('cos', cos), input('sin', sin));

describe('refused while building', () => {
  const rows: [string, () => unknown, string][] = [
    ['two lengths', () => add(x(2, 3), x(2, 4)), 'Add: shapes [2, 3] and [2, 4] do not fit'],
    ['a row as long as a column', () => sub(x(2, 3), x(2)), 'Sub: shapes [2, 3] and [2] do not fit'],
    ['inner extents', () => matmul(x(2, 3), x(4, 2)), 'MatMul: shapes [2, 3] and [4, 2] do not fit'],
    ['a product with a vector', () => matmul(x(2, 3), x(3)), 'MatMul: shapes [2, 3] and [3] do not fit'],
    ['leading axes', () => matmul(x(2, 3, 4), x(5, 4, 3)), 'MatMul: shapes [2] and [5] do not fit'],
    ['a weight the other way round', () => linear(x(2, 3), x(3, 5)), 'Linear: shapes [2, 3] and [3, 5] do not fit'],
    ['a weight with three axes', () => linear(x(2, 3), x(1, 5, 3)), 'Linear: shapes [2, 3] and [1, 5, 3]'],
    ['a short bias', () => linear(x(2, 3), x(5, 3), x(4)), 'Linear: shapes [2, 3] and [5, 3] and [4] do not fit'],
    ['a bias as a row', () => linear(x(2, 3), x(5, 3), x(1, 5)), 'Linear: shapes [2, 3] and [5, 3] and [1, 5]'],
    ['a sum over an axis that is not there', () => reduceSum(x(2, 3), [2]), 'ReduceSum: shapes [2, 3] and [2]'],
    ['a mean before the first axis', () => reduceMean(x(2, 3), [-3]), 'ReduceMean: shapes [2, 3] and [-1]'],
    ['a maximum of a scalar', () => reduceMax(x(), [0]), 'ReduceMax: shapes [] and [0] do not fit'],
    ['another number of elements', () => reshape(x(2, 3), [4]), 'Reshape: shapes [2, 3] and [4] do not fit'],
    ['too few axes in an order', () => transpose(x(2, 3), [0]), 'Transpose: shapes [2, 3] and [0] do not fit'],
    ['an axis twice in an order', () => transpose(x(2, 2), [0, 0]), 'Transpose: shapes [2, 2] and [0, 0]'],
    ['an order counted from 1', () => transpose(x(2, 2), [1, 2]), 'Transpose: shapes [2, 2] and [1, 2]'],
    ['a slice of nothing', () => slice(x(4), 0, 2, 2), 'Slice: shapes [4] and [2, 2] do not fit'],
    ['a slice past the end', () => slice(x(4), 0, 2, 5), 'Slice: shapes [4] and [2, 5] do not fit'],
    ['a slice from before the start', () => slice(x(4), 0, -1, 3), 'Slice: shapes [4] and [-1, 3] do not fit'],
    ['a slice along an axis that is not there', () => slice(x(4), 1, 0, 1), 'Slice: shapes [4] and [0, 1]'],
    ['a slice along an axis from the end', () => slice(x(4, 4), -1, 0, 1), 'Slice: shapes [4, 4] and [0, 1]'],
    ['joined columns of two heights', () => concat([x(2, 3), x(3, 3)], 1), 'Concat: shapes [2, 3] and [3, 3]'],
    ['joined ranks', () => concat([x(2, 3), x(2)], 0), 'Concat: shapes [2, 3] and [2] do not fit'],
    ['joined along an axis from the end', () => concat([x(2, 3), x(2, 3)], -1), 'Concat: shapes [2, 3] and [2, 3]'],
    ['a norm of another width', () => rmsNorm(x(2, 8), x(4), 1e-5), 'RmsNorm: shapes [2, 8] and [4] do not fit'],
    ['a norm with two axes', () => rmsNorm(x(2, 8), x(1, 8), 1e-5), 'RmsNorm: shapes [2, 8] and [1, 8]'],
    ['a turn of whole rows', () => turn([2, 4, 6], [2, 4], [4, 3]), 'Rotary: shapes [2, 4, 6] and [2, 4]'],
    ['a turn with full tables', () => turn([1, 1, 4, 6], [1, 4], [4, 6]), 'Rotary: shapes [1, 1, 4, 6]'],
    ['a turn at too few positions', () => turn([1, 1, 4, 6], [1, 3], [4, 3]), 'Rotary: shapes [1, 1, 4, 6] and [1, 3]'],
    ['a turn for another batch', () => turn([2, 1, 4, 6], [1, 4], [4, 3]), 'Rotary: shapes [2, 1, 4, 6] and [1, 4]'],
    ['a turn with two lengths of tables', () => turn([1, 1, 4, 6], [1, 4], [4, 3], [5, 3]), 'and [4, 3] and [5, 3]'],
    ['a constant of another size', () => constant(new Float32Array(5), [2, 3]), 'constant: shapes [2, 3] and [5]'],
  ];
  it.each(rows)('%s', (_, build, message) => {
    expect(build).toThrow(ShapeError);
    expect(build).toThrow(message);
  });
});

describe('broadcasting', () => {
  const shape = fc.array(fc.constantFrom(1, 1, 2, 3, 5), { maxLength: 4 });
  it('is that of NumPy', () =>
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        const expected = attempt(() => numpyShape(a, b));
        expect(attempt(() => broadcast('Add', a, b))).toEqual(expected);
        expect(attempt(() => add(x(...a), x(...b)).shape)).toEqual(expected);
      }),
    ));
  it('refuses as often as it should', () => expect(() => broadcast('Add', [2, 3], [3, 2])).toThrow(ShapeError));
});

const attempt = (f: () => readonly number[]) => {
  try {
    return f();
  } catch {
    return 'refused';
  }
};

describe('a graph', () => {
  it('lists each value once, inputs before their users', () => {
    const a = x(2);
    const twice = add(a, a);
    const out = add(twice, add(twice, scalar(1)));
    const order = topologicalOrder([out, twice, a]);
    expect(order).toHaveLength(5);
    expect(new Set(order).size).toBe(5);
    for (const value of order)
      if (value.kind === 'node')
        for (const v of value.inputs) expect(order.indexOf(v)).toBeLessThan(order.indexOf(value));
  });
  it('takes the dtype of an op from its first input', () => {
    const ids = input('ids', [2], 'int64');
    expect(add(ids, ids).dtype).toBe('int64');
    expect(constant(BigInt64Array.of(1n), [1]).dtype).toBe('int64');
    expect(scalar(1)).toMatchObject({ dtype: 'float32', shape: [] });
  });
  it('has one element where a shape is empty', () => expect([size([]), size([2, 3, 4])]).toEqual([1, 24]));
});
