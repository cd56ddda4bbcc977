// Asks a script of test/python, which prints one JSON object and exits with 1 where it has found problems.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { repoRoot } from '../fixtures';

/** @param options such as `{ model: 'folder' }` for `--model folder` */
export function askPython<Answer>(script: string, args: readonly string[], options: Record<string, string>): Answer {
  const named = Object.entries(options).flatMap(([option, value]) => [`--${option}`, value]);
  try {
    const run = join(repoRoot, 'test/python/run.sh');
    return JSON.parse(execFileSync(run, [script, ...args, ...named], { encoding: 'utf8' })) as Answer;
  } catch (error) {
    const { stdout = '' } = error as { stdout?: string };
    if (stdout.startsWith('{')) return JSON.parse(stdout) as Answer;
    throw error;
  }
}
