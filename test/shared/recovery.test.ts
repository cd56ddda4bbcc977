// The share of a loss that healing won back; leastScores beside it are tested through choose and the page.
import { describe, expect, it } from 'vitest';
import { recoveredFraction } from '../../server/shared/recovery';

describe('the recovered fraction', () => {
  it.each<[what: string, original: number, pruned: number, healed: number, fraction: number | null]>([
    ['half of it', 3, 4, 3.5, 0.5],
    ['more than all', 3, 4, 2.5, 1.5],
    ['a healing that made it worse', 3, 4, 5, -1],
    ['pruning that cost nothing', 3, 3, 2, null],
    ['pruning that helped', 3, 2.9, 2.8, null],
    ['an unknown original', Number.NaN, 4, 3, null],
    ['a healing that diverged', 3, 4, Number.POSITIVE_INFINITY, null],
  ])('of %s', (_, original, pruned, healed, fraction) =>
    expect(recoveredFraction({ original, pruned, healed })).toBe(fraction),
  );
});
