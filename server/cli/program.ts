// The commands of espalier, and how what commander refuses is said.
import { Command } from 'commander';
import { addGraph } from './graph';
import { addRecipeCommands } from './recipeCommands';
import { addReport } from './report';
import { addRun } from './runRecipe';
import { addServe } from './serve';
import { addSuggest } from './suggest';

declare const __ESPALIER_VERSION__: string;

export function espalierProgram(): Command {
  const program = new Command('espalier')
    .description('Makes language models smaller and shows what it cost.')
    .version(__ESPALIER_VERSION__)
    .exitOverride()
    .configureOutput({
      outputError: (text, write) =>
        write(
          `${text
            .replace(/^error: /, 'espalier: ')
            .trimEnd()
            .replaceAll('\n', ' ')
            .replace(/[^.?)]$/, '$&.')}\n`,
        ),
    });
  addRecipeCommands(program);
  addSuggest(program);
  addRun(program);
  addReport(program);
  addGraph(program);
  addServe(program);
  return program;
}
