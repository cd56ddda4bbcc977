// What --weights auto becomes under a limit of memory, and why.
import { describe, expect, it } from 'vitest';
import { UserError } from '../../server/errors';
import type { MemoryLimits } from '../../server/execution/memoryLimits';
import { withChosenWeights } from '../../server/plan/chosenWeights';
import { makePlan } from '../../server/plan/makePlan';
import { widestThatFits } from '../../server/plan/widestThatFits';
import type { MemoryMode, WeightWidth } from '../../server/protocol/recipes';
import type { PerplexityRecipe } from '../../server/recipes/perplexity/recipe';
import { ofBlocks } from '../../server/shared/dropSets';
import { modelFolder } from '../fixtures';
import { onCpu } from '../recipes/runHere';

/** A model of 8 GB in float32 whose blocks take a tenth of it two at a time. */
const bytesOf: Record<WeightWidth, number> = { f32: 8e9, f16: 4e9, int8: 2.25e9, int4: 1.5e9 };
async function planAs(weights: WeightWidth, memory: MemoryMode, { limitBytes }: MemoryLimits) {
  const bytes = { weights: bytesOf[weights] * (memory === 'streaming' ? 0.1 : 1) };
  if (bytes.weights + 1e9 > limitBytes) throw new UserError('cannotFit', `${weights} ${memory} does not fit`);
  return { bytes, memory };
}

describe('auto', () => {
  it.each<[number, MemoryMode, WeightWidth, MemoryMode, string]>([
    [10e9, 'auto', 'f32', 'resident', 'it fits in 10.00 GB'],
    [9e9, 'auto', 'f32', 'resident', 'it fits in 9.00 GB'],
    [8.9e9, 'auto', 'f16', 'resident', 'the widest that fits in 8.90 GB (f32 weights alone 8.00 GB)'],
    [4e9, 'auto', 'int8', 'resident', 'the widest that fits in 4.00 GB (f16 weights alone 4.00 GB)'],
    [3e9, 'auto', 'int4', 'resident', 'the widest that fits in 3.00 GB (int8 weights alone 2.25 GB)'],
    [
      2e9,
      'auto',
      'f32',
      'streaming',
      'int4 weights alone 1.50 GB, so that blocks are read one after the other; it fits in 2.00 GB',
    ],
    [
      1.5e9,
      'auto',
      'f16',
      'streaming',
      'int4 weights alone 1.50 GB, so that blocks are read one after the other; the widest that fits in 1.50 GB (f32 weights alone 800.0 MB)',
    ],
    [10e9, 'streaming', 'f32', 'streaming', 'it fits in 10.00 GB'],
    [3e9, 'resident', 'int4', 'resident', 'the widest that fits in 3.00 GB (int8 weights alone 2.25 GB)'],
  ])('is, of %d bytes with memory %s, %s, %s', async (limitBytes, memory, weights, mode, why) => {
    const chosen = await widestThatFits({ weights: 'auto', memory }, { limitBytes }, planAs);
    expect(chosen).toMatchObject({ weights, why, plan: { memory: mode } });
  });

  it.each<[MemoryMode, string]>([
    ['resident', 'int4 resident does not fit'],
    ['auto', 'int4 streaming does not fit'],
  ])('is refused like the narrowest where nothing fits: %s', async (memory, sentence) => {
    await expect(widestThatFits({ weights: 'auto', memory }, { limitBytes: 1.1e9 }, planAs)).rejects.toThrow(sentence);
  });

  it('leaves a width that was asked for, and other errors', async () => {
    const asked = await widestThatFits({ weights: 'int8', memory: 'auto' }, { limitBytes: 10e9 }, planAs);
    expect(asked).toMatchObject({ weights: 'int8', why: null });
    const broken = () => Promise.reject(new UserError('notFound', 'there is no text'));
    await expect(widestThatFits({ weights: 'auto', memory: 'auto' }, { limitBytes: 10e9 }, broken)).rejects.toThrow(
      'there is no text',
    );
  });
});

describe('a recipe', () => {
  const recipe: PerplexityRecipe = {
    kind: 'perplexity',
    models: [modelFolder('stories260k')],
    drop: ofBlocks([]),
    source: {
      kind: 'text',
      files: [`${modelFolder('stories260k')}/tokenizer.json`],
      field: null,
      sequences: 2,
      tokens: 128,
      start: 0,
      bos: 'none',
      sampling: 'consecutive',
      seed: 0,
    },
    compute: { ...onCpu, weights: 'auto' },
  };

  const cpu = { device: 'cpu', reason: null, operationsPerSecond: null } as const;
  const under = (memoryLimitBytes: number) => ({ ...recipe, compute: { ...recipe.compute, memoryLimitBytes } });

  const takes = async (weights: WeightWidth, memory: MemoryMode) =>
    (await makePlan({ ...recipe, compute: { ...recipe.compute, weights, memory } }, cpu)).totalBytes;

  it.each([
    ['where float32 fits', 0, 'f32'],
    ['where a byte is missing for it', -1, 'f16'],
  ])('is carried out in the width of its plan, which says why: %s', async (_, more, weights) => {
    const asked = under((await takes('f32', 'resident')) + more);
    const plan = await makePlan(asked, cpu);
    const { recipe: chosen, why } = await withChosenWeights(asked);
    expect(plan).toMatchObject({ weights, memory: 'resident', whyWeights: why });
    expect(chosen).toEqual({ ...asked, compute: { ...asked.compute, weights } });
  });

  it('keeps the width that it names', async () => {
    const named = { ...recipe, compute: { ...recipe.compute, weights: 'int4' as const } };
    expect(await withChosenWeights(named)).toEqual({ recipe: named, why: null });
  });

  it('that computes nothing stays as it is', async () => {
    const inspect = { kind: 'inspect' as const, model: recipe.models[0]! };
    expect(await withChosenWeights(inspect)).toEqual({ recipe: inspect, why: null });
  });
});
