// Products of matrices.
import { apply, broadcast, type Op, ShapeError, size, type Value } from '../value';

/** a [..., M, K] b [..., K, N] -> [..., M, N]; leading axes broadcast. */
const MatMul: Op = {
  name: 'MatMul',
  shape: ([a, b]) => {
    if (a!.length < 2 || b!.length < 2 || a!.at(-1) !== b!.at(-2)) throw new ShapeError('MatMul', [a!, b!]);
    return [...broadcast('MatMul', a!.slice(0, -2), b!.slice(0, -2)), a!.at(-2)!, b!.at(-1)!];
  },
  emit: (to, inputs) => to.node('MatMul', inputs),
};

/**
 * x [..., I], w [O, I] and possibly a bias [O] -> x w^T + bias [..., O]: a linear layer with its weight as checkpoints
 * hold it. A Gemm, because that takes the transposed weight as it lies in memory.
 */
const Linear: Op = {
  name: 'Linear',
  shape: ([x, w, bias]) => {
    if (w!.length !== 2 || x!.at(-1) !== w![1] || (bias && (bias.length !== 1 || bias[0] !== w![0])))
      throw new ShapeError('Linear', [x!, w!, ...(bias ? [bias] : [])]);
    return [...x!.slice(0, -1), w![0]!];
  },
  emit: (to, [x, ...rest], { shape, inputShapes: [xShape] }) => {
    const rows = size(xShape!.slice(0, -1));
    const flat = xShape!.length === 2 ? x! : to.node('Reshape', [x!, to.int64s([rows, xShape!.at(-1)!])]);
    const y = to.node('Gemm', [flat, ...rest], { transB: { int: 1 } });
    return shape.length === 2 ? y : to.node('Reshape', [y, to.int64s(shape)]);
  },
};

export const matmul = (a: Value, b: Value) => apply(MatMul, [a, b], undefined);
export const linear = (x: Value, w: Value, bias?: Value) => apply(Linear, bias ? [x, w, bias] : [x, w], undefined);
