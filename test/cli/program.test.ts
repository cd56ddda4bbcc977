// What the command line says to a name that is none, without starting a program.
import { expect, it } from 'vitest';
import { espalierProgram } from '../../server/cli/program';

async function said(...args: string[]): Promise<string> {
  const program = espalierProgram();
  let text = '';
  for (const command of [program, ...program.commands])
    command.exitOverride().configureOutput({ writeErr: (part) => void (text += part) });
  await expect(program.parseAsync(args, { from: 'user' })).rejects.toThrow();
  return text;
}

it.each([
  [['eval', 'm'], "espalier: unknown command 'eval' (Did you mean evaluate?)\n"],
  [['prunes', 'm'], "espalier: unknown command 'prunes' (Did you mean prune?)\n"],
  [['quantize', 'm'], "espalier: unknown command 'quantize'.\n"],
  [['analyze', 'm', '--methds', 'all'], "espalier: unknown option '--methds' (Did you mean --methods?)\n"],
  [['analyze', 'm', '--remov'], "espalier: unknown option '--remov' (Did you mean --removals?)\n"],
  [
    ['analyze', 'm', '--memory_limit', '5'],
    "espalier: unknown option '--memory_limit' (Did you mean --memory-limit?)\n",
  ],
  [['analyze', 'm', '--held'], "espalier: unknown option '--held'.\n"],
])('%j', async (args, sentence) => {
  expect(await said(...args)).toBe(sentence);
});
