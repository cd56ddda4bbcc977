// Random numbers of training: they depend on their place alone, and are as spread as they should be.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dropoutMask, initialA, keyOf, uniform } from '../../server/training/random';

const n = 200_000;
const mean = (values: ArrayLike<number>, f: (x: number) => number = (x) => x) => {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += f(values[i]!);
  return sum / values.length;
};
const stream = (key: number) => Float64Array.from({ length: n }, (_, i) => uniform(key, i));

/** Places that differ little, as those of training do: seed, step, batch, block, layer. */
const keys = [
  keyOf(0),
  keyOf(1),
  keyOf(0, 0),
  keyOf(0, 1),
  keyOf(0, 0, 0, 0, 0),
  keyOf(0, 0, 0, 0, 1),
  keyOf(7, 99, 1),
];

describe('uniform', () => {
  // Moments of [0, 1): 1/(k+1), with the error of a mean of n within 5 deviations.
  it.each(keys)('has the moments of the uniform distribution, key %d', (key) => {
    const values = stream(key);
    for (const [power, deviation] of [
      [1, Math.sqrt(1 / 12)],
      [2, Math.sqrt(4 / 45)],
      [3, Math.sqrt(9 / 112)],
    ] as const)
      expect(Math.abs(mean(values, (x) => x ** power) - 1 / (power + 1))).toBeLessThan((5 * deviation) / Math.sqrt(n));
    expect(Math.min(...values.subarray(0, 1e5))).toBeGreaterThanOrEqual(0);
    expect(Math.max(...values.subarray(0, 1e5))).toBeLessThan(1);
  });

  it.each([1, 2, 64, 512])('is not like itself %d places on', (lag) => {
    const values = stream(keyOf(3, 5));
    const pairs = values.subarray(lag).map((x, i) => (x - 0.5) * (values[i]! - 0.5));
    expect(Math.abs(mean(pairs))).toBeLessThan(5 / 12 / Math.sqrt(n));
  });

  it('is not like that of another key', () => {
    const all = keys.map(stream);
    for (const [i, one] of all.entries())
      for (const other of all.slice(i + 1))
        expect(Math.abs(mean(one.map((x, j) => (x - 0.5) * (other[j]! - 0.5))))).toBeLessThan(5 / 12 / Math.sqrt(n));
  });
});

describe('keyOf', () => {
  it('tells places apart', () => {
    const places = [0, 1, 2, 3, 100].flatMap((seed) =>
      [0, 1, 2, 29].flatMap((step) => [0, 1, 2].flatMap((block) => [0, 6].map((layer) => [seed, step, block, layer]))),
    );
    expect(new Set(places.map((place) => keyOf(...place))).size).toBe(places.length);
    expect(keyOf(1, 2)).not.toBe(keyOf(2, 1));
    expect(keyOf(0)).not.toBe(keyOf(0, 0));
  });
});

describe('a dropout mask', () => {
  it('depends on its place alone', () => {
    const place = fc.tuple(fc.nat(1e9), fc.nat(1e5), fc.nat(50), fc.nat(100), fc.nat(6));
    fc.assert(
      fc.property(place, fc.nat(300), (where, more) => {
        const mask = dropoutMask(keyOf(...where), 100 + more, 0.3);
        // Others made in between change nothing, and a longer one begins with it.
        dropoutMask(keyOf(...where, 1), 50, 0.5);
        expect(dropoutMask(keyOf(...where), 100, 0.3)).toEqual(mask.subarray(0, 100));
      }),
    );
  });

  it('differs with every part of its place', () => {
    const masks = [
      [0, 0, 0, 0, 0],
      [1, 0, 0, 0, 0],
      [0, 1, 0, 0, 0],
      [0, 0, 1, 0, 0],
      [0, 0, 0, 1, 0],
      [0, 0, 0, 0, 1],
    ].map((place) => dropoutMask(keyOf(...place), 256, 0.5).join());
    expect(new Set(masks).size).toBe(masks.length);
  });

  it.each([0.01, 0.1, 0.5, 0.9])('drops a share of %d and keeps the mean at 1', (rate) => {
    const mask = dropoutMask(keyOf(5, 1), n, rate);
    const kept = Math.fround(1 / (1 - rate));
    expect(new Set(mask)).toEqual(new Set([0, kept]));
    const deviation = Math.sqrt((rate * (1 - rate)) / n);
    expect(Math.abs(mean(mask, (x) => (x === 0 ? 1 : 0)) - rate)).toBeLessThan(5 * deviation);
    expect(Math.abs(mean(mask) - 1)).toBeLessThan((5 * deviation) / (1 - rate));
  });

  it('of rate 0 drops nothing', () => expect(new Set(dropoutMask(1, 1000, 0))).toEqual(new Set([1])));
});

describe('the first A', () => {
  // torch's kaiming_uniform_(a = sqrt(5)): gain sqrt(2 / (1 + 5)) = 1/sqrt(3), bound sqrt(3) gain / sqrt(in) = 1/sqrt(in).
  it.each([
    [4, 64],
    [8, 172],
    [64, 576],
  ])('of rank %d for %d features lies within its bound and fills it', (rank, inFeatures) => {
    const a = initialA(keyOf(0, rank), rank, inFeatures);
    const bound = 1 / Math.sqrt(inFeatures);
    expect(a).toHaveLength(rank * inFeatures);
    const largest = Math.max(...a.map(Math.abs));
    expect(largest).toBeLessThanOrEqual(Math.fround(bound));
    expect(largest).toBeGreaterThan(0.95 * bound);
    const deviation = bound / Math.sqrt(3);
    expect(Math.abs(mean(a))).toBeLessThan((5 * deviation) / Math.sqrt(a.length));
    expect(Math.abs(mean(a, (x) => x * x) / deviation ** 2 - 1)).toBeLessThan(5 / Math.sqrt(a.length));
  });

  it('is another for every module and seed', () => {
    const first = (...place: number[]) => initialA(keyOf(...place), 2, 8).join();
    expect(new Set([first(0, 0), first(0, 1), first(1, 0), first(1, 1)]).size).toBe(4);
  });
});
