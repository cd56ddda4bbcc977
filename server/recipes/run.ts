// Every kind of recipe with the function that carries it out.
import type { Recipe } from './kinds';
import type { Report } from '../protocol/reports';
import { runAnalyze } from './analyze';
import { runEvaluate } from './evaluate';
import { runGenerate } from './generate';
import { runHeal } from './heal';
import { runMerge } from './merge';
import { summarize } from './modelSummary';
import { runPerplexity } from './perplexity';
import { runPrune } from './prune';
import { runSparsify } from './sparsify';
import { runStudy } from './study';
import { type Run, withCheckpoint } from './session';

const runners: { [K in Recipe['kind']]: (recipe: Extract<Recipe, { kind: K }>, run: Run) => Promise<Report> } = {
  inspect: (recipe) =>
    withCheckpoint(recipe.model, async (checkpoint) => ({ kind: 'inspect', model: summarize(checkpoint) })),
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
export function runRecipe<R extends Recipe>(recipe: R, run: Run): Promise<Report> {
  return (runners[recipe.kind] as (recipe: R, run: Run) => Promise<Report>)(recipe, run);
}
