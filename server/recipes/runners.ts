// Every kind of recipe with the function that carries it out. Only the engine loads this file, since it leads to onnxruntime.
import type { Report } from '../protocol/reports';
import { runAnalyze } from './analyze/analyze';
import { runEvaluate } from './evaluate/evaluate';
import { runGenerate } from './generate/generate';
import { runHeal } from './heal/heal';
import { runInspect } from './inspect/inspect';
import type { Kind, Recipe, RecipeOf } from './kinds';
import { runMerge } from './merge/merge';
import { checkOutputPlaces } from './outputs';
import { runPerplexity } from './perplexity/perplexity';
import { runPrune } from './prune/prune';
import type { Run } from './recipeContext';
import { runSparsify } from './sparsify/sparsify';
import { runStudy } from './study/study';

const runners: { [K in Kind]: (recipe: RecipeOf<K>, run: Run) => Promise<Report> } = {
  inspect: runInspect,
  analyze: runAnalyze,
  prune: runPrune,
  sparsify: runSparsify,
  perplexity: runPerplexity,
  generate: runGenerate,
  heal: runHeal,
  merge: runMerge,
  evaluate: runEvaluate,
  study: (recipe, run) => runStudy(recipe, run),
};

/** Carries a recipe out. Throws UserError with a sentence for what the user can mend. */
export async function runRecipe<R extends Recipe>(recipe: R, run: Run): Promise<Report> {
  await checkOutputPlaces(recipe);
  return (runners[recipe.kind] as (recipe: R, run: Run) => Promise<Report>)(recipe, run);
}
