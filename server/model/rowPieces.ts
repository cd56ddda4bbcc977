// Matrices that are too large for one tensor of a device are held in pieces, some of their rows each. The product with a
// matrix is then that with each piece, side by side: x W^T = [x W1^T, x W2^T, ...].
import { concat } from '../graph/ops/movement';
import type { Shape, Value } from '../graph/value';
import type { ModelConfig } from './config';

/** Rows [first, end) of a weight, under the name of the input that they feed. */
export interface RowPiece {
  readonly input: string;
  readonly first: number;
  readonly end: number;
}

/** A piece as a value of a graph, [end - first, nIn]. */
export interface PieceValue extends Omit<RowPiece, 'input'> {
  readonly value: Value;
}

/** Pieces end at multiples of so many rows, which suits the kernels. */
const wholeRows = 32;

/**
 * How a device holds the weight `name`: as it is, or in pieces about equally large. Counted in float32, to which narrower
 * matrices are widened in one tensor.
 */
export function rowPieces(
  { largestTensorBytes = Number.POSITIVE_INFINITY }: Pick<ModelConfig, 'largestTensorBytes'>,
  name: string,
  shape: Shape,
): readonly RowPiece[] {
  const [nRows, ...rest] = shape as [number, ...number[]];
  const rowBytes = 4 * rest.reduce((product, n) => product * n, 1);
  if (shape.length !== 2 || nRows * rowBytes <= largestTensorBytes) return [{ input: name, first: 0, end: nRows }];
  const most = Math.max(1, Math.floor(largestTensorBytes / rowBytes));
  const even = Math.ceil(nRows / Math.ceil(nRows / most));
  const each = Math.min(most, wholeRows * Math.ceil(even / wholeRows));
  return Array.from({ length: Math.ceil(nRows / each) }, (_, i) => {
    const [first, end] = [i * each, Math.min(nRows, (i + 1) * each)];
    return { input: `${name} ${first}+${end - first}`, first, end };
  });
}

/** The weight that an input holds, or holds a piece of. */
export const weightOfInput = (input: string): string => input.split(' ')[0]!;

/** What `product` makes of each piece, [rows, end - first], side by side. */
export const beside = (pieces: readonly PieceValue[], product: (piece: PieceValue) => Value): Value => {
  const products = pieces.map(product);
  return concat(products, products[0]!.shape.length - 1);
};
