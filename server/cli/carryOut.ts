// Carries a recipe out for a command: an engine runs it, its events are shown, its report is printed and written.
import { checkStagedFile, writeStagedFile } from '../checkpoint/stagedFile';
import type { Report } from '../protocol/reports';
import type { Recipe } from '../recipes/kinds';
import { peakMemoryBytes } from '../recipes/processMemory';
import { runInEngine } from './engineProcess';
import type { OutputFlags } from './options';
import { progressView } from './progress';
import { render } from './renderers';

/** @param written what --json writes of the report */
export async function carryOut(
  recipe: Recipe,
  flags: OutputFlags,
  written: (report: Report) => object = (report) => report,
): Promise<void> {
  if (flags.json) await checkStagedFile(flags.json, 'out' in recipe ? recipe.out : undefined);
  const view = progressView(flags.quiet, recipe.kind === 'generate' ? recipe.prompt : '');
  let report: Report;
  try {
    report = await runInEngine(recipe, view.onEvent);
  } finally {
    view.end();
  }
  if ('peakMemoryBytes' in report) report.peakMemoryBytes += peakMemoryBytes();
  if (!flags.quiet) console.log(render(report));
  if (flags.json) await writeStagedFile(flags.json, `${JSON.stringify(written(report), null, 1)}\n`);
}
