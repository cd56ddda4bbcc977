// Positive definite systems of linear equations in float64, in panels of rows: what is small is computed here, the products
// are graphs on the CPU. A matrix is a flat array, row by row, so that some of its rows are fed without a copy.
import { sub } from '../graph/ops/elementwise';
import { matmul, outer } from '../graph/ops/linear';
import { slice } from '../graph/ops/movement';
import { type Graph, input, type Value } from '../graph/value';
import type { Scope } from '../runtime/device';
import type { Tensor, Tensors } from '../runtime/tensor';

/** Rows [first, end) of a matrix. */
export interface Panel {
  readonly first: number;
  readonly end: number;
}

/** Rows of a panel: few enough that the loops over a panel's own square cost a hundredth of the products. */
const panelRows = 128;

export const panelsOf = (nRows: number): Panel[] =>
  Array.from({ length: Math.ceil(nRows / panelRows) }, (_, i) => ({
    first: i * panelRows,
    end: Math.min(nRows, (i + 1) * panelRows),
  }));

/** (A + shift I) X = B with a symmetric A [D, D] and B [D, D]; only the upper triangle of A is read. */
export interface Equations {
  readonly a: Float64Array;
  readonly b: Float64Array;
  readonly shift: number;
  readonly width: number;
}

/**
 * X [D, D]; null where A + shift I is not positive definite to working precision. From its factor U, U'U = A + shift I, panel by
 * panel: U_k = L^-1 (A_k - U_<k' U) with L L' the panel's square, Y_k = L^-1 (B_k - U_<k' Y); then, from the last panel up,
 * X_k = L'^-1 (Y_k - U_k X_>k) (Golub and Van Loan, Matrix Computations, 4.2). Holds two matrices of the size of A beside it.
 */
export async function solvePositiveDefinite(
  host: Scope,
  { a, b, shift, width: D }: Equations,
): Promise<Float64Array | null> {
  const [U, Y] = [new Float64Array(D * D), new Float64Array(D * D)];
  const least = Number.EPSILON * (largestOnDiagonal(a, D) + shift);
  const inverses: Float64Array[] = [];
  const panels = panelsOf(D);
  for (const panel of panels) {
    using scope = host.scope();
    const rows = rowsOf(panel, D);
    const left = await eliminated(scope, panel, D, { a: rows(a), b: rows(b), U, Y });
    const inverse = inverseFactor(squareOf(left.a, panel, D, shift), panel.end - panel.first, least);
    if (!inverse) return null;
    inverses.push(inverse);
    const scaled = await products(scope, [scaledRows, panel.end - panel.first, D], { inverse, ...left });
    rows(U).set(scaled.u!);
    rows(Y).set(scaled.y!);
  }
  for (const [k, panel] of [...panels.entries()].reverse()) {
    using scope = host.scope();
    const rows = rowsOf(panel, D);
    const x = Y.subarray(panel.end * D); // what is solved lies where Y was
    const feeds = { inverse: inverses[k]!, u: rows(U), y: rows(Y), ...(x.length > 0 && { x }) };
    rows(Y).set((await products(scope, [substitutedRows, D, panel], feeds)).solved!);
  }
  return Y;
}

interface Rows {
  readonly a: Float64Array;
  readonly b: Float64Array;
}

/** The rows of a panel without what the panels before account for. */
async function eliminated(
  scope: Scope,
  panel: Panel,
  D: number,
  { a, b, U, Y }: Rows & { readonly U: Float64Array; readonly Y: Float64Array },
): Promise<Rows> {
  if (panel.first === 0) return { a, b };
  const before = panel.first * D;
  const feeds = { a, b, above: U.subarray(0, before), solved: Y.subarray(0, before) };
  const { leftA, leftB } = await products(scope, [eliminatedRows, D, panel], feeds);
  return { a: leftA!, b: leftB! };
}

