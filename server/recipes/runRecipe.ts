// Carries out a recipe of any kind. What carries one of KIND out is the function runKIND of recipes/KIND/KIND.ts, such as runPrune
// of prune/prune.ts; it is loaded when it is asked for. Only the engine uses this file, since it leads to onnxruntime.
import type { Kind, Recipe, RecipeOf, Report, ReportOf } from './kinds';
import { cannotRead } from '../shared/systemErrors';
import { onDecidedDevice } from './decidedDevice';
import { checkOutputPlaces, owningOutputs } from './outputs';
import type { Run } from './recipeContext';

/** Throws UserError with a sentence for what the user can mend. */
export async function runRecipe<R extends Recipe>(recipe: R, run: Run): Promise<Report> {
  const runner = (await runnerOf(recipe.kind)) as (recipe: R, run: Run) => Promise<Report>;
  try {
    await checkOutputPlaces(recipe);
    return await owningOutputs(recipe, () => onDecidedDevice(recipe, run, runner));
  } catch (error) {
    // Whoever writes says so; what is left was to be read.
    throw cannotRead(error);
  }
}

export async function runnerOf<K extends Kind>(
  kind: K,
): Promise<(recipe: RecipeOf<K>, run: Run) => Promise<ReportOf<K>>> {
  const module = await import(`./${kind}/${kind}.ts`);
  const name = `run${kind.charAt(0).toUpperCase()}${kind.slice(1)}`;
  if (!(name in module)) throw new Error(`recipes/${kind}/${kind}.ts exports no ${name}.`);
  return module[name];
}
