// From scores to drop sets: order, ties, spans, what is protected, what is refused, and the sets that were published.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DropRule } from '../../server/protocol/recipes';
import type { MethodScores } from '../../server/protocol/reports';
import { choose } from '../../server/pruning/choose';
import { formatBlockList, ofBlocks } from '../../server/shared/dropSets';
import { refusal } from '../refusal';

const scored = (scores: number[] | number[][], of: MethodScores['of'] = 'block'): MethodScores => ({
  unit: '',
  of,
  paper: '',
  scores,
  standardErrors: scores.map(() => null),
});
const least = (count: number, kept: number[] = []): DropRule => ({
  kind: 'method',
  method: 'm',
  count,
  protected: kept,
});
/** Scores that are not finite come as words, not as numbers. */
const finite = fc.float({ noNaN: true, noDefaultInfinity: true });
const deepest = (count: number, kept: number[] = []): DropRule => ({ kind: 'deepest', count, protected: kept });

describe('by scores of blocks', () => {
  const rows: [string, number[], DropRule, number[]][] = [
    ['the lowest first', [5, 1, 4, 2, 3], least(3), [1, 3, 4]],
    ['ties go to the lower number', [2, 1, 2, 1, 2], least(3), [1, 3, 0]],
    ['all equal', [0, 0, 0, 0], least(3), [0, 1, 2]],
    ['negative scores are low', [0, -1, 1, -2], least(2), [3, 1]],
    ['tiny differences count', [1e-9, 2e-9, 1.5e-9], least(2), [0, 2]],
    ['protected blocks stay', [5, 1, 4, 2, 3], least(3, [1, 4]), [3, 2, 0]],
    ['all that is not protected', [5, 1, 4, 2, 3], least(3, [0, 1]), [3, 4, 2]],
    ['a block protected twice counts once', [5, 1, 4], least(2, [0, 0]), [1, 2]],
  ];
  it.each(rows)('%s', (_, scores, rule, order) =>
    expect(choose(rule, scores.length, { methods: { m: scored(scores) } })).toEqual({
      order,
      drop: ofBlocks(order.toSorted((a, b) => a - b)),
      scores: order.map((k) => scores[k]),
    }),
  );

  it('never drops a block while one with a lower score stays', () =>
    fc.assert(
      fc.property(fc.array(finite, { minLength: 2, maxLength: 40 }), fc.nat(), (scores, n) => {
        const { drop } = choose(least((n % (scores.length - 1)) + 1), scores.length, {
          methods: { m: scored(scores) },
        });
        const kept = scores.filter((_, k) => !drop.blocks.includes(k));
        expect(Math.max(...drop.blocks.map((k) => scores[k]!))).toBeLessThanOrEqual(Math.min(...kept));
      }),
    ));
});

/** [n - 1][first] for 5 blocks. */
const spans = [[0.5, 0.4, 0.3, 0.2, 0.1], [0.7, 0.2, 0.6, 0.3], [0.5, 0.5, 0.5], [0.9, 0.8], [1]];

describe('by scores of spans', () => {
  const rows: [string, DropRule, number[], number][] = [
    ['one block', least(1), [4], 0.1],
    ['two blocks together', least(2), [1, 2], 0.2],
    ['ties go to the lower number', least(3), [0, 1, 2], 0.5],
    ['nearly all', least(4), [1, 2, 3, 4], 0.8],
    ['around a protected block', least(2, [2]), [3, 4], 0.3],
    ['before a protected block', least(1, [3, 4]), [2], 0.3],
    ['between protected blocks', least(3, [0]), [1, 2, 3], 0.5],
  ];
  it.each(rows)('%s', (_, rule, blocks, score) =>
    expect(choose(rule, 5, { methods: { m: scored(spans, 'span') } })).toEqual({
      drop: ofBlocks(blocks),
      order: blocks,
      scores: [score],
    }),
  );
});

describe('by depth', () => {
  const rows: [string, DropRule, number[]][] = [
    ['the last block stays', deepest(1), [8]],
    ['three', deepest(3), [8, 7, 6]],
    ['all but the last', deepest(9), [8, 7, 6, 5, 4, 3, 2, 1, 0]],
    ['protected blocks stay', deepest(3, [7]), [8, 6, 5]],
    ['the last block is protected anyway', deepest(2, [9]), [8, 7]],
  ];
  it.each(rows)('%s', (_, rule, order) =>
    expect(choose(rule, 10, { methods: {} })).toEqual({ drop: ofBlocks(order.toReversed()), order, scores: [] }),
  );
});

describe('by name', () => {
  it('as they were named, sorted', () =>
    expect(choose({ kind: 'chosen', ...ofBlocks([5, 3, 5]) }, 10, { methods: {} })).toEqual({
      drop: ofBlocks([3, 5]),
      order: [3, 5],
      scores: [],
    }));
});

