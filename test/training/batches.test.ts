// Items as batches: weights that sum to 1, padding that changes nothing, and a teacher's expectations row by row.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { byLength, type CountedSequence, countedIn, weightedBatches } from '../../server/training/batches';

const sequence = (...counted: number[]): CountedSequence => ({
  ids: Int32Array.from(counted, (_, i) => 10 * counted.length + i),
  counted: Uint8Array.from(counted),
});
const whole = (length: number): CountedSequence => sequence(...Array.from({ length }, () => 1));

/** Sequences with at least one prediction that counts. */
const sequences = fc.array(
  fc
    .array(fc.constantFrom(0, 1), { minLength: 2, maxLength: 150 })
    .map((counted) => sequence(...counted.slice(0, -1), 1)),
  { minLength: 1, maxLength: 9 },
);
const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, x) => total + x, 0);

describe('the batches of a step', () => {
  it('weigh 1 together, every counted prediction the same and others nothing', () => {
    fc.assert(
      fc.property(sequences, fc.integer({ min: 1, max: 5 }), (items, each) => {
        const batches = weightedBatches(items, each);
        const nCounted = items.reduce((n, item) => n + countedIn(item), 0);
        expect(sum(batches.map(({ weights }) => sum(weights)))).toBeCloseTo(1, 5);
        for (const [place, { counted }] of items.entries()) {
          const { weights, tokens } = batches[Math.floor(place / each)]!;
          const own = weights.subarray((place % each) * (tokens - 1), ((place % each) + 1) * (tokens - 1));
          const expected = Array.from(own, (_, i) => (counted[i + 1] === 1 ? Math.fround(1 / nCounted) : 0));
          expect([...own]).toEqual(expected);
        }
      }),
    );
  });

  it('hold all items in order, filled up with zeros to one length each', () => {
    fc.assert(
      fc.property(sequences, fc.integer({ min: 1, max: 5 }), (items, each) => {
        const batches = weightedBatches(items, each);
        expect(batches.map(({ batch }) => batch)).toEqual(
          Array.from({ length: Math.ceil(items.length / each) }, (_, g) => Math.min(each, items.length - g * each)),
        );
        for (const [place, { ids }] of items.entries()) {
          const { ids: all, tokens, batch, weights } = batches[Math.floor(place / each)]!;
          expect([all.length, weights.length]).toEqual([batch * tokens, batch * (tokens - 1)]);
          const row = all.subarray((place % each) * tokens, ((place % each) + 1) * tokens);
          expect([...row]).toEqual([...ids, ...Array.from({ length: tokens - ids.length }, () => 0)]);
        }
      }),
    );
  });

  it.each([
    [[50, 50], 50],
    [[64, 64, 64], 64],
    [[50, 51], 64],
    [[64, 3], 64],
    [[65, 64], 128],
    [[128, 129], 192],
    [[7], 7],
  ])('of sequences of %j tokens have %d', (lengths, tokens) => {
    expect(weightedBatches(lengths.map(whole), lengths.length).map((it) => it.tokens)).toEqual([tokens]);
  });

  it('leave out that the first token counts, which nothing predicts', () => {
    const [batch] = weightedBatches([sequence(1, 0, 1)], 1);
    expect([...batch!.weights]).toEqual([0, 1]);
  });
});

describe("a teacher's expectations", () => {
  const topK = 2;
  const withTargets = (length: number, first: number): CountedSequence => ({
    ...whole(length),
    expected: {
      topK,
      temperature: 2,
      ids: Int32Array.from({ length: (length - 1) * topK }, (_, i) => first + i),
      logProbabilities: Float32Array.from({ length: (length - 1) * topK }, (_, i) => -first - i),
    },
  });

  it('go together sequence by sequence, filled up as the ids are', () => {
    const [batch] = weightedBatches([withTargets(3, 100), withTargets(66, 200)], 2);
    const { ids, logProbabilities, ...rest } = batch!.expected!;
    const each = (128 - 1) * topK;
    expect(rest).toEqual({ topK, temperature: 2 });
    expect([ids.length, logProbabilities.length]).toEqual([2 * each, 2 * each]);
    expect([...ids.subarray(0, 6)]).toEqual([100, 101, 102, 103, 0, 0]);
    expect([...ids.subarray(each, each + 130)]).toEqual(Array.from({ length: 130 }, (_, i) => 200 + i));
    expect([...logProbabilities.subarray(0, 6)]).toEqual([-100, -101, -102, -103, 0, 0]);
    expect([...logProbabilities.subarray(each, each + 2)]).toEqual([-200, -201]);
  });

  it('are missing where there is no teacher', () => {
    expect(weightedBatches([whole(3)], 1)[0]).not.toHaveProperty('expected');
  });
});

describe('sequences by length', () => {
  it('come each once, with what they are, and lengths are few', () => {
    fc.assert(
      fc.property(sequences, (items) => {
        const groups = byLength(items);
        expect(groups.flatMap(({ places }) => places).toSorted((a, b) => a - b)).toEqual(items.map((_, i) => i));
        for (const { ids, places } of groups)
          for (const [i, place] of places.entries()) {
            const own = items[place]!.ids;
            expect(ids[i]).toHaveLength(ids[0]!.length);
            expect(ids[i]!.subarray(0, own.length)).toEqual(own);
            expect(sum(ids[i]!.subarray(own.length))).toBe(0);
          }
        const lengths = groups.map(({ ids }) => ids[0]!.length);
        expect(new Set(lengths).size).toBe(lengths.length);
        if (groups.length > 1) for (const length of lengths) expect(length % 64).toBe(0);
      }),
    );
  });

  it('of one length stay as they are', () => {
    expect(byLength([whole(50), whole(50)]).map(({ ids }) => ids.map((it) => it.length))).toEqual([[50, 50]]);
  });
});
