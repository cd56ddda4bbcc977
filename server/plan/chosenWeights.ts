// The width that stands for `auto` in a recipe, chosen before the recipe is carried out: all its models and steps are held in it.
import { chosenDevice } from '../devices/devices';
import type { PlanEstimate } from '../protocol/engine';
import type { Recipe } from '../recipes/kinds';
import { makePlan } from './makePlan';

export interface WithChosenWeights {
  readonly recipe: Recipe;
  /** Why `auto` became that width, in words; null: nothing was chosen. */
  readonly why: string | null;
}

/** A healing that is resumed goes on in the width that it was begun in; its folder says which. */
export async function withChosenWeights(recipe: Recipe): Promise<WithChosenWeights> {
  // Of a pipeline each step is held in the width of its own.
  const isChosen = !('compute' in recipe) || recipe.compute.weights !== 'auto' || recipe.kind === 'pipeline';
  if (isChosen || (recipe.kind === 'heal' && recipe.resume)) return { recipe, why: null };
  const { weights = 'f32', whyWeights } = await planOnThisMachine(recipe);
  return { recipe: { ...recipe, compute: { ...recipe.compute, weights } }, why: whyWeights ?? null };
}

/** On the device that the recipe names, or that `auto` is. */
export async function planOnThisMachine(recipe: Recipe): Promise<PlanEstimate> {
  const named = 'compute' in recipe ? recipe.compute.device : 'cpu';
  const device = named === 'auto' ? (await chosenDevice()).device : named;
  return makePlan(recipe, { device, reason: null, operationsPerSecond: null });
}
