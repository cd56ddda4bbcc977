// Least squares in float64 from rows that arrive in portions: what map of M comes nearest to the wanted rows?
// D is the width of both.
import { UserError } from '../errors';
import { allFinite } from '../shared/finite';

export interface LeastSquares {
  /** Adds rows: M [rows, D] and what M T should be, target - base, each [rows, D]. */
  add(m: Float32Array, target: Float32Array, base: Float32Array): void;
  /**
   * T [D, D] = (M'M + a I)^-1 M'W for all rows so far, with W the wanted rows and a = ridge trace(M'M) / D, and how much of
   * W it misses, |M T - W| / |W| in Frobenius norms (ReplaceMe, arXiv:2505.02819, equation of the linear transform).
   * Throws UserError `badData` where the rows do not determine T, `notFinite` where T is not finite.
   */
  solve(ridge: number): { map: Float64Array; relativeResidual: number };
}

export function openLeastSquares(width: number): LeastSquares {
  const D = width;
  const gram = new Float64Array(D * D);
  const cross = new Float64Array(D * D);
  let wantedSquares = 0;
  let nRows = 0;
  return {
    add(m, target, base) {
      const rows = m.length / D;
      nRows += rows;
      // Four rows at a time: each sum is loaded and stored once for four products.
      const a = new Float64Array(4 * D);
      const w = new Float64Array(4 * D);
      for (let at = 0; at < rows; at += 4) {
        const n = Math.min(4, rows - at) * D;
        a.fill(0);
        w.fill(0);
        for (let i = 0; i < n; i++) {
          a[i] = m[at * D + i]!;
          w[i] = target[at * D + i]! - base[at * D + i]!;
          wantedSquares += w[i]! * w[i]!;
        }
        addOuterProducts(gram, a, a, D);
        addOuterProducts(cross, a, w, D);
      }
    },
    solve(ridge) {
      let trace = 0;
      for (let i = 0; i < D; i++) trace += gram[i * D + i]!;
      const regular = gram.slice();
      for (let i = 0; i < D; i++) regular[i * D + i]! += (ridge * trace) / D;
      if (!allFinite(regular) || !allFinite(cross)) throw notFiniteRepair('the states that it is fitted to are');
      const factor = cholesky(regular, D);
      if (!factor)
        throw new UserError(
          'badData',
          `${nRows} tokens do not determine a repair of width ${D} without a ridge; give more --sequences, or --ridge 1e-4.`,
        );
      const map = solveTriangular(factor, cross, D);
      if (!allFinite(map)) throw notFiniteRepair('its map is');
      const squares = missed(map, gram, cross, wantedSquares, D);
      return { map, relativeResidual: wantedSquares === 0 ? 0 : Math.sqrt(squares / wantedSquares) };
    },
  };
}

/** Why there is no repair. @param what `its map is`, as it follows `because` */
export const notFiniteRepair = (what: string) =>
  new UserError(
    'notFinite',
    `The repair cannot be computed, because ${what} not finite; give a larger --ridge, or leave out the repair.`,
  );

/** sums [D, D] += a' b for four rows of each. */
function addOuterProducts(sums: Float64Array, a: Float64Array, b: Float64Array, D: number): void {
  for (let i = 0; i < D; i++) {
    const a0 = a[i]!;
    const a1 = a[D + i]!;
    const a2 = a[2 * D + i]!;
    const a3 = a[3 * D + i]!;
    const row = i * D;
    for (let j = 0; j < D; j++) sums[row + j]! += a0 * b[j]! + a1 * b[D + j]! + a2 * b[2 * D + j]! + a3 * b[3 * D + j]!;
  }
}

/** L with L L' = a, lower triangular; null where a is not positive definite to working precision. */
function cholesky(a: Float64Array, D: number): Float64Array | null {
  const L = a;
  let largest = 0;
  for (let i = 0; i < D; i++) largest = Math.max(largest, a[i * D + i]!);
  for (let i = 0; i < D; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = L[i * D + j]!;
      for (let k = 0; k < j; k++) sum -= L[i * D + k]! * L[j * D + k]!;
      if (i > j) L[i * D + j] = sum / L[j * D + j]!;
      else if (!(sum > Number.EPSILON * largest)) return null;
      else L[i * D + i] = Math.sqrt(sum);
    }
  }
  return L;
}

/** X with L L' X = b for all D columns: row by row, so that memory is walked in order. */
function solveTriangular(L: Float64Array, b: Float64Array, D: number): Float64Array {
  const x = b.slice();
  const subtract = (row: number, factor: number, other: number) => {
    for (let j = 0; j < D; j++) x[row * D + j]! -= factor * x[other * D + j]!;
  };
  const divide = (row: number) => {
    const by = L[row * D + row]!;
    for (let j = 0; j < D; j++) x[row * D + j]! /= by;
  };
  for (let i = 0; i < D; i++) {
    for (let k = 0; k < i; k++) subtract(i, L[i * D + k]!, k);
    divide(i);
  }
  for (let i = D - 1; i >= 0; i--) {
    for (let k = i + 1; k < D; k++) subtract(i, L[k * D + i]!, k);
    divide(i);
  }
  return x;
}

/** |M T - W|^2 = |W|^2 - 2 tr(T' C) + tr(T' G T), from G = M'M and C = M'W. */
function missed(T: Float64Array, gram: Float64Array, cross: Float64Array, wanted: number, D: number): number {
  let sum = wanted;
  const row = new Float64Array(D);
  for (let i = 0; i < D; i++) {
    row.fill(0);
    for (let k = 0; k < D; k++) {
      const g = gram[i * D + k]!;
      for (let j = 0; j < D; j++) row[j]! += g * T[k * D + j]!;
    }
    for (let j = 0; j < D; j++) sum += T[i * D + j]! * (row[j]! - 2 * cross[i * D + j]!);
  }
  return Math.max(0, sum);
}

/** T' W for W [D, columns]: the map folded into a weight [out, in] whose output it maps; summed in float64. */
export function foldMap(T: Float64Array, W: Float32Array, D: number): Float32Array {
  const columns = W.length / D;
  const folded = new Float32Array(W.length);
  const row = new Float64Array(columns);
  for (let o = 0; o < D; o++) {
    row.fill(0);
    for (let k = 0; k < D; k++) {
      const t = T[k * D + o]!;
      for (let j = 0; j < columns; j++) row[j]! += t * W[k * columns + j]!;
    }
    folded.set(row, o * columns);
  }
  return folded;
}
