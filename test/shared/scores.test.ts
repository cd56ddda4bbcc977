// Scores as tables, charts and pages write them.
import { describe, expect, it } from 'vitest';
import type { Comparison } from '../../server/recipes/evaluate/recipe';
import { metricNames, metricOf, primaryMetric } from '../../server/shared/metrics';
import { differenceText, scoreText, verdictOf } from '../../server/shared/scores';

describe('a score', () => {
  it.each<[metric: string, value: number, text: string]>([
    ['acc', 0.45, '45.0'],
    ['acc_norm', 1, '100.0'],
    ['perplexity', 9.8765, '9.877'],
    ['word_perplexity', 32.654, '32.65'],
    ['word_perplexity', 326.54, '326.5'],
    ['word_perplexity', 3265.4, '3265'],
    ['word_perplexity', 1_234_567, '1.2e6'],
    ['bits_per_byte', 0.97291, '0.9729'],
    ['perplexity', Number.NaN, '–'],
    ['perplexity', Number.POSITIVE_INFINITY, '–'],
  ])('%s %d is %s', (metric, value, text) => expect(scoreText(metric, value)).toBe(text));
});

const comparison = (metric: string, delta: number, half: number | null, significant = false): Comparison => ({
  ...{ task: 't', base: 'b', variant: 'v', metric, delta, significant, mcnemarP: null, flipped: null },
  pairedStderr: half === null ? null : half / 1.96,
  interval95: half === null ? null : [delta - half, delta + half],
});

describe('a difference', () => {
  it.each<[Comparison, string]>([
    [comparison('acc', -0.075, 0.129), '−7.5 ± 12.9'],
    [comparison('acc', 0, 0.01), '0.0 ± 1.0'],
    [comparison('acc', 0.1, null), '+10.0'],
    [comparison('word_perplexity', 45.2, 3.456), '+45.20 ± 3.46'],
    [comparison('perplexity', -2e5, null), '−2.0e5'],
  ])('%j', (it, text) => expect(differenceText(it)).toBe(text));

  it.each<[string, Comparison, 'holm' | 'interval', string]>([
    ['a loss of accuracy', comparison('acc', -0.1, 0.2, true), 'holm', 'worse'],
    ['what was not corrected', comparison('acc', -0.1, 0.05), 'holm', 'noise'],
    ['its interval alone', comparison('acc', -0.1, 0.05), 'interval', 'worse'],
    ['a lower perplexity', comparison('perplexity', -1, 0.5), 'interval', 'better'],
    ['an interval around zero', comparison('perplexity', -1, 2), 'interval', 'noise'],
    ['no interval', comparison('perplexity', -1, null), 'interval', 'noise'],
  ])('of %s', (_, it, by, verdict) => expect(verdictOf(it, by)).toBe(verdict));
});

describe('every metric', () => {
  const ratios = [-2.5, -0.5, 0.25];
  it.each(metricNames)('%s has the slope of its own function', (name) => {
    const { fromRatio, slopeAt } = metricOf(name);
    for (const r of ratios) expect(slopeAt(r)).toBeCloseTo((fromRatio(r + 1e-5) - fromRatio(r - 1e-5)) / 2e-5, 5);
  });
  it('has a row, and a name without one is refused', () => expect(() => metricOf('toString')).toThrow('no metric'));
  it('speaks for its task in turn', () => expect(primaryMetric(['perplexity', 'acc'])).toBe('acc'));
});
