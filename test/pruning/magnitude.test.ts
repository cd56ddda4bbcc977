// Single weights by magnitude: exactly as many as asked for, the smallest ones, of equal ones the first.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { zeroSmallest } from '../../server/pruning/magnitude';

const zeroed = (weights: number[], ratio: number) => {
  const changed = Float32Array.from(weights);
  return { weights: [...changed], ...zeroSmallest(changed, ratio), changed: [...changed] };
};

describe('the smallest weights', () => {
  it.each<[string, number[], number, number[]]>([
    ['a half', [3, -1, 2, -4], 0.5, [3, 0, 0, -4]],
    ['none', [3, -1, 2], 0, [3, -1, 2]],
    ['less than one', [3, -1, 2], 0.3, [3, -1, 2]],
    ['the first of equal ones', [1, -1, 1, 1], 0.5, [0, 0, 1, 1]],
    ['zeros count', [0, 5, 0, 6], 0.5, [0, 5, 0, 6]],
    ['tiny ones', [1e-40, -1e-38, 1e-30, 1], 0.5, [0, 0, Math.fround(1e-30), 1]],
    ['all but one', [4, 3, 2, 1], 0.99, [4, 0, 0, 0]],
    ['nothing of nothing', [], 0.5, []],
  ])('become zero: %s', (_, weights, ratio, expected) => expect(zeroed(weights, ratio).changed).toEqual(expected));

  it('are those that sorting finds, for any weights and ratio', () => {
    const weights = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 0.999, noNaN: true }), (numbers, ratio) => {
        const { changed, nZeroed, threshold, weights: before } = zeroed(numbers, ratio);
        const count = Math.floor(ratio * numbers.length);
        expect(nZeroed).toBe(count);
        const order = before.map((_, i) => i).sort((a, b) => Math.abs(before[a]!) - Math.abs(before[b]!) || a - b);
        const gone = new Set(order.slice(0, count));
        expect(changed.every((x, i) => (gone.has(i) ? x === 0 : Object.is(x, before[i])))).toBe(true);
        if (count > 0) expect(threshold).toBe(Math.abs(before[order[count - 1]!]!));
      }),
    );
  });
});
