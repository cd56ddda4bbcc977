// Runs of the command line in processes of their own, so that each peak of memory is one run's.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Runs `body` with a folder that is removed in the end. */
export async function withScratch<T>(body: (folder: string) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-bench-'));
  try {
    return await body(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The report of a command; what it says on the way is not shown. */
export function reportOf<T>(folder: string, ...args: readonly string[]): T {
  const json = join(folder, 'report.json');
  execFileSync(process.execPath, ['dist/espalier.cjs', ...args, '--json', json, '--quiet']);
  return JSON.parse(readFileSync(json, 'utf8')) as T;
}

/** The report of a recipe. */
export function reportOfRecipe<T>(folder: string, recipe: object): T {
  const file = join(folder, 'recipe.yaml');
  writeFileSync(file, JSON.stringify(recipe));
  return reportOf<T>(folder, 'run', file);
}

/** A table in Markdown. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}
