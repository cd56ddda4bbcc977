// The arithmetic in which the importance methods of shared/methods.ts are written, in the graph language. One forward pass
// serves every method that is asked for.
import { add, div, sqrt } from '../graph/ops/elementwise';
import { constant, type Value } from '../graph/value';
import type { Arithmetic } from '../shared/methods';
import { oneMinusCosine, sumOfMagnitudes, sumOfSquares } from './measures';

export const graphArithmetic: Arithmetic<Value> = {
  div,
  sqrt,
  oneMinusCosine,
  /** [1] each. */
  total: (values) => values.reduce(add, constant(Float32Array.of(0), [1])),
  sumOfMagnitudes,
  sumOfSquares,
};
