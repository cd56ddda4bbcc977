// Every op in one row or several: a use of it, and the shape that NumPy or PyTorch would give.
import * as elementwise from '../../server/graph/ops/elementwise';
import * as linears from '../../server/graph/ops/linear';
import * as movement from '../../server/graph/ops/movement';
import * as reductions from '../../server/graph/ops/reduce';
import * as selections from '../../server/graph/ops/select';
import { dequantised } from '../../server/graph/ops/stored';
import * as transformer from '../../server/graph/ops/transformer';
import { constant, type Graph, input, type Shape, scalar, size, type Value } from '../../server/graph/value';
import { type Feeds, inputsOf } from './compute';
import { someNumbers } from './evaluate';

export const functions = Object.keys({
  ...elementwise,
  ...linears,
  ...movement,
  ...reductions,
  ...selections,
  ...transformer,
  dequantised,
});

const {
  add,
  sub,
  mul,
  div,
  max,
  min,
  neg,
  abs,
  exp,
  log,
  sqrt,
  reciprocal,
  sigmoid,
  silu,
  tanh,
  geluTanh,
  toFloat,
  toDouble,
  square,
  scale,
  detach,
} = elementwise;
const { matmul, linear, lowRankLinear, outer } = linears;
const { reshape, transpose, swapLast, slice, concat, pad, expand } = movement;
const { reduceSum, reduceMean, reduceMax, softmax } = reductions;
const { rmsNorm, rotary } = transformer;
const { largestPlaces, takeAlong, takeRows } = selections;

const x = (...shape: number[]) => input('x', shape);
const y = (...shape: number[]) => input('y', shape);
const z = (...shape: number[]) => input('z', shape);
const shared = input('x', [2, 2]);
/** Away from zero, for logarithms, roots and divisors. */
const positive = (v: Value) => add(square(v), scalar(0.25));

/** A matrix [5, nIn] that is fed as whole numbers of so many bits. */
function quantised(bits: 4 | 8, blockSize: number, nIn: number): Value {
  const nBlocks = Math.ceil(nIn / blockSize);
  const numbers = input('numbers', [5, nBlocks, (blockSize * bits) / 8], 'uint8');
  return dequantised(numbers, input('scales', [5, nBlocks]), { bits, blockSize, nIn });
}

/** A layer with an adapter as models make it. */
function lowRanked(of: Value, bias?: Value): Value {
  const [w, a, b] = [input('w', [5, 4]), input('a', [2, 4]), input('b', [5, 2])];
  return lowRankLinear(of, add(w, scale(matmul(detach(b), detach(a)), 0.5)), a, b, 0.5, bias);
}

