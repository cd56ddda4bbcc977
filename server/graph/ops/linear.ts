// Products of matrices.
import { apply, broadcast, type Emitter, type Op, ShapeError, size, type Value } from '../value';
import { scale } from './elementwise';
import { reshape, swapLast } from './movement';
import { reduceSum } from './reduce';
import { storedQuantised } from './stored';

/** a [..., M, K] b [..., K, N] -> [..., M, N]; leading axes broadcast. */
const MatMul: Op = {
  name: 'MatMul',
  shape: ([a, b]) => {
    if (a!.length < 2 || b!.length < 2 || a!.at(-1) !== b!.at(-2)) throw new ShapeError('MatMul', [a!, b!]);
    return [...broadcast('MatMul', a!.slice(0, -2), b!.slice(0, -2)), a!.at(-2)!, b!.at(-1)!];
  },
  gradient: ({ inputs: [a, b] }, dy) => [matmul(dy, swapLast(b!)), matmul(swapLast(a!), dy)],
  emit: (to, inputs) => to.node('MatMul', inputs),
};

/**
 * x [..., I], w [O, I] and possibly a bias [O] -> x w^T + bias [..., O]: a linear layer with its weight as checkpoints
 * hold it. A Gemm, because that takes the transposed weight as it lies in memory; MatMulNBits for a quantised weight.
 */
const Linear: Op = {
  name: 'Linear',
  shape: ([x, w, bias]) => {
    if (w!.length !== 2 || x!.at(-1) !== w![1] || (bias && (bias.length !== 1 || bias[0] !== w![0])))
      throw new ShapeError('Linear', [x!, w!, ...(bias ? [bias] : [])]);
    return [...x!.slice(0, -1), w![0]!];
  },
  gradient: ({ inputs: [x, w, bias] }, dy) => {
    const flat = asRows(dy);
    const dx = reshape(matmul(flat, w!), x!.shape);
    const dw = outer(flat, asRows(x!));
    return bias ? [dx, dw, reshape(reduceSum(flat, [0]), bias.shape)] : [dx, dw];
  },
  emit: (to, [x, ...rest], { shape, inputShapes: [xShape], madeBy: [, weight] }) => {
    const rows = size(xShape!.slice(0, -1));
    const flat = xShape!.length === 2 ? x! : to.node('Reshape', [x!, to.int64s([rows, xShape!.at(-1)!])]);
    const quantised = storedQuantised(weight);
    const y = quantised
      ? quantisedProduct(to, flat, rest[1], { ...quantised, nOut: shape.at(-1)!, nIn: xShape!.at(-1)! })
      : to.node('Gemm', [flat, ...rest], { transB: { int: 1 } });
    return shape.length === 2 ? y : to.node('Reshape', [y, to.int64s(shape)]);
  },
};

interface QuantisedWeight extends NonNullable<ReturnType<typeof storedQuantised>> {
  readonly nOut: number;
  readonly nIn: number;
}

/** The weight is widened within the product, a few of its rows at a time. */
function quantisedProduct(to: Emitter, x: string, bias: string | undefined, weight: QuantisedWeight): string {
  const { numbers, scales, bits, blockSize, nOut, nIn } = weight;
  const y = to.node('com.microsoft:MatMulNBits', [x, numbers, scales], {
    K: { int: nIn },
    N: { int: nOut },
    bits: { int: bits },
    block_size: { int: blockSize },
  });
  return bias === undefined ? y : to.node('Add', [y, bias]);
}

/** a [R, M], b [R, N] -> a^T b [M, N]: the sum of the rows' outer products. */
const Outer: Op = {
  name: 'Outer',
  shape: ([a, b]) => {
    if (a!.length !== 2 || b!.length !== 2 || a![0] !== b![0]) throw new ShapeError('Outer', [a!, b!]);
    return [a![1]!, b![1]!];
  },
  gradient: ({ inputs: [a, b] }, dy) => [linear(b!, dy), matmul(a!, dy)],
  emit: (to, inputs) => to.node('Gemm', inputs, { transA: { int: 1 } }),
};

/**
 * A linear layer with the weight w [O, I] = W + scaling b a of a frozen W and an adapter a [R, I], b [O, R]; w has to be
 * made of a and b detached. Gives what `linear` does, but the gradients by a and b without ever making that of the weight,
 * which would cost as much as the layer: R is small.
 */
const LowRankLinear: Op<{ readonly scaling: number }> = {
  name: 'LowRankLinear',
  shape: ([x, w, a, b, bias]) => {
    if (a![0] !== b![1] || a![1] !== w![1] || b![0] !== w![0]) throw new ShapeError('LowRankLinear', [w!, a!, b!]);
    return Linear.shape(bias ? [x!, w!, bias] : [x!, w!], undefined);
  },
  gradient: ({ y, inputs: [x, w, a, b, bias], attributes: { scaling } }, dy) => {
    const plain = Linear.gradient!({ y, inputs: bias ? [x!, w!, bias] : [x!, w!], attributes: undefined }, dy);
    const [rows, flat] = [asRows(x!), scale(asRows(dy), scaling)];
    return [plain[0]!, plain[1]!, outer(matmul(flat, b!), rows), outer(flat, linear(rows, a!)), ...plain.slice(2)];
  },
  emit: (to, [x, w, _a, _b, ...bias], node) => {
    const notOfAdapter = <T>(each: readonly T[]) => each.filter((_, i) => i !== 2 && i !== 3);
    const { shape, inputShapes, madeBy } = node;
    const plain = {
      attributes: undefined,
      shape,
      inputShapes: notOfAdapter(inputShapes),
      madeBy: notOfAdapter(madeBy),
    };
    return Linear.emit(to, [x!, w!, ...bias], plain);
  },
};

/** x [..., I] -> [rows, I] */
const asRows = (x: Value): Value =>
  x.shape.length === 2 ? x : reshape(x, [size(x.shape.slice(0, -1)), x.shape.at(-1)!]);

export const matmul = (a: Value, b: Value) => apply(MatMul, [a, b], undefined);
export const outer = (a: Value, b: Value) => apply(Outer, [a, b], undefined);
export const lowRankLinear = (x: Value, w: Value, a: Value, b: Value, scaling: number, bias?: Value) =>
  apply(LowRankLinear, bias ? [x, w, a, b, bias] : [x, w, a, b], { scaling });
export const linear = (x: Value, w: Value, bias?: Value) => apply(Linear, bias ? [x, w, bias] : [x, w], undefined);
