// The width that stands for `auto` in a recipe, chosen before the recipe is carried out: all its models and steps are held in it.
import { chosenDevice } from '../devices/devices';
import type { Recipe } from '../recipes/kinds';
import { makePlan } from './makePlan';

export interface WithChosenWeights {
  readonly recipe: Recipe;
  /** Why `auto` became that width, in words; null: nothing was chosen. */
  readonly why: string | null;
}

/** A healing that is resumed goes on in the width that it was begun in; its folder says which. */
export async function withChosenWeights(recipe: Recipe): Promise<WithChosenWeights> {
  const isChosen = !('compute' in recipe) || recipe.compute.weights !== 'auto';
  if (isChosen || (recipe.kind === 'heal' && recipe.resume)) return { recipe, why: null };
  const device = recipe.compute.device === 'auto' ? (await chosenDevice()).device : recipe.compute.device;
  const { weights = 'f32', whyWeights } = await makePlan(recipe, { device, reason: null, operationsPerSecond: null });
  return { recipe: { ...recipe, compute: { ...recipe.compute, weights } }, why: whyWeights ?? null };
}