describe('refused', () => {
  const rows: [string, DropRule, string][] = [
    ['none', least(0), '0 blocks cannot be dropped: the model has 5, of which at most 4 may go.'],
    ['all', least(5), '5 blocks cannot be dropped: the model has 5, of which at most 4 may go.'],
    ['fewer than none', deepest(-1), '-1 blocks cannot be dropped: the model has 5, of which at most 4 may go.'],
    ['half a block', least(1.5), '1.5 blocks cannot be dropped: the model has 5, of which at most 4 may go.'],
    ['no number', least(Number.NaN), 'NaN blocks cannot be dropped: the model has 5, of which at most 4 may go.'],
    [
      'more than are free',
      least(3, [0, 1, 2]),
      '3 blocks cannot be dropped: the model has 5, of which at most 2 may go.',
    ],
    [
      'everything protected',
      least(1, [0, 1, 2, 3, 4]),
      '1 blocks cannot be dropped: the model has 5, of which at most 0',
    ],
    ['a protected block that is not there', least(1, [5]), 'Block 5 cannot be protected: the model has blocks 0 to 4.'],
    [
      'a block that is not there',
      { kind: 'chosen', ...ofBlocks([5]) },
      'There is no block 5: the model has 5 blocks, 0 to 4.',
    ],
    ['all by name', { kind: 'chosen', ...ofBlocks([0, 1, 2, 3, 4]) }, 'Dropping all 5 blocks leaves no model'],
    [
      'a method that was not measured',
      { kind: 'method', method: 'other', count: 1, protected: [] },
      'There are no scores of the method other; this report has: m, s.',
    ],
    [
      'a span where the protected leave none',
      { kind: 'method', method: 's', count: 2, protected: [1, 3] },
      'No 2 consecutive blocks are free of the protected ones; protect fewer or drop fewer.',
    ],
    [
      'deeper than what is free',
      deepest(4, [0]),
      'Only 3 blocks may go, since the last one stays; drop at most that many.',
    ],
  ];
  const methods = { m: scored([1, 2, 3, 4, 5]), s: scored(spans, 'span') };
  it.each(rows)('%s', (_, rule, sentence) => {
    const found = refusal(() => choose(rule, 5, { methods }));
    expect(found.startsWith(`badChoice: ${sentence}`), found).toBe(true);
  });
  it('scores where there are none at all', () =>
    expect(refusal(() => choose(least(1), 5, { methods: {} }))).toContain('this report has: none.'));
});

// Orders of removal, least important first, and the sets their authors print. Where only the first ones are published,
// the other blocks follow with higher scores.
const taylor7B = [
  0, 28, 27, 25, 29, 26, 24, 23, 21, 22, 30, 20, 19, 18, 17, 14, 16, 13, 12, 15, 31, 11, 10, 1, 9, 8, 7, 6, 5, 2, 4, 3,
];
const perplexity7B = [
  11, 8, 24, 21, 12, 7, 9, 10, 18, 27, 14, 23, 25, 15, 20, 26, 17, 6, 13, 28, 22, 19, 5, 29, 4, 16, 30, 3, 2, 31, 1, 0,
];
const perplexity8B = [
  8, 23, 9, 11, 10, 25, 26, 12, 22, 19, 24, 14, 7, 21, 3, 15, 18, 4, 28, 13, 16, 20, 17, 27, 6, 5, 29, 2, 30, 31, 1, 0,
];
const taylor8B = [
  24, 25, 26, 28, 29, 23, 27, 22, 20, 19, 21, 30, 18, 17, 16, 13, 14, 15, 12, 11, 10, 9, 8, 7, 6, 5, 31, 4, 3, 0, 2, 1,
];

describe('published sets', () => {
  const orders: [string, number[], number, number[], string][] = [
    ['ShortGPT, Llama-2-7B by block influence', [27, 26, 25, 28, 24, 29, 23, 21, 22], 9, [], '21-29'],
    ['Mistral-7B by block influence', [25, 26, 24, 27, 22, 23, 28, 21, 29], 9, [], '21-29'],
    ['Shortened LLaMA, Llama-2-7B by perplexity', perplexity7B, 6, [], '7,8,11,12,21,24'],
    ['Shortened LLaMA, Llama-2-7B by Taylor+ (block 0 protected)', taylor7B, 6, [0], '24-29'],
    ['Shortened LLaMA, Llama-3-8B by perplexity', perplexity8B, 6, [], '8-11,23,25'],
    ['Shortened LLaMA, Llama-3-8B by Taylor+', taylor8B, 6, [], '23-26,28,29'],
  ];
  it.each(orders)('%s', (_, order, count, kept, list) => {
    const scores = Array.from({ length: 32 }, (_, k) => (order.includes(k) ? order.indexOf(k) / 100 : 1 + k / 100));
    const choice = choose(least(count, kept), 32, { methods: { m: scored(scores) } });
    expect(formatBlockList(choice.drop.blocks)).toBe(list);
    expect(choice.order).toEqual(order.filter((k) => !kept.includes(k)).slice(0, count));
  });

  const ranges: [string, number, number, string][] = [
    ['Llama-3-8B-Instruct', 25, 0.123, '25'],
    ['Llama-3-8B-Instruct', 24, 0.155, '24,25'],
    ['Llama-3-8B-Instruct', 25, 0.181, '25-27'],
    ['Llama-3-8B-Instruct', 24, 0.204, '24-27'],
    ['Llama-3-8B-Instruct', 23, 0.226, '23-27'],
    ['Llama-3-8B-Instruct', 22, 0.248, '22-27'],
    ['Llama-3-8B-Instruct', 22, 0.268, '22-28'],
    ['Llama-3-8B-Instruct', 20, 0.291, '20-27'],
  ];
  const rows = ranges.map(([, first, score], n) =>
    Array.from({ length: 32 - n }, (_, at) => (at === first ? score : score + 0.001 * Math.abs(at - first))),
  );
  it.each(ranges.map((range, n) => [...range, n + 1] as const))(
    '%s by angular distance: from block %i, score %f, blocks %s',
    (_, _first, score, list, count) => {
      const choice = choose(least(count), 32, { methods: { m: scored(rows, 'span') } });
      expect(formatBlockList(choice.drop.blocks)).toBe(list);
      expect(choice.scores).toEqual([score]);
    },
  );
});
