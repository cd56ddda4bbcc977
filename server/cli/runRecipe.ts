// run: carries out a recipe file, as the command of its kind would.
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { UserError } from '../errors';
import type { FileKind, Recipe } from '../recipes/kinds';
import type { Report } from '../protocol/reports';
import type { FileRecipe } from '../recipes/recipeFile';
import { type OutputFlags, withOutputOptions } from './options';
import { renderAnalysis, renderMerge, renderPrune } from './render';
import { renderEvaluation } from './renderEvaluation';
import { renderHealing } from './renderHealing';
import { renderStudy } from './renderStudy';

const renderers: { [K in FileKind]: (report: Extract<Report, { kind: K }>) => string } = {
  analyze: renderAnalysis,
  prune: renderPrune,
  heal: renderHealing,
  merge: renderMerge,
  evaluate: renderEvaluation,
  study: renderStudy,
};

/** @param carryOut runs a recipe, shows its report and writes it where --json says. */
export const addRun = (
  program: Command,
  carryOut: (recipe: Recipe, flags: OutputFlags, render: (report: Report) => string) => Promise<void>,
): Command =>
  withOutputOptions(
    program.command('run').argument('<recipe>', `a recipe file in YAML: ${Object.keys(renderers).join(', ')}`),
  )
    .description('carry out a recipe file; a study that was ended goes on')
    .action(async (file: string, flags: OutputFlags) => {
      const recipe = await readRecipe(file);
      return carryOut(recipe, flags, renderers[recipe.kind] as (report: Report) => string);
    });

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
