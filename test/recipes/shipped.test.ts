// The recipes that come along can be carried out once their paths lead somewhere.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { PipelineRecipe } from '../../server/recipes/pipeline/recipe';
import { stepsOf } from '../../server/recipes/pipeline/steps';
import type { StudyRecipe } from '../../server/recipes/study/recipe';
import { parseRecipe } from '../../server/recipes/recipeFile';
import { checkStudy } from '../../server/recipes/study/check';
import { planStudy } from '../../server/recipes/study/steps';
import { supposedSets } from '../../server/recipes/study/variants';
import { repoRoot } from '../fixtures';

const folder = join(repoRoot, 'recipes');
const shipped: Record<
  string,
  { nBlocks: number; nParameters: number; perBlock: number; nVariants: number; nHealed: number }
> = {
  'llama-3.1-8b.espalier.yaml': { nBlocks: 32, nParameters: 8.03e9, perBlock: 218e6, nVariants: 60, nHealed: 30 },
  'llama-3.2-3b.espalier.yaml': { nBlocks: 28, nParameters: 3.21e9, perBlock: 100e6, nVariants: 60, nHealed: 30 },
  'smollm2-135m.espalier.yaml': { nBlocks: 30, nParameters: 134e6, perBlock: 3.5e6, nVariants: 30, nHealed: 5 },
};

/** The steps of those that are pipelines. */
const pipelines: Record<string, string[]> = {
  'smollm2-135m-100m.espalier.yaml': [
    ...['model', 'tasks', 'scores', 'prune', 'heal', 'merge', 'prove', 'losses', 'benchmarks', 'gguf'],
  ],
};

describe('the recipes that come along', () => {
  it.each(Object.entries(pipelines))('%s', (file, ids) => {
    const recipe = parseRecipe(readFileSync(join(folder, file), 'utf8'), join(folder, file)) as PipelineRecipe;
    expect(stepsOf(recipe).map(({ id }) => id)).toEqual(ids);
  });

  it('are these', () => {
    expect(readdirSync(folder).sort()).toEqual(Object.keys({ ...shipped, ...pipelines }).sort());
  });

  it.each(Object.entries(shipped))('%s', (file, { nBlocks, nParameters, perBlock, nVariants, nHealed }) => {
    const recipe = parseRecipe(readFileSync(join(folder, file), 'utf8'), join(folder, file)) as StudyRecipe;
    expect(() => checkStudy(recipe, nBlocks)).not.toThrow();
    expect(recipe.counts).toEqual([4, 5, 6, 7, 12]);
    const size = { nBlocks, nParameters, nParametersPerBlock: perBlock, sizeBytes: 2 * nParameters };
    const { variants, batches } = planStudy(recipe, size, supposedSets(recipe));
    expect(variants).toHaveLength(nVariants);
    expect(variants.filter(({ healed }) => healed)).toHaveLength(nHealed);
    for (const batch of batches) {
      const pruned = nParameters - 4 * perBlock;
      expect(batch.folders.length * 2 * pruned * (recipe.dtype === 'f32' ? 2 : 1)).toBeLessThan(
        1.2 * recipe.batchBytes,
      );
    }
  });
});
