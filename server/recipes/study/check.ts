// What can be said against a study before anything is read of its data. Pure.
import { UserError } from '../../errors';
import { checkRule } from '../../pruning/choose';
import { scoredBy } from '../../shared/methods';
import { unknownName } from '../recipeNames';
import type { StudyHealing, StudyRecipe } from './recipe';
import { ruleOf } from './variants';

/** @throws UserError for a model of so many blocks. */
export function checkStudy(recipe: StudyRecipe, nBlocks: number): void {
  const { methods, counts, healing, evaluate, perplexity } = recipe;
  const refuse = (sentence: string) => {
    throw new UserError('usage', sentence);
  };
  for (const [field, list] of Object.entries({ methods, counts, repairs: recipe.repairs }))
    if (list.length === 0) refuse(`A study without ${field} has nothing to do; name at least one.`);
  const unknown = unknownName(recipe);
  if (unknown) refuse(unknown.sentence);
  if (evaluate?.tasks.length === 0) refuse('An evaluation without tasks has nothing to do; name at least one.');
  if (!evaluate && !perplexity)
    refuse('A study that measures nothing says nothing; give it tasks to evaluate, or a perplexity text.');
  const nVariants = methods.length * counts.length * recipe.repairs.length * (healing ? 2 : 1);
  if (nVariants > mostVariants)
    refuse(
      `This study has ${nVariants} variants, but at most ${mostVariants} are made; name fewer methods, counts or repairs.`,
    );
  for (const count of counts)
    for (const method of methods) checkRule(ruleOf(method, count, recipe.protected), nBlocks, scoredBy(method));
  for (const field of ['methods', 'counts', 'repairs'] as const) refuseOutside(field, healing, recipe);
}

const mostVariants = 5000;

/** What is to be healed has to be in the grid. */
function refuseOutside(
  field: 'methods' | 'counts' | 'repairs',
  healing: StudyHealing | null,
  recipe: StudyRecipe,
): void {
  const wanted: 'all' | readonly (string | number)[] = healing?.[field] ?? 'all';
  if (wanted === 'all') return;
  const there: readonly (string | number)[] = recipe[field];
  const missing = wanted.find((one) => !there.includes(one));
  if (missing !== undefined)
    throw new UserError(
      'usage',
      `healing.${field} names ${missing}, but the study's ${field} are ${there.join(', ')}; name some of those.`,
    );
}
