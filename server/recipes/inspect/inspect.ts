// inspect: a model in numbers.
import type { InspectReport, InspectRecipe } from './recipe';
import { summarize } from '../modelSummary';
import { withCheckpoint } from '../recipeContext';

export const runInspect = (recipe: InspectRecipe): Promise<InspectReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => ({ kind: 'inspect', model: summarize(checkpoint) }));
