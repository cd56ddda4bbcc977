// The map that least squares finds, against maps that are known, the definition of a minimum, and loops in plain JavaScript.
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plainFold, plainLeastSquares, type Portion } from '../../bench/plainLeastSquares';
import { foldMap, type LeastSquares, openLeastSquares } from '../../server/pruning/leastSquares';
import { type Device, openDevice } from '../../server/runtime/device';
import { refusalOf } from '../refusal';

let device: Device;
beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
afterAll(() => device.close());

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
const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  largest(Float64Array.from(a, (x, i) => x - b[i]!));
const largest = (values: Iterable<number>) => [...values].reduce((most, value) => Math.max(most, Math.abs(value)), 0);

async function fittedTo(D: number, ...portions: readonly Portion[]): Promise<LeastSquares> {
  const squares = openLeastSquares(device, D);
  for (const { m, target, base } of portions) await squares.add(m, target, base);
  return squares;
}

describe('a map', () => {
  const D = 6;
  it.each([
    ['all rows at once', [40]],
    ['rows in portions', [7, 1, 20, 12]],
    ['as many rows as it is wide', [6]],
    ['more rows than are taken at a time', [2100]],
  ])('that made the rows is found again: %s', async (_, portions) => {
    const T = noise(D * D, 5);
    const made = portions.map((rows, i) => {
      const m = noise(rows * D, 11 + i);
      return { m, target: Float32Array.from(times(m, T, rows, D, D)), base: none(rows * D) };
    });
    const { map, relativeResidual } = await (await fittedTo(D, ...made)).solve(0);
    expect(largestDifference(map, T)).toBeLessThan(1e-4);
    expect(relativeResidual).toBeLessThan(1e-5);
  });

  // Below, at and between whole panels of 128 rows.
  it.each([1, 127, 128, 129, 300])(
    'of width %i is the one that loops find, and so is a weight folded with it',
    async (D) => {
      const rows = D + 50;
      const [m, base, off] = [noise(rows * D, 3), noise(rows * D, 4), noise(rows * D, 6)];
      const portion = { m, base, target: base.map((x, i) => x + m[i]! - 0.5 * m[m.length - 1 - i]! + off[i]!) };
      for (const ridge of [1e-4, 1e-1]) {
        const { map, relativeResidual } = await (await fittedTo(D, portion)).solve(ridge);
        const expected = plainLeastSquares([portion], ridge, D);
        const scale = largest(expected.map);
        expect(largestDifference(map, expected.map) / scale).toBeLessThan(1e-10);
        expect(relativeResidual / expected.relativeResidual).toBeCloseTo(1, 10);
        const W = noise(D * 9, 8);
        const folded = await foldMap(device, map, W, D);
        expect(largestDifference(folded, plainFold(expected.map, W, D)) / scale).toBeLessThan(1e-6);
      }
    },
  );

  it('makes what is left over orthogonal to the rows, and the residual is its length', async () => {
    const rows = 30;
    const [m, target, base] = [noise(rows * D, 3), noise(rows * D, 4), noise(rows * D, 6)];
    const { map, relativeResidual } = await (await fittedTo(D, { m, target, base })).solve(0);
    const wanted = target.map((x, i) => x - base[i]!);
    const left = times(m, map, rows, D, D).map((x, i) => x - (target[i]! - base[i]!));
    const transposed = Float64Array.from({ length: D * rows }, (_, at) => m[(at % rows) * D + Math.floor(at / rows)]!);
    expect(largest(times(transposed, left, D, rows, D))).toBeLessThan(1e-10);
    const norm = (x: ArrayLike<number>) => Math.sqrt(Array.from(x).reduce((sum, value) => sum + value * value, 0));
    expect(relativeResidual).toBeCloseTo(norm(left) / norm(wanted), 6);
  });

  it('shrinks with the ridge', async () => {
    const rows = 20;
    const squares = await fittedTo(D, { m: noise(rows * D, 3), target: noise(rows * D, 4), base: none(rows * D) });
    const norms: number[] = [];
    for (const ridge of [0, 1e-3, 1e-1, 1, 100]) norms.push(Math.hypot(...(await squares.solve(ridge)).map));
    expect(norms).toEqual(norms.toSorted((a, b) => b - a));
    expect(norms.at(-1)).toBeLessThan(0.1 * norms[0]!);
  });

  // 200 rows of width 300: the first panel of 128 is determined.
  it.each([
    [3, 6],
    [200, 300],
  ])('is refused where %i rows do not determine it at width %i, and found with a ridge', async (rows, D) => {
    const squares = await fittedTo(D, { m: noise(rows * D, 3), target: noise(rows * D, 4), base: none(rows * D) });
    expect(await refusalOf(squares.solve(0))).toMatch(
      new RegExp(`^badData: ${rows} tokens do not determine a repair of width ${D} .* --ridge 1e-4`),
    );
    expect(await refusalOf(squares.solve(1e-4))).toBe('accepted');
  });

  it('is refused where rows are not independent, however many there are', async () => {
    const m = noise(40 * D, 3).map((x, i, all) => (i % D === 5 ? all[i - 1]! : x));
    const squares = await fittedTo(D, { m, target: noise(40 * D, 4), base: none(40 * D) });
    expect(await refusalOf(squares.solve(0))).toMatch(/^badData: 40 tokens do not determine/);
  });

  it('is refused where states are not finite', async () => {
    const m = noise(40 * D, 3);
    m[7] = Number.POSITIVE_INFINITY;
    const squares = await fittedTo(D, { m, target: noise(40 * D, 4), base: none(40 * D) });
    expect(await refusalOf(squares.solve(1))).toMatch(/^notFinite: .* the states that it is fitted to are not finite/);
  });

  it('folded into a weight maps its output', async () => {
    const shape = fc.record({
      rows: fc.integer({ min: 1, max: 9 }),
      into: fc.integer({ min: 1, max: 7 }),
      seed: fc.integer({ min: 1, max: 1e6 }),
    });
    await fc.assert(
      fc.asyncProperty(shape, async ({ rows, into, seed }) => {
        const [x, W, T] = [
          noise(rows * into, seed),
          noise(D * into, seed + 1),
          Float64Array.from(noise(D * D, seed + 2)),
        ];
        const transposed = (w: ArrayLike<number>) =>
          Float64Array.from({ length: into * D }, (_, at) => w[(at % D) * into + Math.floor(at / D)]!);
        const mapped = times(times(x, transposed(W), rows, into, D), T, rows, D, D);
        const folded = times(x, transposed(await foldMap(device, T, W, D)), rows, into, D);
        expect(largestDifference(folded, mapped)).toBeLessThan(1e-5);
      }),
    );
  });

  it('is folded into wide weights a part of their columns at a time', async () => {
    const [W, T] = [noise(D * 1100, 8), Float64Array.from(noise(D * D, 9))];
    expect(largestDifference(await foldMap(device, T, W, D), plainFold(T, W, D))).toBeLessThan(1e-6);
  });
});
