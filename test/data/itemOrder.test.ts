import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openOrder } from '../../server/data/itemOrder';

describe('the order of items', () => {
  const orders = fc.record({
    order: fc.constantFrom('sequential' as const, 'shuffled' as const),
    nItems: fc.integer({ min: 1, max: 60 }),
    seed: fc.nat(),
  });
  const positions = (from: number, n: number) => Array.from({ length: n }, (_, i) => from + i);

  test('every pass takes every item once', () => {
    fc.assert(
      fc.property(orders, fc.nat({ max: 1000 }), ({ order, nItems, seed }, pass) => {
        const { at } = openOrder(order, nItems, seed);
        const items = positions(pass * nItems, nItems).map(at);
        expect(items.toSorted((a, b) => a - b)).toEqual(positions(0, nItems));
      }),
    );
  });

  test('asked for any position, it says what it says when asked for all in turn', () => {
    fc.assert(
      fc.property(orders, fc.array(fc.nat({ max: 300 }), { maxLength: 20 }), ({ order, nItems, seed }, wanted) => {
        const inTurn = positions(0, 301).map(openOrder(order, nItems, seed).at);
        const { at } = openOrder(order, nItems, seed);
        expect(wanted.map(at)).toEqual(wanted.map((position) => inTurn[position]));
      }),
    );
  });

  test('a shuffle has another order in every pass and for every seed', () => {
    const passes = [1, 2, 3].flatMap((seed) => {
      const { at } = openOrder('shuffled', 30, seed);
      return [0, 1, 2].map((pass) =>
        positions(30 * pass, 30)
          .map(at)
          .join(),
      );
    });
    expect(new Set(passes).size).toBe(9);
  });

  test('every item is as often first as another', () => {
    const { at } = openOrder('shuffled', 4, 7);
    const firsts = [0, 0, 0, 0];
    for (let pass = 0; pass < 4000; pass++) firsts[at(4 * pass)]!++;
    // Four standard deviations of a binomial around its mean.
    for (const n of firsts) expect(Math.abs(n - 1000)).toBeLessThan(4 * Math.sqrt(4000 * 0.25 * 0.75));
  });

  test('an order of nothing is a defect', () => {
    expect(() => openOrder('shuffled', 0, 0)).toThrow('an order of 0 items');
  });
});
