// Carries a recipe out for a command: an engine runs it, its events are shown, its report is printed and written.
import type { Recipe, Report } from '../recipes/kinds';
import { checkOutputPlaces } from '../recipes/outputs';
import { peakMemoryBytes } from '../recipes/processMemory';
import { runInEngine } from './engineProcess';
import { checkReport, forPeople, reportFile, writeReport } from './jsonReport';
import type { OutputFlags } from './options';
import { progressView } from './progress';
import { render } from './renderers';
import { refuseUnproven } from './renderProof';

export interface CarryOut {
  /** What --json writes of the report. */
  readonly written?: (report: Report) => object;
  /** The file that the recipe stands in. */
  readonly recipeFile?: string;
}

export async function carryOut(
  recipe: Recipe,
  { json, quiet }: OutputFlags,
  { written = (report) => report, recipeFile }: CarryOut = {},
): Promise<void> {
  await checkOutputPlaces(recipe, { report: reportFile(json), recipeFile });
  await checkReport(json, 'out' in recipe ? recipe.out : undefined);
  const out = forPeople(json);
  const view = progressView(quiet, recipe.kind === 'generate' ? recipe.prompt : '', out);
  let report: Report;
  try {
    report = await runInEngine(recipe, view.onEvent);
  } finally {
    view.end();
  }
  if ('peakMemoryBytes' in report) report.peakMemoryBytes += peakMemoryBytes();
  if (!quiet) out.write(`${render(report)}\n`);
  await writeReport(json, written(report));
  if (report.kind === 'prove') refuseUnproven(report);
}
