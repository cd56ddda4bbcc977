// espalier, the command line. It reads options, starts an engine for the heavy work, and shows what comes back. It never
// loads onnxruntime itself. Exit codes: 0 done, 2 a mistake the user can mend, 130 interrupted, 1 a defect of ours.
import { Command, CommanderError } from 'commander';
import { addGraph } from './cli/graph';
import { addRecipeCommands } from './cli/recipeCommands';
import { addReport } from './cli/report';
import { addRun } from './cli/runRecipe';
import { addServe } from './cli/serve';
import { addSuggest } from './cli/suggest';
import { isUserError } from './errors';

declare const __ESPALIER_VERSION__: string;

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

async function main(): Promise<number> {
  try {
    await program.parseAsync();
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!isUserError(error)) {
      console.error(error);
      return 1;
    }
    console.error(`espalier: ${error.message}`);
    return error.code === 'cancelled' ? 130 : 2;
  }
}

// A reader that has seen enough (`espalier analyze ... | head`) is no failure; the report may still go to --json.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') return;
  console.error(`espalier: The output cannot be written (${error.code}); use --json FILE, or another place.`);
  process.exit(2);
});

void main().then((code) => {
  process.exitCode = code;
});