/** The first word is the op's function. Shapes are what NumPy or PyTorch would give. */
export const rows: [string, Value, Shape][] = [
  ['add of equal shapes', add(x(2, 3), y(2, 3)), [2, 3]],
  ['add of a row', add(x(2, 3), y(3)), [2, 3]],
  ['add of a column', add(x(2, 3), y(2, 1)), [2, 3]],
  ['add of a column and a row', add(x(4, 1), y(1, 5)), [4, 5]],
  ['add of a higher rank on the right', add(x(3), y(2, 4, 3)), [2, 4, 3]],
  ['add of a scalar', add(x(2, 3), input('y', [])), [2, 3]],
  ['add of two scalars', add(input('x', []), scalar(3)), []],
  ['add of a value and itself', add(shared, shared), [2, 2]],
  ['sub of equal shapes', sub(x(5), y(5)), [5]],
  ['sub of a row', sub(x(2, 3, 4), y(3, 1)), [2, 3, 4]],
  ['sub from a constant', sub(constant(Float32Array.of(1, 2, 3), [3]), x(2, 3)), [2, 3]],
  ['mul of equal shapes', mul(x(2, 3), y(2, 3)), [2, 3]],
  ['mul across both', mul(x(2, 1, 3), y(4, 1)), [2, 4, 3]],
  ['div of equal shapes', div(x(2, 3), positive(y(2, 3))), [2, 3]],
  ['div by a column', div(x(2, 3), positive(y(2, 1))), [2, 3]],
  ['max of equal shapes', max(x(2, 3), y(2, 3)), [2, 3]],
  ['max with a scalar', max(x(7), scalar(0.5)), [7]],
  ['min of equal shapes', min(x(2, 3), y(2, 3)), [2, 3]],
  ['min across both', min(x(2, 1), y(3)), [2, 3]],
  ['neg', neg(x(2, 3)), [2, 3]],
  ['abs', abs(x(2, 3)), [2, 3]],
  ['exp', exp(x(2, 3)), [2, 3]],
  ['log', log(positive(x(2, 3))), [2, 3]],
  ['sqrt', sqrt(positive(x(2, 3))), [2, 3]],
  ['reciprocal', reciprocal(positive(x(2, 3))), [2, 3]],
  ['sigmoid', sigmoid(x(2, 3)), [2, 3]],
  ['sigmoid far out', sigmoid(scale(x(9), 60)), [9]],
  ['silu', silu(x(2, 3, 5)), [2, 3, 5]],
  ['tanh', tanh(x(2, 3, 5)), [2, 3, 5]],
  ['tanh far out', tanh(scale(x(9), 60)), [9]],
  ['geluTanh', geluTanh(x(2, 3, 5)), [2, 3, 5]],
  ['geluTanh far out', geluTanh(scale(x(9), 60)), [9]],
  ['silu far out', silu(scale(x(9), 60)), [9]],
  ['detach of a matrix', detach(x(2, 3)), [2, 3]],
  ['toFloat of integers', toFloat(input('x', [2, 3], 'int64')), [2, 3]],
  ['toDouble and back', toFloat(matmul(toDouble(x(2, 3)), toDouble(y(3, 4)))), [2, 4]],
  ['square', square(x(2, 3)), [2, 3]],
  ['scale', scale(x(2, 3), -0.37), [2, 3]],

  ['matmul of matrices', matmul(x(3, 4), y(4, 5)), [3, 5]],
  ['matmul of a row and a column', matmul(x(1, 6), y(6, 1)), [1, 1]],
  ['matmul of batches', matmul(x(2, 3, 4), y(2, 4, 5)), [2, 3, 5]],
  ['matmul of a batch and a matrix', matmul(x(2, 3, 4), y(4, 5)), [2, 3, 5]],
  ['matmul of a matrix and a batch', matmul(x(3, 4), y(2, 4, 5)), [2, 3, 5]],
  ['matmul of heads', matmul(x(2, 3, 4, 5), y(2, 3, 5, 6)), [2, 3, 4, 6]],
  ['matmul with leading axes that broadcast', matmul(x(2, 1, 4, 5), y(3, 5, 6)), [2, 3, 4, 6]],
  ['linear of rows', linear(x(3, 4), y(5, 4)), [3, 5]],
  ['linear of rows with bias', linear(x(3, 4), y(5, 4), z(5)), [3, 5]],
  ['linear of one vector', linear(x(4), y(5, 4)), [5]],
  ['linear of sequences', linear(x(2, 3, 4), y(5, 4)), [2, 3, 5]],
  ['linear of sequences with bias', linear(x(2, 3, 4), y(5, 4), z(5)), [2, 3, 5]],
  ['dequantised of 8 bits', quantised(8, 32, 64), [5, 64]],
  ['dequantised of 8 bits, the last block not full', quantised(8, 32, 40), [5, 40]],
  ['dequantised of 4 bits', quantised(4, 16, 48), [5, 48]],
  ['linear with a weight of 8 bits', linear(x(3, 64), quantised(8, 32, 64)), [3, 5]],
  ['linear with a weight of 4 bits and bias', linear(x(2, 3, 43), quantised(4, 16, 43), z(5)), [2, 3, 5]],
  ['linear of four axes', linear(x(2, 2, 3, 4), y(1, 4)), [2, 2, 3, 1]],
  ['linear as long as a model is wide', linear(x(2, 300), y(3, 300)), [2, 3]],
  ['outer of rows', outer(x(5, 2), y(5, 3)), [2, 3]],
  ['outer of one row', outer(x(1, 4), y(1, 2)), [4, 2]],
  ['lowRankLinear of rows', lowRanked(x(3, 4)), [3, 5]],
  ['lowRankLinear of sequences with bias', lowRanked(x(2, 3, 4), input('bias', [5])), [2, 3, 5]],

  ['reduceSum of the last axis', reduceSum(x(2, 3, 4), [-1]), [2, 3, 1]],
  ['reduceSum of the first axis', reduceSum(x(2, 3, 4), [0]), [1, 3, 4]],
  ['reduceSum of all axes', reduceSum(x(2, 3), [0, 1]), [1, 1]],
  ['reduceSum of 40000 numbers', reduceSum(positive(x(200, 200)), [0, 1]), [1, 1]],
  ['reduceMean of the middle axis', reduceMean(x(2, 3, 4), [1]), [2, 1, 4]],
  ['reduceMean of two axes', reduceMean(x(2, 3, 4), [0, -1]), [1, 3, 1]],
  ['reduceMax of the last axis', reduceMax(x(2, 3, 4), [-1]), [2, 3, 1]],
  ['reduceMax of negative numbers', reduceMax(neg(positive(x(2, 3))), [0]), [1, 3]],
  ['softmax of a vector', softmax(x(5)), [5]],
  ['softmax of rows', softmax(x(2, 3, 4)), [2, 3, 4]],
  ['softmax of large numbers', softmax(scale(x(3, 6), 200)), [3, 6]],
  ['softmax of a masked row', softmax(add(x(2, 3), constant(Float32Array.of(0, -1e9, -1e9), [3]))), [2, 3]],
  ['softmax of one column', softmax(x(4, 1)), [4, 1]],

  ['reshape', reshape(x(2, 6), [3, 4]), [3, 4]],
  ['reshape to a vector', reshape(x(2, 3, 2), [12]), [12]],
  ['reshape to a scalar', reshape(x(1, 1), []), []],
  ['reshape to the same shape', reshape(x(2, 3), [2, 3]), [2, 3]],
  ['transpose of a matrix', transpose(x(2, 3), [1, 0]), [3, 2]],
  ['transpose of heads', transpose(x(2, 3, 4, 5), [0, 2, 1, 3]), [2, 4, 3, 5]],
  ['transpose round', transpose(x(2, 3, 4), [2, 0, 1]), [4, 2, 3]],
  ['slice of the first axis', slice(x(5, 2), 0, 1, 3), [2, 2]],
  ['slice of the last axis', slice(x(2, 5), 1, 4, 5), [2, 1]],
  ['slice in the middle', slice(x(2, 6, 3), 1, 0, 2), [2, 2, 3]],
  ['slice of everything', slice(x(2, 3), 1, 0, 3), [2, 3]],
  ['concat of rows', concat([x(2, 3), y(1, 3)], 0), [3, 3]],
  ['concat of columns', concat([x(2, 1), y(2, 3), z(2, 2)], 1), [2, 6]],
  ['concat of one', concat([x(2, 3)], 0), [2, 3]],
  ['concat of a value and itself', concat([shared, shared], 1), [2, 4]],
  ['pad in the middle', pad(x(2, 3, 4), 1, 2, 1), [2, 6, 4]],
  ['pad of the end', pad(x(3), 0, 0, 2), [5]],
  ['pad of nothing', pad(x(2, 3), 1, 0, 0), [2, 3]],
  ['expand of a column', expand(x(2, 1), [2, 3]), [2, 3]],
  ['expand to a higher rank', expand(x(1, 3), [4, 2, 3]), [4, 2, 3]],
  ['expand to the same shape', expand(x(2, 3), [2, 3]), [2, 3]],
  ['swapLast of heads', swapLast(x(2, 3, 4)), [2, 4, 3]],
  ['largestPlaces of rows', toFloat(largestPlaces(x(3, 7), 2)), [3, 2]],
  ['largestPlaces of all', toFloat(largestPlaces(x(2, 4), 4)), [2, 4]],
  ['takeAlong of the largest', takeAlong(x(3, 7), largestPlaces(y(3, 7), 3)), [3, 3]],
  ['takeRows of the largest of a vector', takeRows(x(6, 3), largestPlaces(y(6), 4)), [4, 3]],
  ['takeAlong of a vector', takeAlong(x(5), largestPlaces(y(6), 2)), [2]],

  ['rmsNorm of a vector', rmsNorm(x(8), y(8), 1e-5), [8]],
  ['rmsNorm of rows', rmsNorm(x(3, 8), y(8), 1e-5), [3, 8]],
  ['rmsNorm of heads', rmsNorm(x(2, 3, 4, 6), y(6), 1e-6), [2, 3, 4, 6]],
  ['rmsNorm where epsilon is most of it', rmsNorm(scale(x(3, 8), 1e-4), y(8), 1e-5), [3, 8]],
  ['rmsNorm of large numbers', rmsNorm(scale(x(3, 8), 1e6), y(8), 1e-5), [3, 8]],
  [
    'rotary of two sequences',
    rotary(x(2, 3, 4, 6), input('positions', [2, 4], 'int64'), input('cos', [9, 3]), input('sin', [9, 3])),
    [2, 3, 4, 6],
  ],
  [
    'rotary of one token far in',
    rotary(x(1, 2, 1, 8), input('positions', [1, 1], 'int64'), input('cos', [9, 4]), input('sin', [9, 4])),
    [1, 2, 1, 8],
  ],
  [
    'rotary of a single pair',
    rotary(x(1, 1, 5, 2), input('positions', [1, 5], 'int64'), input('cos', [9, 1]), input('sin', [9, 1])),
    [1, 1, 5, 2],
  ],
];

/** Float inputs in [-2, 2), integers in [0, 9): the positions for which the rows above have tables. */
export function feedsOf(graph: Graph): Feeds {
  return Object.fromEntries(
    inputsOf(graph).map(({ name, shape, dtype }, i) => {
      const numbers = someNumbers(size(shape), 1000 + i);
      if (dtype === 'int64') return [name, BigInt64Array.from(numbers, (v) => BigInt(Math.floor((v + 2) * 2.25)))];
      if (dtype === 'uint8') return [name, Uint8Array.from(numbers, (v) => Math.floor((v + 2) * 63))];
      return [name, numbers];
    }),
  );
}
