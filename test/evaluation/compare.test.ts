// Paired differences against scipy and statsmodels (test/python/comparisons.py), and what must hold for any items.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compareWithBase, type ItemScores } from '../../server/evaluation/compare';
import { type MetricName, primaryMetric } from '../../server/shared/metrics';
import { holm, mcnemar, pairedT } from '../../server/evaluation/significance';
import type { Comparison } from '../../server/recipes/evaluate/recipe';
import { available, dataFolder, repoRoot } from '../fixtures';
import { verdictOf } from '../../server/shared/scores';

interface Row extends Pick<Comparison, 'metric' | 'delta' | 'pairedStderr' | 'interval95' | 'mcnemarP' | 'flipped'> {
  base: number[];
  variant: number[];
  weights: number[];
}
const reference: {
  comparisons: Row[];
  mcnemar: { toWrong: number; toRight: number; p: number }[];
  pairedT: { mean: number; stderr: number; n: number; p: number }[];
  holm: { p: number[]; fallen: boolean[] }[];
} = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/reference/comparisons.json'), 'utf8'));

const items = (metric: string, values: number[], weights: number[] | null = null, task = 't'): ItemScores => ({
  task,
  metric,
  docIds: values.map((_, i) => i),
  values,
  weights,
});
const compareOne = (one: ItemScores, other: ItemScores): Comparison =>
  compareWithBase(
    { label: 'base', scores: [one] },
    { label: 'variant', scores: [other] },
    [{ task: one.task, metrics: [one.metric] }],
    [],
  )[0]!;

describe('against scipy and statsmodels', () => {
  const close = (found: number, expected: number) =>
    expect(Math.abs(found - expected) / Math.max(Math.abs(expected), 1e-12)).toBeLessThan(1e-6);

  it.each(reference.comparisons.map((row) => ({ ...row, n: row.base.length })))(
    '$metric of $n items',
    ({ metric, base, variant, weights, ...expected }) => {
      const found = compareOne(items(metric, base, weights), items(metric, variant, weights));
      close(found.delta, expected.delta);
      close(found.pairedStderr!, expected.pairedStderr!);
      for (const end of [0, 1]) close(found.interval95![end]!, expected.interval95![end]!);
      expect(found.flipped).toEqual(expected.flipped);
      if (expected.mcnemarP === null) expect(found.mcnemarP).toBeNull();
      else close(found.mcnemarP!, expected.mcnemarP);
    },
  );
  it.each(reference.mcnemar)('$toWrong to wrong and $toRight to right', ({ toWrong, toRight, p }) => {
    expect(mcnemar(toWrong, toRight) / p).toBeCloseTo(1, 9);
  });
  it.each(reference.pairedT)('t = $mean / $stderr of $n items', ({ mean, stderr, n, p }) => {
    expect(pairedT(mean, stderr, n) / p).toBeCloseTo(1, 8);
  });
  it.each(reference.holm)('Holm over $p.length tasks', ({ p, fallen }) => {
    expect(holm(p, 0.05)).toEqual(fallen);
  });
});

const harnessFiles = ['lm-eval-smollm2.json', 'lm-eval-smollm2-drop12-16.json'].map((name) =>
  join(dataFolder, 'reference', name),
);

describe.skipIf(!harnessFiles.every(available))('items that the harness scored', () => {
  type Scored = { tasks: Record<string, { items: { doc: number; acc: number; acc_norm?: number }[] }> };
  const scored = (file: string, task: string, metric: 'acc' | 'acc_norm'): ItemScores => {
    const found = (JSON.parse(readFileSync(file, 'utf8')) as Scored).tasks[task]!.items;
    return { task, metric, docIds: found.map((it) => it.doc), values: found.map((it) => it[metric]!), weights: null };
  };
  // In points; scipy.stats.sem of the differences, times its norm.ppf(0.975).
  it.each<[string, 'acc' | 'acc_norm', number, number]>([
    ['hellaswag', 'acc_norm', -7.5, 12.9164],
    ['boolq', 'acc', 25, 16.8281],
    ['piqa', 'acc_norm', -5, 12.0535],
    ['lambada_openai', 'acc', -25, 13.5899],
  ])('%s, %s', (task, metric, delta, half) => {
    const found = compareOne(scored(harnessFiles[0]!, task, metric), scored(harnessFiles[1]!, task, metric));
    expect(100 * found.delta).toBeCloseTo(delta, 9);
    expect(50 * (found.interval95![1] - found.interval95![0])).toBeCloseTo(half, 3);
  });
});

