// What evaluations and studies would take, from headers and sizes alone.
import { describe, expect, it } from 'vitest';
import type { EvaluateRecipe } from '../../server/recipes/evaluate/recipe';
import type { StudyRecipe } from '../../server/recipes/study/recipe';
import type { PlannedDevice } from '../../server/protocol/reader';
import { ofBlocks } from '../../server/shared/dropSets';
import { makePlan } from '../../server/plan/makePlan';
import { modelFolder } from '../fixtures';
import { onCpu } from '../recipes/runHere';
import { openStudies } from '../recipes/studies';

const { studyOf } = openStudies();
const model = modelFolder('stories260k');
const evaluation: EvaluateRecipe = {
  kind: 'evaluate',
  models: [model],
  drops: [],
  tasks: ['arc_easy'],
  data: '/data',
  items: { first: 0, end: 100 },
  fewShot: null,
  maxTokens: null,
  generate: false,
  samples: null,
  compute: onCpu,
};
const onFastCpu: PlannedDevice = { device: 'cpu', reason: null, operationsPerSecond: 1e9 };
const unmeasured: PlannedDevice = { ...onFastCpu, operationsPerSecond: null };
const seconds = async (recipe: EvaluateRecipe | StudyRecipe) => (await makePlan(recipe, onFastCpu)).estimatedSeconds!;

describe('the plan of an evaluation', () => {
  it.each<[string, Partial<EvaluateRecipe>, number]>([
    ['twice the items', { items: { first: 0, end: 200 } }, 2],
    ['items elsewhere', { items: { first: 1000, end: 1100 } }, 1],
    ['items beyond the end', { items: { first: 2276, end: 9999 } }, 1],
    ['a second model', { models: [model, model] }, 2],
    ['another task of 60 tokens an item beside one of 50', { tasks: ['arc_easy', 'arc_challenge'] }, 2.2],
    ['a task twice, which is scored once', { tasks: ['arc_easy', 'arc_easy'] }, 1],
    ['one example before each question', { fewShot: 1 }, 2],
  ])('takes with %s so many times as much', async (_, change, times) => {
    const [once, changed] = [await seconds(evaluation), await seconds({ ...evaluation, ...change })];
    // Whole sequences are counted.
    expect(Math.abs(changed / once - times)).toBeLessThan(0.15);
  });

  it('shares what comes before a gap', async () => {
    const drops = [ofBlocks([3]), ofBlocks([4])];
    const [once, changed] = [await seconds(evaluation), await seconds({ ...evaluation, drops })];
    expect(changed).toBeGreaterThan(once);
    expect(changed).toBeLessThan(3 * once);
  });

  it('has no seconds before the speed is known', async () => {
    expect(await makePlan(evaluation, unmeasured)).toMatchObject({ estimatedSeconds: null, memory: 'resident' });
  });

  it('names the device that was chosen, and why, where the recipe names none', async () => {
    const reason = 'auto is WebGPU on a card.';
    const plan = await makePlan(evaluation, { device: 'webgpu', reason, operationsPerSecond: null });
    expect(plan).toMatchObject({ device: 'webgpu', deviceReason: reason });
    expect(await makePlan(evaluation, unmeasured)).not.toHaveProperty('deviceReason');
  });
});

describe('the plan of a study', () => {
  it('grows with everything that is asked for', async () => {
    const plain = studyOf({ repairs: ['none'], healing: null, evaluate: null });
    const more: Partial<StudyRecipe>[] = [
      { counts: [1, 2, 3] },
      { methods: [...plain.methods, 'removal'] },
      { repairs: ['none', 'linear'] },
      { healing: studyOf().healing },
      { evaluate: studyOf().evaluate },
    ];
    const least = await seconds(plain);
    for (const change of more)
      expect(await seconds({ ...plain, ...change }), JSON.stringify(change)).toBeGreaterThan(1.05 * least);
  });

  it('takes the memory of its largest step', async () => {
    const healed = await makePlan(studyOf(), unmeasured);
    const alone = await makePlan(studyOf({ healing: null }), unmeasured);
    expect(healed.totalBytes).toBeGreaterThanOrEqual(alone.totalBytes);
    expect(healed.estimatedSeconds).toBeNull();
  });
});
