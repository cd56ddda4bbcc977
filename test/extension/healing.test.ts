// What the panel of a healing makes of its form, of the events of its run, and of other runs.
import { describe, expect, it, vi } from 'vitest';
import { openEarlier } from '../../extension/panels/heal/earlier';
import { openPoints } from '../../extension/panels/heal/points';
import { defaultSettings, healRecipe, mergeRecipe } from '../../extension/panels/heal/recipe';
import { healingReducer } from '../../extension/panels/heal/run';
import type { Connection } from '../../extension/connection';
import { type Recipe, recipeSchema } from '../../server/recipes/kinds';
import type { LossPoint, ModelSummary } from '../../server/protocol/reports';
import type { HealReport } from '../../server/recipes/heal/recipe';
import type { RunEvent, RunSummary } from '../../server/protocol/server';
import { foundModel, runSummary } from './rows';

vi.mock('vscode', () => import('./vscode'));

const compute = {
  device: 'cpu' as const,
  memory: 'auto' as const,
  weights: 'f32' as const,
  threads: null,
  memoryLimitBytes: null,
};
const places = { model: '/w/tiny-pruned', file: '/w/text.txt', original: '/w/tiny', out: '/w/tiny-adapter' };

describe('the recipe of a form', () => {
  it('is what a recipe file with the default settings would be', () => {
    const asFile = recipeSchema.parse({
      kind: 'heal',
      model: places.model,
      dense: places.original,
      data: { files: [places.file] },
      out: places.out,
      compute,
    });
    expect(healRecipe(defaultSettings, places, compute)).toEqual(asFile);
  });

  it.each([
    { steps: 5, every: 2 },
    { steps: 100, every: 25 },
    { steps: 1000, every: 250 },
    { steps: 100_000, every: 500 },
  ])('of $steps steps is evaluated every $every', ({ steps, every }) => {
    const { loop } = healRecipe({ ...defaultSettings, steps }, places, compute);
    expect(loop).toMatchObject({ steps, evaluateEverySteps: every, saveEverySteps: 25 });
  });

  it('distils only where the original is known', () => {
    const settings = { ...defaultSettings, objective: 'distillation' as const };
    expect(healRecipe(settings, places, compute).objective.kind).toBe('distillation');
    expect(healRecipe(settings, { ...places, original: null }, compute).objective.kind).toBe('nextToken');
  });

  it('is merged from where it was written', () => {
    const merge = mergeRecipe(healRecipe(defaultSettings, places, compute), '/w/tiny-healed');
    expect(recipeSchema.parse(merge)).toEqual(merge);
    expect(merge).toMatchObject({ model: places.model, adapter: places.out, out: '/w/tiny-healed' });
  });
});

const step = (n: number): RunEvent => ({
  seq: n + 1,
  atEpochMs: 0,
  event: {
    kind: 'step',
    step: { step: n, lossNats: n, gradNorm: 1, learningRate: 1, tokensPerSecond: 1 },
    remainingSeconds: 1,
    memoryBytes: 7,
  },
});

describe('points', () => {
  it('are handed on once, and all of them again to a page that opens anew', () => {
    const points = openPoints();
    expect(points.next()).toBeNull();
    for (let n = 0; n < 25_000; n++) points.append([step(n)]);
    const evaluation = { step: 0, lossNats: 4, perplexity: 55, recoveredFraction: null };
    points.append([{ seq: 1, atEpochMs: 0, event: { kind: 'evaluation', evaluation } }]);
    const all = () => {
      const parts = [];
      for (let part = points.next(); part; part = points.next()) parts.push(part);
      return parts;
    };
    const first = all();
    expect(first.map(({ step: steps }) => steps.length)).toEqual([10_000, 10_000, 5000]);
    expect(first.flatMap(({ lossNats }) => lossNats)).toEqual(Array.from({ length: 25_000 }, (_, n) => n));
    expect(first.map(({ evals }) => evals.length)).toEqual([0, 0, 1]);
    expect(points.next()).toBeNull();
    points.append([step(25_000)]);
    expect(points.next()).toMatchObject({ step: [25_000], memoryBytes: [7], evals: [] });
    points.rewind();
    expect(all().flatMap(({ step: steps }) => steps)).toHaveLength(25_001);
  });
});