function eliminatedRows(D: number, { first, end }: Panel): Graph {
  const above = input('above', [first, D], 'float64');
  const solved = input('solved', [first, D], 'float64');
  const column = slice(above, 1, first, end);
  const rows = (name: string) => input(name, [end - first, D], 'float64');
  return {
    name: 'eliminatedRows',
    outputs: { leftA: sub(rows('a'), outer(column, above)), leftB: sub(rows('b'), outer(column, solved)) },
  };
}

function scaledRows(n: number, D: number): Graph {
  const inverse = input('inverse', [n, n], 'float64');
  const scaled = (name: string) => matmul(inverse, input(name, [n, D], 'float64'));
  return { name: 'scaledRows', outputs: { u: scaled('a'), y: scaled('b') } };
}

function substitutedRows(D: number, { first, end }: Panel): Graph {
  const n = end - first;
  const y = input('y', [n, D], 'float64');
  const known = (): Value => {
    const u = slice(input('u', [n, D], 'float64'), 1, end, D);
    return matmul(u, input('x', [D - end, D], 'float64'));
  };
  const left = end < D ? sub(y, known()) : y;
  return { name: 'substitutedRows', outputs: { solved: outer(input('inverse', [n, n], 'float64'), left) } };
}

/**
 * The outputs of the graph that `build` makes of `args`, given its inputs row by row.
 * @param given of the shapes that the graph says
 */
export async function products<Args extends readonly unknown[]>(
  scope: Scope,
  [build, ...args]: readonly [(...args: Args) => Graph, ...Args],
  given: Readonly<Record<string, Float64Array | Float32Array>>,
): Promise<Record<string, Float64Array>> {
  using own = scope.scope();
  const program = await own.program(build, ...args);
  const feeds: Record<string, Tensor> = {};
  for (const { name, shape } of program.inputs) feeds[name] = await own.upload(given[name]!, shape, 'result');
  const results: Tensors = await own.run(program, feeds);
  const read: Record<string, Float64Array> = {};
  for (const [name, tensor] of Object.entries(results)) read[name] = await own.readDoubles(tensor);
  return read;
}

/** The rows of a panel within a matrix of width D. */
export const rowsOf =
  ({ first, end }: Panel, D: number) =>
  (matrix: Float64Array): Float64Array =>
    matrix.subarray(first * D, end * D);

function largestOnDiagonal(a: Float64Array, D: number): number {
  let largest = 0;
  for (let i = 0; i < D; i++) largest = Math.max(largest, a[i * D + i]!);
  return largest;
}

/** The square [n, n] of a panel's rows [n, D] that lies on the diagonal, with the shift on its diagonal. */
function squareOf(rows: Float64Array, { first, end }: Panel, D: number, shift: number): Float64Array {
  const n = end - first;
  const square = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    square.set(rows.subarray(i * D + first, i * D + end), i * n);
    square[i * n + i]! += shift;
  }
  return square;
}

/** L^-1 with L L' = a, both lower triangular [n, n]; null where the square of a diagonal value of L is not above `least`. */
function inverseFactor(a: Float64Array, n: number, least: number): Float64Array | null {
  const L = a;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = L[i * n + j]!;
      for (let k = 0; k < j; k++) sum -= L[i * n + k]! * L[j * n + k]!;
      if (i > j) L[i * n + j] = sum / L[j * n + j]!;
      else if (!(sum > least)) return null;
      else L[i * n + i] = Math.sqrt(sum);
    }
  }
  const inverse = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    const row = inverse.subarray(i * n, i * n + n);
    row[i] = 1;
    for (let k = 0; k < i; k++) {
      const factor = L[i * n + k]!;
      for (let j = 0; j <= k; j++) row[j]! -= factor * inverse[k * n + j]!;
    }
    const by = L[i * n + i]!;
    for (let j = 0; j <= i; j++) row[j]! /= by;
  }
  return inverse;
}
