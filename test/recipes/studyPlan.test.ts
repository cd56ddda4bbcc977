// Which steps a study has, in which order, and what they are estimated to take.
import { describe, expect, it } from 'vitest';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import type { ModelSummary } from '../../server/protocol/reports';
import { countedStudy } from '../../server/recipes/study/counts';
import type { AskedStudy, StudyRecipe } from '../../server/recipes/study/recipe';
import { ofBlocks } from '../../server/shared/dropSets';
import { planStudy } from '../../server/recipes/study/steps';
import { type ChosenSet, supposedSets } from '../../server/recipes/study/variants';
import { healing } from './healing';
import { onCpu } from './runHere';

const { data, adapter, objective, optimizer, loop } = healing('', 't', '');
const heal = { methods: 'all', counts: 'all', repairs: 'all', data, adapter, objective, optimizer, loop } as const;
const base: StudyRecipe = {
  kind: 'study',
  model: '/m',
  source: { kind: 'ids', file: '/ids.json' },
  methods: ['a', 'greedy'],
  counts: [2, 1],
  protected: [],
  repairs: ['none'],
  healing: null,
  evaluate: { tasks: ['hellaswag'], data: '/data', items: null, fewShot: null, maxTokens: null },
  perplexity: { kind: 'ids', file: '/held.json' },
  dtype: 'f32',
  keepModels: 'none',
  batchBytes: 1e12,
  out: '/out',
  compute: onCpu,
};
const model = { nBlocks: 5, nParameters: 1000, nParametersPerBlock: 100, sizeBytes: 2000 };
const set = (count: number, first: number, ...methods: string[]): ChosenSet => ({
  id: `${count}-${methods[0]}`,
  methods,
  count,
  drop: ofBlocks(Array.from({ length: count }, (_, i) => first + i)),
});
const alike = [set(1, 3, 'a', 'greedy'), set(2, 1, 'a'), set(2, 2, 'greedy')];

describe('budgets among the counts', () => {
  const amount = (parameters: number) => ({ parameters, bytes: 2 * parameters });
  const summary = {
    ...model,
    mlpWidth: 10,
    parts: {
      outside: amount(500),
      block: amount(100),
      channel: amount(5),
      cachedPerToken: 4,
      headerBytes: { outside: 0, block: 0 },
    },
  };
  const of = (counts: AskedStudy['counts']) => countedStudy({ ...base, counts }, summary as unknown as ModelSummary);
  const fit = { kind: 'fit', bytes: 1650, contextTokens: 0, cache: 'f16', pieces: 'channels' } as const;

  it.each<[string, AskedStudy['counts'], number[]]>([
    ['become the fewest whole blocks that meet them', [fit], [2]],
    [
      'stand beside counts, each once',
      [1, fit, 2, { kind: 'parameters', parameters: 700, pieces: 'blocks' }],
      [1, 2, 3],
    ],
    ['count the cache', [{ ...fit, contextTokens: 5 }], [3]],
  ])('%s', (_, counts, expected) => expect(of(counts).recipe.counts).toEqual(expected));

  it('say how near they come', () => {
    expect(of([fit]).budgets[0]!.fitting).toMatchObject({
      weightBytes: 1600,
      nearest: expect.stringMatching(/^The nearest/),
    });
  });
  it('are refused where no model is that small', () => {
    expect(() => of([{ ...fit, bytes: 1100 }])).toThrow(/^Without all 4 blocks that may go/);
  });
});

describe('the steps of a study', () => {
  it.each<[string, Partial<StudyRecipe>, string[]]>([
    ['measured alone', {}, ['analyze', 'losses', 'evaluate']],
    ['without a perplexity text', { perplexity: null }, ['analyze', 'evaluate']],
    ['without tasks', { evaluate: null }, ['analyze', 'losses']],
    [
      'repaired',
      { repairs: ['linear'] },
      [
        ...['analyze', 'losses', 'evaluate', 'prune-1-a-linear', 'prune-2-a-linear', 'prune-2-greedy-linear'],
        ...['losses-1', 'evaluate-1'],
      ],
    ],
    [
      'healed where a method chose a set, also together with another',
      { healing: { ...heal, methods: ['greedy'], counts: [1] } },
      [
        ...['analyze', 'losses', 'evaluate', 'prune-1-a', 'heal-1-a-healed', 'merge-1-a-healed'],
        ...['losses-1', 'evaluate-1'],
      ],
    ],
    [
      'repaired and healed, written once',
      { repairs: ['linear'], healing: { ...heal, methods: ['a'], counts: [2] }, evaluate: null },
      [
        ...['analyze', 'losses', 'prune-1-a-linear', 'prune-2-a-linear', 'heal-2-a-linear-healed'],
        ...['merge-2-a-linear-healed', 'prune-2-greedy-linear', 'losses-1'],
      ],
    ],
    [
      'in batches of what fits',
      // 900 parameters of 4 bytes, pruned and merged, are 7200 bytes; with 800 parameters 6400.
      { healing: { ...heal, methods: ['a'] }, batchBytes: 7200, evaluate: null },
      [
        ...['analyze', 'losses', 'prune-1-a', 'heal-1-a-healed', 'merge-1-a-healed', 'losses-1'],
        ...['prune-2-a', 'heal-2-a-healed', 'merge-2-a-healed', 'losses-2'],
      ],
    ],
  ])('%s', (_, change, ids) => {
    const { steps } = planStudy({ ...base, ...change }, model, alike);
    expect(steps.map(({ id }) => id)).toEqual(ids);
    const before = new Set<string>();
    for (const step of steps) {
      for (const id of step.after) expect(before, `${step.id} after ${id}`).toContain(id);
      expect(before).not.toContain(step.id);
      before.add(step.id);
    }
  });

  it('evaluate all sets that are left out together, and written models beside the original', () => {
    const { steps } = planStudy({ ...base, healing: { ...heal, counts: [1] } }, model, alike);
    const evaluations = steps.flatMap(({ recipe }) => (recipe.kind === 'evaluate' ? [recipe] : []));
    expect(evaluations.map(({ models, drops }) => [models, drops])).toEqual([
      [['/m'], alike.map(({ drop }) => drop)],
      [['/m', '/out/models/1-a-healed'], []],
    ]);
  });

  it('heal what was pruned, and merge into it', () => {
    const { steps } = planStudy({ ...base, repairs: ['linear'], healing: heal }, model, alike);
    const of = (id: string) => steps.find((step) => step.id === id)!.recipe;
    expect(of('prune-2-a-linear')).toMatchObject({
      ...{ rule: { kind: 'chosen', blocks: [1, 2] }, repair: { kind: 'linear' }, source: base.source, dtype: 'f32' },
      out: '/out/models/2-a-linear',
    });
    const healed = of('heal-2-a-linear-healed') as HealRecipe;
    expect(healed).toMatchObject({
      model: '/out/models/2-a-linear',
      dense: '/m',
      out: '/out/adapters/2-a-linear-healed',
    });
    expect(of('merge-2-a-linear-healed')).toMatchObject({
      ...{ model: '/out/models/2-a-linear', adapter: '/out/adapters/2-a-linear-healed', dtype: 'f32' },
      out: '/out/models/2-a-linear-healed',
    });
  });

  it('suppose that all methods choose differently, before anybody knows', () => {
    expect(supposedSets(base).map(({ id, drop }) => [id, drop.blocks.length])).toEqual([
      ['1-a', 1],
      ['1-greedy', 1],
      ['2-a', 2],
      ['2-greedy', 2],
    ]);
  });
});
