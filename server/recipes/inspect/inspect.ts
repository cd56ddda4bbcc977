// inspect: a model in numbers.
import type { InspectReport } from '../../protocol/reports';
import { summarize } from '../modelSummary';
import { withCheckpoint } from '../recipeContext';
import type { InspectRecipe } from './recipe';

export const runInspect = (recipe: InspectRecipe): Promise<InspectReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => ({ kind: 'inspect', model: summarize(checkpoint) }));
