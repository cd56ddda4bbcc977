// inspect: a model in numbers.
import { withCheckpoint } from '../../checkpoint/checkpoint';
import type { InspectReport, InspectRecipe } from './recipe';
import { summarize } from '../modelSummary';

export const runInspect = (recipe: InspectRecipe): Promise<InspectReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => ({ kind: 'inspect', model: summarize(checkpoint) }));
