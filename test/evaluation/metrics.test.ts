// What the reference tests do not reach: ties, bytes, single items and groups. Expected numbers are by hand, or from
// lm_eval.api.metrics.pooled_sample_stderr where it says so.
import { describe, expect, it } from 'vitest';
import { groupScore, itemValues, joined, scoreOf } from '../../server/evaluation/metrics';
import type { Item } from '../../server/evaluation/tasks/task';
import type { Answer, MetricName } from '../../server/shared/metrics';

const answers = (...logLikelihoods: number[]): Answer[] =>
  logLikelihoods.map((logLikelihood) => ({ logLikelihood, isGreedy: false }));

const choosing = (docId: number, gold: number, ...choices: string[]): Item => ({
  docId,
  gold,
  requests: choices.map((choice) => ({ kind: 'continuation', context: 'c', continuation: ` ${choice}` })),
  choices: choices.map((choice) => ({ nCharacters: [...choice].length, nBytes: Buffer.byteLength(choice) })),
  text: null,
});

describe('the answer', () => {
  it.each<[MetricName, number[], string[], number]>([
    ['acc', [-3, -1, -2], ['a', 'b', 'c'], 1],
    ['acc', [-1, -1], ['a', 'b'], 0],
    ['acc_norm', [-3, -4], ['a', 'bcd'], 1],
    // Four characters and seven bytes beside five of each.
    ['acc_norm', [-6, -7], ['äöüa', 'abcde'], 1],
    ['acc_bytes', [-6, -7], ['äöüa', 'abcde'], 0],
    ['acc_norm', [-2, -3], ['\u{1f600}', 'ab'], 1],
  ])('by %s of %j for %j is %i', (metric, logLikelihoods, choices, expected) => {
    // Of items that differ in which answer is right, one is answered rightly.
    const items = choices.map((_, gold) => choosing(gold, gold, ...choices));
    const given = items.map(() => answers(...logLikelihoods));
    expect(itemValues(metric, items, given).values).toEqual(choices.map((_, i) => (i === expected ? 1 : 0)));
  });
});

describe('a score', () => {
  const items = [choosing(3, 0, 'a', 'b'), choosing(4, 1, 'a', 'b'), choosing(5, 0, 'a', 'b')];
  const given = [answers(-1, -2), answers(-1, -2), answers(-1, -2)];

  it('knows what every item adds', () => {
    expect(itemValues('acc', items, given)).toEqual({
      metric: 'acc',
      docIds: [3, 4, 5],
      values: [1, 0, 1],
      weights: null,
    });
  });

  it('has the error of a mean', () => {
    const { value, stderr, nItems } = scoreOf(itemValues('acc', items, given));
    expect([value, stderr, nItems]).toEqual([2 / 3, expect.closeTo(1 / 3, 12), 3]);
  });

  it('of one item has no error', () => {
    expect(scoreOf(itemValues('acc', items.slice(0, 1), given)).stderr).toBeNull();
  });

  it('of pages weighs them by their words', () => {
    const page = (nWords: number): Item => ({
      docId: 0,
      gold: null,
      requests: [],
      choices: [],
      text: { nWords, nBytes: 7 },
    });
    const values = itemValues('word_perplexity', [page(1), page(3)], [answers(-4), answers(-8)]);
    expect(values).toMatchObject({ values: [-4, -8], weights: [1, 3] });
    expect(scoreOf(values)).toEqual({ value: Math.exp(3), stderr: null, nItems: 2 });
  });
});

it('sequences of one text are one answer', () => {
  const sequences = [
    { logLikelihood: -2, isGreedy: true },
    { logLikelihood: -3, isGreedy: false },
  ];
  expect(joined(sequences)).toEqual({ logLikelihood: -5, isGreedy: false });
});

describe('a group', () => {
  it('is a mean weighted by items, with the error that the harness pools', () => {
    const scores = [
      { value: 0.25, stderr: 0.05, nItems: 100 },
      { value: 0.5, stderr: 0.04, nItems: 150 },
      { value: 0.3, stderr: 0.1, nItems: 21 },
    ];
    const { value, stderr, nItems } = groupScore(scores);
    expect(nItems).toBe(271);
    expect(value).toBeCloseTo((25 + 75 + 6.3) / 271, 12);
    expect(stderr).toBeCloseTo(0.02984926608656002, 12);
  });

  it('with a task without an error has none', () => {
    expect(
      groupScore([
        { value: 1, stderr: null, nItems: 1 },
        { value: 0, stderr: 0, nItems: 9 },
      ]),
    ).toEqual({
      value: 0.1,
      stderr: null,
      nItems: 10,
    });
  });
});
