// The least squares behind a repair as loops of JavaScript, one number after the other: what `server/pruning/leastSquares.ts`
// has to agree with, and is measured against. D is the width of M and of the wanted rows.

/** Rows [rows, D] of M, and of what M T should be, target - base. */
export interface Portion {
  readonly m: Float32Array;
  readonly target: Float32Array;
  readonly base: Float32Array;
}

/** T [D, D] = (M'M + a I)^-1 M'W with a = ridge trace(M'M) / D, and |M T - W| / |W|. The matrix has to be positive definite. */
export function plainLeastSquares(
  portions: readonly Portion[],
  ridge: number,
  D: number,
): { map: Float64Array; relativeResidual: number } {
  const gram = new Float64Array(D * D);
  const cross = new Float64Array(D * D);
  let wantedSquares = 0;
  for (const { m, target, base } of portions) {
    const w = Float64Array.from(target, (value, i) => value - base[i]!);
    for (const value of w) wantedSquares += value * value;
    addOuterProducts(gram, Float64Array.from(m), Float64Array.from(m), D);
    addOuterProducts(cross, Float64Array.from(m), w, D);
  }
  let trace = 0;
  for (let i = 0; i < D; i++) trace += gram[i * D + i]!;
  const factor = gram.slice();
  for (let i = 0; i < D; i++) factor[i * D + i]! += (ridge * trace) / D;
  cholesky(factor, D);
  const map = solveTriangular(factor, cross, D);
  const squares = missed(map, gram, cross, wantedSquares, D);
  return { map, relativeResidual: Math.sqrt(squares / wantedSquares) };
}

/** T' W for W [D, columns], summed in float64. */
export function plainFold(T: Float64Array, W: Float32Array, D: number): Float32Array {
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

/** sums [D, D] += a' b, four rows at a time: each sum is loaded and stored once for four products. */
function addOuterProducts(sums: Float64Array, a: Float64Array, b: Float64Array, D: number): void {
  const four = (of: Float64Array, at: number) => {
    const rows = new Float64Array(4 * D);
    rows.set(of.subarray(at, at + 4 * D));
    return rows;
  };
  for (let at = 0; at < a.length; at += 4 * D) {
    const [as, bs] = [four(a, at), four(b, at)];
    for (let i = 0; i < D; i++) {
      const a0 = as[i]!;
      const a1 = as[D + i]!;
      const a2 = as[2 * D + i]!;
      const a3 = as[3 * D + i]!;
      const row = i * D;
      for (let j = 0; j < D; j++)
        sums[row + j]! += a0 * bs[j]! + a1 * bs[D + j]! + a2 * bs[2 * D + j]! + a3 * bs[3 * D + j]!;
    }
  }
}

/** a becomes L with L L' = a. */
function cholesky(L: Float64Array, D: number): void {
  for (let i = 0; i < D; i++)
    for (let j = 0; j <= i; j++) {
      let sum = L[i * D + j]!;
      for (let k = 0; k < j; k++) sum -= L[i * D + k]! * L[j * D + k]!;
      L[i * D + j] = i > j ? sum / L[j * D + j]! : Math.sqrt(sum);
    }
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
