// What the panel of a healing makes of its form, of the events of its run, and of other runs.
import { describe, expect, it } from 'vitest';
import { openEarlier } from '../../extension/panels/earlierHealings';
import { healRecipe, mergeRecipe, openPoints, usualSettings } from '../../extension/panels/healRecipe';
import { grown } from '../../extension/panels/grown';
import type { Connection } from '../../extension/connection';
import type { Recipe } from '../../server/recipes/kinds';
import type { HealReport, ModelSummary } from '../../server/protocol/reports';
import type { RunEvent, RunSummary } from '../../server/protocol/server';
import { recipeSchema } from '../../server/recipes/kinds';
import { foundModel, runSummary } from './rows';

const compute = { device: 'cpu' as const, memory: 'auto' as const, threads: null, memoryLimitBytes: null };
const places = { model: '/w/tiny-pruned', file: '/w/text.txt', dense: '/w/tiny', out: '/w/tiny-adapter' };

describe('the recipe of a form', () => {
  it('is what a recipe file with the usual settings would be', () => {
    const asFile = recipeSchema.parse({
      kind: 'heal',
      model: places.model,
      dense: places.dense,
      data: { files: [places.file] },
      out: places.out,
      compute,
    });
    expect(healRecipe(usualSettings, places, compute)).toEqual(asFile);
  });

  it.each([
    { steps: 5, every: 2 },
    { steps: 100, every: 25 },
    { steps: 1000, every: 250 },
    { steps: 100_000, every: 500 },
  ])('of $steps steps is evaluated every $every', ({ steps, every }) => {
    const { loop } = healRecipe({ ...usualSettings, steps }, places, compute);
    expect(loop).toMatchObject({ steps, evaluateEverySteps: every, saveEverySteps: 25 });
  });

  it('distils only where the dense model is known', () => {
    const settings = { ...usualSettings, objective: 'distillation' as const };
    expect(healRecipe(settings, places, compute).objective.kind).toBe('distillation');
    expect(healRecipe(settings, { ...places, dense: null }, compute).objective.kind).toBe('nextToken');
  });

  it('is merged from where it was written', () => {
    const merge = mergeRecipe(healRecipe(usualSettings, places, compute), '/w/tiny-healed');
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
    for (let n = 0; n < 25_000; n++) points.hear(step(n));
    const evaluation = { step: 0, lossNats: 4, perplexity: 55, recoveredFraction: null };
    points.hear({ seq: 1, atEpochMs: 0, event: { kind: 'evaluation', evaluation } });
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
    points.hear(step(25_000));
    expect(points.next()).toMatchObject({ step: [25_000], memoryBytes: [7], evals: [] });
    points.rewind();
    expect(all().flatMap(({ step: steps }) => steps)).toHaveLength(25_001);
  });
});

describe('a run that grows', () => {
  it('is paused and goes on by its states, whatever steps come between', () => {
    const running = runSummary({ state: 'running', step: 'train', fraction: 0.5 }, { kind: 'heal', lastSeq: 0 });
    const state = (seq: number, of: 'paused' | 'running'): RunEvent => ({
      seq,
      atEpochMs: 0,
      event: { kind: 'state', state: { state: of, step: 'train', fraction: 0.5 } },
    });
    expect([step(0), state(2, 'paused')].reduce(grown, running)).toMatchObject({ state: 'paused', lastSeq: 2 });
    expect([state(2, 'paused'), state(3, 'running')].reduce(grown, running)).toMatchObject({ state: 'running' });
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
    const recipe: Recipe = healRecipe(usualSettings, { ...places, model: of.folder }, compute);
    return { run, recipe, plan: null, report: { kind: 'heal', model: of, evals: [] } as unknown as HealReport };
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