describe('a healing that is followed', () => {
  const recipe = healRecipe(defaultSettings, places, compute);
  const run = runSummary({ state: 'running', step: 'train', fraction: 0.5 }, { kind: 'heal' });
  const first = healingReducer.fetched({ run, recipe, plan: null, warnings: [], report: null }, null);
  const point = { step: 0, lossNats: 4, perplexity: 55, recoveredFraction: null } as unknown as LossPoint;
  const references: RunEvent['event'] = { kind: 'references', dense: point, pruned: point } as never;

  it.each<{ name: string; event: RunEvent['event']; changes: object }>([
    { name: 'the time that is left', event: step(0).event, changes: { remainingSeconds: 1 } },
    { name: 'what it is compared with', event: references, changes: { references: { dense: point, pruned: point } } },
    {
      name: 'that it pauses as it was asked to',
      event: { kind: 'state', state: { state: 'paused', step: 'train', fraction: 0.5 } },
      changes: { asked: null },
    },
    { name: 'nothing of progress', event: { kind: 'progress', step: 'train', fraction: 0.6 }, changes: {} },
  ])('shows $name', ({ event, changes }) => {
    const asked = { ...first, asked: 'pause' as const };
    expect(healingReducer.applied!(asked, event)).toEqual({ ...asked, ...changes });
  });

  it('keeps what its events said when its report is fetched', () => {
    const report = { kind: 'heal', evals: [] } as unknown as HealReport;
    const known = healingReducer.applied!(first, step(0).event);
    expect(healingReducer.fetched({ run, recipe, plan: null, warnings: [], report }, known)).toEqual({
      ...known,
      report,
    });
  });

  it('is refused where the run is something else', () => {
    const other: Recipe = { kind: 'inspect', model: '/w/tiny' };
    expect(() => healingReducer.fetched({ run, recipe: other, plan: null, warnings: [], report: null }, null)).toThrow(
      'heals nothing',
    );
  });
});

describe('healings to compare with', () => {
  const model = (folder: string, from: string | null, removedBlocks: number[] = [1]): ModelSummary => ({
    ...foundModel(folder).summary,
    prunedFrom: from ? { model: from, removedBlocks } : null,
  });
  const own = model('/w/tiny-pruned', 'tiny');
  const entries: { run: RunSummary; of: ModelSummary }[] = [
    ['same', own, 'done'],
    ['sibling', model('/w/tiny-pruned-2', 'tiny', [2]), 'done'],
    ['stranger', model('/w/other-pruned', 'other'), 'done'],
    ['running', own, 'cancelled'],
    ['itself', own, 'done'],
  ].map(([runId, of, state], i) => ({
    of: of as ModelSummary,
    run: runSummary({ state } as { state: 'done' }, {
      runId: runId as string,
      kind: 'heal',
      model: (of as ModelSummary).folder,
      createdAtEpochMs: i,
    }),
  }));
  const asked: string[] = [];
  const request = (async (method: string, params: { runId?: string }) => {
    asked.push(`${method} ${params.runId ?? ''}`);
    if (method === 'runs/list') return entries.map(({ run }) => run);
    const { run, of } = entries.find((it) => it.run.runId === params.runId)!;
    const recipe: Recipe = healRecipe(defaultSettings, { ...places, model: of.folder }, compute);
    return {
      run,
      recipe,
      plan: null,
      warnings: [],
      report: { kind: 'heal', model: of, evals: [] } as unknown as HealReport,
    };
  }) as unknown as Connection['request'];

  it('are those of the same model and of its siblings, newest first, asked for once', async () => {
    const earlier = openEarlier({ request });
    await earlier.load(own, 'itself');
    expect(earlier.list.map(({ run }) => run.runId)).toEqual(['sibling', 'same']);
    expect(earlier.list.map(({ removedBlocks }) => removedBlocks)).toEqual([[2], [1]]);
    const before = asked.length;
    await earlier.load(own, 'itself');
    expect(asked.slice(before)).toEqual(['runs/list ']);
  });
});
