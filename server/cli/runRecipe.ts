// run: carries out a recipe file, as the command of its kind would.
import { readFile } from 'node:fs/promises';
import { UserError } from '../errors';
import type { FileRecipe } from '../recipes/recipeFile';

/** Throws UserError with file, line and column for a file that is no recipe. */
export async function readRecipe(file: string): Promise<FileRecipe> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UserError('notFound', `${file} cannot be read; give a recipe file.`);
  });
  // Only this command pays for what checks it.
  const { parseRecipe } = await import('../recipes/recipeFile');
  // A command ends with its report: nobody is left to ask.
  const recipe = parseRecipe(text, file);
  return recipe.kind === 'analyze' ? { ...recipe, stay: false } : recipe;
}