describe('for any items', () => {
  const shares = fc.array(fc.tuple(fc.constantFrom(0, 1), fc.constantFrom(0, 1), fc.constant(1)), { minLength: 2 });
  const nats = fc.array(
    fc.tuple(
      fc.double({ min: -9, max: -0.01, noNaN: true }),
      fc.double({ min: -9, max: -0.01, noNaN: true }),
      fc.integer({ min: 1, max: 500 }),
    ),
    { minLength: 2, maxLength: 50 },
  );
  const cases = fc.oneof(
    fc.record({ metric: fc.constantFrom<MetricName>('acc', 'acc_norm'), rows: shares }),
    fc.record({
      metric: fc.constantFrom<MetricName>('perplexity', 'word_perplexity', 'byte_perplexity', 'bits_per_byte'),
      rows: nats,
    }),
  );
  const sides = ({ metric, rows }: { metric: MetricName; rows: number[][] }) => {
    const [one, other, weights] = [0, 1, 2].map((k) => rows.map((row) => row[k]!));
    return [items(metric, one!, weights!), items(metric, other!, weights!)] as const;
  };

  it('original and variant in each other’s place turn the sign and nothing else', () =>
    fc.assert(
      fc.property(cases, (made) => {
        const [one, other] = sides(made);
        const [there, back] = [compareOne(one, other), compareOne(other, one)];
        expect(back.delta).toBe(0 - there.delta);
        expect(back.pairedStderr).toBeCloseTo(there.pairedStderr!, 9);
        expect(back.mcnemarP).toBe(there.mcnemarP);
        expect(back.significant).toBe(there.significant);
        if (there.flipped)
          expect(back.flipped).toEqual({ toWrong: there.flipped.toRight, toRight: there.flipped.toWrong });
      }),
    ));

  it('a model does not differ from itself', () =>
    fc.assert(
      fc.property(cases, (made) => {
        const [one] = sides(made);
        const found = compareOne(one, one);
        expect(found).toMatchObject({ delta: 0, pairedStderr: 0, interval95: [0, 0], significant: false });
        if (found.flipped) expect(found.mcnemarP).toBe(1);
      }),
    ));

  it('the order of the items is no matter', () =>
    fc.assert(
      fc.property(cases, (made) => {
        const [one, other] = sides(made);
        const turned = { ...other, docIds: other.docIds.toReversed(), values: [...Array.from(other.values)].reverse() };
        expect(compareOne(one, turned)).toEqual(compareOne(one, other));
      }),
    ));
});

describe('many tasks', () => {
  const worse = (n: number) => [Array<number>(40).fill(1), Array.from({ length: 40 }, (_, i) => (i < n ? 0 : 1))];
  const [all, without12] = worse(12);
  const [, without8] = worse(8);
  const side = (label: string, a: number[], b: number[], c: number[]) => ({
    label,
    scores: [
      items('acc', a, null, 'mmlu_x'),
      items('acc', b, null, 'mmlu_y'),
      items('acc', a, null, 'piqa'),
      items('acc_norm', c, null, 'piqa'),
    ],
  });
  const found = compareWithBase(
    side('base', all!, all!, all!),
    side('variant', without12!, without8!, all!),
    [
      { task: 'mmlu_x', metrics: ['acc'] },
      { task: 'mmlu_y', metrics: ['acc'] },
      { task: 'piqa', metrics: ['acc', 'acc_norm'] },
    ],
    [{ group: 'mmlu', tasks: ['mmlu_x', 'mmlu_y'] }],
  );
  const row = (task: string, metric: MetricName) => found.find((it) => it.task === task && it.metric === metric)!;

  it('marks the metric that speaks for the task, and no group', () => {
    expect(found.filter(({ significant }) => significant).map(({ task, metric }) => [task, metric])).toEqual([
      ['mmlu_x', 'acc'],
      ['mmlu_y', 'acc'],
    ]);
    expect(row('piqa', 'acc').mcnemarP).toBeLessThan(0.001);
  });
  it('pools the items of a group', () => {
    expect(row('mmlu', 'acc')).toMatchObject({ delta: -20 / 80, flipped: { toWrong: 20, toRight: 0 } });
  });
  it('names the direction', () => {
    expect(verdictOf(row('mmlu', 'acc'), 'interval')).toBe('worse');
    expect(verdictOf(row('mmlu_x', 'acc'), 'holm')).toBe('worse');
    expect(verdictOf(row('piqa', 'acc_norm'), 'holm')).toBe('noise');
    expect(verdictOf({ ...row('mmlu_x', 'acc'), metric: 'perplexity' }, 'holm')).toBe('better');
  });
  it('says nothing of the error of one item', () => {
    const one = compareOne(items('perplexity', [-1]), items('perplexity', [-2]));
    expect(one).toMatchObject({ pairedStderr: null, interval95: null, significant: false });
  });
  it('does not pair what is no pair', () => {
    expect(() => compareOne(items('acc', [1, 0]), { ...items('acc', [1, 0]), docIds: [0, 2] })).toThrow(
      /different items/,
    );
  });
  it.each<[MetricName[], MetricName]>([
    [['acc', 'acc_norm'], 'acc_norm'],
    [['perplexity', 'acc'], 'acc'],
    [['word_perplexity', 'byte_perplexity'], 'word_perplexity'],
  ])('%j is spoken for by %s', (metrics, expected) => expect(primaryMetric(metrics)).toBe(expected));
});
