// run: carries out a recipe file, as the command of its kind would.
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { UserError } from '../errors';
import { fileKinds } from '../recipes/kinds';
import type { FileRecipe } from '../recipes/recipeFile';
import { carryOut } from './carryOut';
import { type OutputFlags, withOutputOptions } from './options';

export const addRun = (program: Command): Command =>
  withOutputOptions(program.command('run').argument('<recipe>', `a recipe file in YAML: ${fileKinds.join(', ')}`))
    .description('carry out a recipe file; a study that was ended goes on')
    .action(async (file: string, flags: OutputFlags) => carryOut(await readRecipe(file), flags, { recipeFile: file }));

/** Throws UserError with file, line and column for a file that is no recipe. */
async function readRecipe(file: string): Promise<FileRecipe> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new UserError('notFound', `${file} cannot be read; give a recipe file.`);
  });
  // Only this command pays for what checks it.
  const { parseRecipe } = await import('../recipes/recipeFile');
  // A command ends with its report: nobody is left to ask.
  const recipe = parseRecipe(text, file);
  return recipe.kind === 'analyze' ? { ...recipe, stay: false } : recipe;
}
