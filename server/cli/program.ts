// The commands of espalier, and how a command's end becomes an exit code.
import { inspect } from 'node:util';
import { Command, CommanderError } from 'commander';
import { isUserError } from '../errors';
import { cannotRead } from '../shared/systemErrors';
import { nearNames } from '../shared/nearName';
import { stderr, stdout } from '../terminal';
import { addDevices } from './devices';
import { endingCode } from './endings';
import { addGraph } from './graph';
import { addRecipeCommands } from './recipeCommands';
import { addReport } from './report';
import { addRun } from './runRecipe';
import { addServe } from './serve';
import { addSuggest } from './suggest';

declare const __ESPALIER_VERSION__: string;

/**
 * Carries out one command line. It prints on stdout and stderr, and gives back the exit code: 0 done, 2 a mistake the user
 * can mend, 128 and the number of the signal that ended it, 1 a defect of ours.
 * @param args what follows the program's name
 */
export async function runCommandLine(args: readonly string[]): Promise<number> {
  try {
    await espalierProgram().parseAsync(args, { from: 'user' });
    return 0;
  } catch (thrown) {
    const error = cannotRead(thrown);
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    if (!isUserError(error)) {
      stderr.line(inspect(error));
      return 1;
    }
    stderr.message(`espalier: ${error.message}`);
    return error.code === 'cancelled' ? endingCode() : 2;
  }
}

const sentence = (text: string) =>
  `${text
    .replace(/^error: /, 'espalier: ')
    .trimEnd()
    .replaceAll('\n', ' ')
    .replace(/[^.?)]$/, '$&.')}\n`;

/** commander knows near names by their edits alone; what begins alike is near, too. */
function withNearNames(command: Command): void {
  const known = () => ({
    command: command.commands.map((each) => each.name()),
    option: command.options.flatMap(({ long }) => (long ? [long] : [])),
  });
  command.showSuggestionAfterError(false).configureOutput({
    writeOut: (text) => stdout.write(text),
    writeErr: (text) => stderr.write(text),
    outputError(text, write) {
      const [, what, name] = /unknown (command|option) '([^']+)'/.exec(text) ?? [];
      const near = name === undefined ? [] : nearNames(name, known()[what as 'command' | 'option']);
      write(sentence(near.length === 0 ? text : `${text.trimEnd()} (Did you mean ${near.join(' or ')}?)`));
    },
  });
}

export function espalierProgram(): Command {
  const program = new Command('espalier')
    .description('Makes language models smaller and shows what it cost.')
    .version(__ESPALIER_VERSION__)
    .exitOverride();
  addRecipeCommands(program);
  addSuggest(program);
  addRun(program);
  addReport(program);
  addDevices(program);
  addGraph(program);
  addServe(program);
  for (const command of [program, ...program.commands]) withNearNames(command);
  return program;
}
