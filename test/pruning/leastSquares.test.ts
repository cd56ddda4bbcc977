// The map that least squares finds, against maps that are known and against the definition of a minimum.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { foldMap, openLeastSquares } from '../../server/pruning/leastSquares';
import { refusal } from '../refusal';

/** Numbers between -1 and 1 from a seed. */
function noise(length: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length }, () => {
    state = (state * 48271) % 2147483647;
    return (2 * state) / 2147483647 - 1;
  });
}

const times = (a: ArrayLike<number>, b: ArrayLike<number>, rows: number, inner: number, columns: number) =>
  Float64Array.from({ length: rows * columns }, (_, at) => {
    const [i, j] = [Math.floor(at / columns), at % columns];
    let sum = 0;
    for (let k = 0; k < inner; k++) sum += a[i * inner + k]! * b[k * columns + j]!;
    return sum;
  });

const none = (n: number) => new Float32Array(n);
const largest = (values: Iterable<number>) => Math.max(...[...values].map(Math.abs));

describe('a map', () => {
  const D = 6;
  it.each([
    ['all rows at once', [40]],
    ['rows in portions', [7, 1, 20, 12]],
    ['as many rows as it is wide', [6]],
  ])('that made the rows is found again: %s', (_, portions) => {
    const T = noise(D * D, 5);
    const squares = openLeastSquares(D);
    for (const [i, rows] of portions.entries()) {
      const m = noise(rows * D, 11 + i);
      squares.add(m, Float32Array.from(times(m, T, rows, D, D)), none(rows * D));
    }
    const { map, relativeResidual } = squares.solve(0);
    expect(largest(map.map((x, i) => x - T[i]!))).toBeLessThan(1e-4);
    expect(relativeResidual).toBeLessThan(1e-5);
  });

  it('makes what is left over orthogonal to the rows, and the residual is its length', () => {
    const rows = 30;
    const [m, target, base] = [noise(rows * D, 3), noise(rows * D, 4), noise(rows * D, 6)];
    const squares = openLeastSquares(D);
    squares.add(m, target, base);
    const { map, relativeResidual } = squares.solve(0);
    const wanted = target.map((x, i) => x - base[i]!);
    const left = times(m, map, rows, D, D).map((x, i) => x - (target[i]! - base[i]!));
    const transposed = Float64Array.from({ length: D * rows }, (_, at) => m[(at % rows) * D + Math.floor(at / rows)]!);
    expect(largest(times(transposed, left, D, rows, D))).toBeLessThan(1e-10);
    const norm = (x: ArrayLike<number>) => Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));
    expect(relativeResidual).toBeCloseTo(norm(left) / norm(wanted), 6);
  });

  it('shrinks with the ridge', () => {
    const rows = 20;
    const squares = openLeastSquares(D);
    squares.add(noise(rows * D, 3), noise(rows * D, 4), none(rows * D));
    const norms = [0, 1e-3, 1e-1, 1, 100].map((ridge) => Math.hypot(...squares.solve(ridge).map));
    expect(norms).toEqual(norms.toSorted((a, b) => b - a));
    expect(norms.at(-1)).toBeLessThan(0.1 * norms[0]!);
  });

  it('is refused where the rows do not determine it, and found with a ridge', () => {
    const squares = openLeastSquares(D);
    squares.add(noise(3 * D, 3), noise(3 * D, 4), none(3 * D));
    expect(refusal(() => squares.solve(0))).toMatch(
      /^badData: 3 tokens do not determine a repair of width 6 .* --ridge 1e-4/,
    );
    expect(refusal(() => squares.solve(1e-4))).toBe('accepted');
  });

  it('folded into a weight maps its output', () => {
    const shape = fc.record({
      rows: fc.integer({ min: 1, max: 9 }),
      into: fc.integer({ min: 1, max: 7 }),
      seed: fc.integer({ min: 1, max: 1e6 }),
    });
    fc.assert(
      fc.property(shape, ({ rows, into, seed }) => {
        const [x, W, T] = [
          noise(rows * into, seed),
          noise(D * into, seed + 1),
          Float64Array.from(noise(D * D, seed + 2)),
        ];
        const transposed = (w: ArrayLike<number>) =>
          Float64Array.from({ length: into * D }, (_, at) => w[(at % D) * into + Math.floor(at / D)]!);
        const mapped = times(times(x, transposed(W), rows, into, D), T, rows, D, D);
        const folded = times(x, transposed(foldMap(T, W, D)), rows, into, D);
        expect(largest(folded.map((value, i) => value - mapped[i]!))).toBeLessThan(1e-5);
      }),
    );
  });
});
