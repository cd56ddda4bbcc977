// However requests are packed, every slot has the tokens before it that its request has, and every token is asked once.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type PrefixBatches, packRequests, type PackedBatch } from '../../server/execution/packing';
import type { TokenRequest } from '../../server/execution/tokenTree';

const small = { rowTokens: [96], largestRowTokens: 128, batchTokens: 128 };

/** The whole sequence that leads to a slot, found by walking from token to token before. */
function historyOf({ prefix: stem }: PrefixBatches, batch: PackedBatch, slot: number): number[] {
  const ids: number[] = [];
  const row = slot - (slot % batch.tokens);
  let at = slot - row;
  for (; at >= 0; at = batch.parents[row + at]!) ids.unshift(batch.ids[row + at]!);
  const before = stem.includes(batch) ? stem.slice(0, stem.indexOf(batch)) : stem;
  const own = before.flatMap((piece) => [...piece.ids].filter((_, i) => piece.positions[i]! >= 0));
  return [...own, ...ids];
}

function everyBatch(bundles: readonly PrefixBatches[]): { bundle: PrefixBatches; batch: PackedBatch }[] {
  return bundles.flatMap((bundle) => [...bundle.prefix, ...bundle.batches].map((batch) => ({ bundle, batch })));
}

function checkPacking(requests: readonly TokenRequest[], bundles: readonly PrefixBatches[]): void {
  const found = requests.map(() => new Map<number, number>());
  for (const { bundle, batch } of everyBatch(bundles)) {
    const { slots, ids, requests: asking } = batch.scoredTokens;
    expect(batch.nTargets).toBe(new Set(slots).size);
    for (const [i, slot] of slots.entries()) {
      const history = historyOf(bundle, batch, slot);
      expect(batch.positions[slot]).toBe(history.length - 1);
      const { context, continuation } = requests[asking[i]!]!;
      const token = history.length - context.length;
      expect(history).toEqual([...context, ...continuation].slice(0, history.length));
      expect(continuation[token]).toBe(ids[i]);
      expect(found[asking[i]!]!.has(token)).toBe(false);
      found[asking[i]!]!.set(token, ids[i]!);
    }
  }
  for (const [request, { continuation }] of requests.entries()) expect(found[request]!.size).toBe(continuation.length);
}

const tokens = (count: number, seed: number) => Array.from({ length: count }, (_, i) => (i * i * 7 + seed * 13) % 101);
const nTokensOf = (bundles: readonly PrefixBatches[]) =>
  everyBatch(bundles).reduce((n, { batch }) => n + batch.positions.filter((position) => position >= 0).length, 0);

describe('packRequests', () => {
  const question = (context: number[], choices: number[][]) =>
    choices.map((continuation) => ({ context, continuation }));
  const rows: [string, TokenRequest[], { tokens: number; stems: number }][] = [
    ['nothing', [], { tokens: 0, stems: 0 }],
    ['one token after one', question([5], [[6]]), { tokens: 1, stems: 0 }],
    [
      'choices share their context',
      question(tokens(20, 1), [
        [1, 2, 3],
        [4, 5, 6],
        [7, 8],
      ]),
      { tokens: 25, stems: 0 },
    ],
    ['choices of one token are one sequence', question(tokens(20, 1), [[1], [2], [3], [4]]), { tokens: 20, stems: 0 }],
    [
      'questions share a long beginning',
      Array.from({ length: 40 }, (_, q) => question([...tokens(100, 1), ...tokens(9, 2 + q)], [[1], [2]])).flat(),
      { tokens: 100 + 40 * 9 - shared(40), stems: 1 },
    ],
    [
      'a short beginning is computed again',
      Array.from({ length: 40 }, (_, q) => ({ context: [1, 2, 3, q], continuation: tokens(30, q) })),
      { tokens: 40 * 33, stems: 0 },
    ],
    [
      'a request longer than a row',
      [{ context: tokens(500, 3), continuation: tokens(20, 4) }],
      { tokens: 519, stems: 1 },
    ],
  ];
  it.each(rows)('%s', (_, requests, expected) => {
    const bundles = packRequests(requests, small);
    checkPacking(requests, bundles);
    expect(bundles.filter(({ prefix: stem }) => stem.length > 0).length).toBe(expected.stems);
    expect(nTokensOf(bundles)).toBe(expected.tokens);
  });

  /** First tokens that the questions above have in common behind their shared beginning. */
  function shared(count: number): number {
    const tails = Array.from({ length: count }, (_, q) => tokens(9, 2 + q).join());
    return 9 * (count - new Set(tails).size);
  }

  it('takes the length of rows that costs least', () => {
    const requests = Array.from({ length: 12 }, (_, q) => ({ context: [q], continuation: tokens(60, q) }));
    const options = { ...small, rowTokens: [64, 128], largestRowTokens: 128 };
    const lengths = (costOf: (batch: number, tokens: number) => number) =>
      packRequests(requests, { ...options, costOf }).flatMap(({ batches }) => batches.map((batch) => batch.tokens));
    expect(new Set(lengths((batch, tokens) => batch * tokens * tokens))).toEqual(new Set([64]));
    expect(new Set(lengths((batch) => batch))).toEqual(new Set([128]));
  });

  it('loses no request and asks for none twice, whatever they share', () => {
    const ids = fc.array(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 12 });
    const long = fc.constantFrom([], tokens(70, 1), tokens(70, 2), tokens(150, 1), tokens(300, 1));
    const request = fc
      .tuple(long, ids, ids)
      .map(([begin, context, continuation]) => ({ context: [...begin, ...context], continuation }));
    fc.assert(
      fc.property(fc.array(request, { maxLength: 60 }), (requests) => {
        const bundles = packRequests(requests, small);
        checkPacking(requests, bundles);
        for (const { batch } of everyBatch(bundles)) {
          expect(batch.ids.length).toBe(batch.batch * batch.tokens);
          expect(batch.tokens).toBeLessThanOrEqual(small.largestRowTokens);
        }
      }),
      { numRuns: 300 },
    );
  });
});
