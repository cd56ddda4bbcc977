// Least squares in float64 from rows that arrive in portions: what map of M comes nearest to the wanted rows? The products
// are graphs on the CPU. D is the width of both.
import { UserError } from '../errors';
import { mul, sub, toDouble, toFloat } from '../graph/ops/elementwise';
import { matmul, outer } from '../graph/ops/linear';
import { slice } from '../graph/ops/movement';
import { reduceSum } from '../graph/ops/reduce';
import { type Graph, input } from '../graph/value';
import type { Scope } from '../runtime/device';
import { allFinite } from '../shared/finite';
import { type Panel, panelsOf, products, rowsOf, solvePositiveDefinite } from './cholesky';

export interface LeastSquares {
  /** Adds rows: M [rows, D] and what M T should be, target - base, each [rows, D]. */
  add(m: Float32Array, target: Float32Array, base: Float32Array): Promise<void>;
  /**
   * T [D, D] = (M'M + a I)^-1 M'W for all rows so far, with W the wanted rows and a = ridge trace(M'M) / D, and how much of
   * W it misses, |M T - W| / |W| in Frobenius norms (ReplaceMe, arXiv:2505.02819, equation of the linear transform).
   * Throws UserError `badData` where the rows do not determine T, `notFinite` where T is not finite.
   */
  solve(ridge: number): Promise<{ map: Float64Array; relativeResidual: number }>;
}

/** Rows that are made float64 at a time. */
const rowsAtOnce = 1024;

/**
 * Bytes that the least squares of so many gaps hold at most: two matrices each, of which the first gap's stay for all ridges, two
 * more to solve, and rows and panels on their way, twice, since the runtime gives back a copy of each result.
 */
export const leastSquaresBytes = (width: number, nGaps: number): number =>
  8 * width * ((nGaps > 1 ? 6 : 4) * width + 6 * rowsAtOnce);

/** @param host has float64: a scope of the CPU */
export function openLeastSquares(host: Scope, width: number): LeastSquares {
  const D = width;
  const gram = new Float64Array(D * D);
  const cross = new Float64Array(D * D);
  let wantedSquares = 0;
  let nRows = 0;
  return {
    async add(m, target, base) {
      nRows += m.length / D;
      wantedSquares += squaredDistance(target, base);
      for (let at = 0; at < m.length; at += rowsAtOnce * D) {
        const [a, ...wanted] = [m, target, base].map((of) => of.subarray(at, at + rowsAtOnce * D));
        await addRows(host, { gram, cross }, { m: a!, target: wanted[0]!, base: wanted[1]! }, D);
      }
    },
    async solve(ridge) {
      if (!allFinite(gram) || !allFinite(cross)) throw notFiniteRepair('the states that it is fitted to are');
      let trace = 0;
      for (let i = 0; i < D; i++) trace += gram[i * D + i]!;
      const shift = (ridge * trace) / D;
      const determined = nRows >= D || shift > 0;
      const map = determined ? await solvePositiveDefinite(host, { a: gram, b: cross, shift, width: D }) : null;
      if (!map)
        throw new UserError(
          'badData',
          `${nRows} tokens do not determine a repair of width ${D} without a ridge; give more --sequences, or --ridge 1e-4.`,
        );
      if (!allFinite(map)) throw notFiniteRepair('its map is');
      const squares = await missed(host, map, { gram, cross, wantedSquares }, D);
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

async function addRows(
  host: Scope,
  { gram, cross }: { gram: Float64Array; cross: Float64Array },
  given: { m: Float32Array; target: Float32Array; base: Float32Array },
  D: number,
): Promise<void> {
  const nRows = given.m.length / D;
  const { a, w } = await products(host, [rowsAsDoubles, nRows, D], given);
  for (const panel of panelsOf(D)) {
    const { aa, aw } = await products(host, [normalRows, nRows, D, panel], { a: a!, w: w! });
    addTo(rowsOf(panel, D)(gram), aa!);
    addTo(rowsOf(panel, D)(cross), aw!);
  }
}

function rowsAsDoubles(rows: number, D: number): Graph {
  const double = (name: string) => toDouble(input(name, [rows, D]));
  return { name: 'rowsAsDoubles', outputs: { a: double('m'), w: sub(double('target'), double('base')) } };
}

/** Rows of a'a and a'w. */
function normalRows(rows: number, D: number, { first, end }: Panel): Graph {
  const a = input('a', [rows, D], 'float64');
  const columns = slice(a, 1, first, end);
  const w = input('w', [rows, D], 'float64');
  return { name: 'normalRows', outputs: { aa: outer(columns, a), aw: outer(columns, w) } };
}

/** |M T - W|^2 = |W|^2 - 2 tr(T' C) + tr(T' G T), from G = M'M and C = M'W. */
async function missed(
  host: Scope,
  map: Float64Array,
  { gram, cross, wantedSquares }: { gram: Float64Array; cross: Float64Array; wantedSquares: number },
  D: number,
): Promise<number> {
  let sum = wantedSquares;
  for (const panel of panelsOf(D)) {
    const rows = rowsOf(panel, D);
    const feeds = { map, t: rows(map), g: rows(gram), c: rows(cross) };
    sum += (await products(host, [missedRows, panel.end - panel.first, D], feeds)).sum![0]!;
  }
  return Math.max(0, sum);
}

/** sum(t (g T - 2 c)) over some rows of T, G and C. */
function missedRows(n: number, D: number): Graph {
  const rows = (name: string) => input(name, [n, D], 'float64');
  const c = rows('c');
  const product = matmul(rows('g'), input('map', [D, D], 'float64'));
  return { name: 'missedRows', outputs: { sum: reduceSum(mul(rows('t'), sub(sub(product, c), c)), [0, 1]) } };
}

/** Columns of a weight that are mapped together. */
const foldedColumns = 512;

/** T' W for W [D, columns]: the map folded into a weight [out, in] whose output it maps; summed in float64. */
export async function foldMap(host: Scope, T: Float64Array, W: Float32Array, D: number): Promise<Float32Array> {
  const columns = W.length / D;
  const folded = new Float32Array(W.length);
  for (let first = 0; first < columns; first += foldedColumns) {
    using scope = host.scope();
    const n = Math.min(foldedColumns, columns - first);
    const part = new Float32Array(D * n);
    for (let i = 0; i < D; i++) part.set(W.subarray(i * columns + first, i * columns + first + n), i * n);
    const program = await scope.program(mappedColumns, D, n);
    const map = await scope.upload(T, [D, D], 'result');
    const { mapped } = await scope.run(program, { map, part: await scope.upload(part, [D, n], 'weight') });
    const found = await scope.read(mapped!);
    for (let i = 0; i < D; i++) folded.set(found.subarray(i * n, (i + 1) * n), i * columns + first);
  }
  return folded;
}

const mappedColumns = (D: number, n: number): Graph => ({
  name: 'mappedColumns',
  outputs: { mapped: toFloat(outer(input('map', [D, D], 'float64'), toDouble(input('part', [D, n])))) },
});

function squaredDistance(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i]! - b[i]!) ** 2;
  return sum;
}

function addTo(sums: Float64Array, terms: Float64Array): void {
  for (let i = 0; i < sums.length; i++) sums[i]! += terms[i]!;
}
