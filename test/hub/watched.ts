// What is looked at while a process of ours works and after it was killed: files with what they hold, and the lines of commands.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Every file of a folder with what it holds; links count as what they lead to. */
export function contentsOf(folder: string): Map<string, Buffer> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => !entry.isDirectory());
  return new Map(
    names.map(({ parentPath, name }) => [
      join(parentPath, name).slice(folder.length + 1),
      readFileSync(join(parentPath, name)),
    ]),
  );
}
export const sizesOf = (folder: string) =>
  new Map([...contentsOf(folder)].map(([name, content]) => [name, content.length]));

/** Of all processes, as everybody on the machine can read them. */
export const commandLines = (): string[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readOr(`/proc/${pid}/cmdline`, ''));

function readOr(path: string, otherwise: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return otherwise; // it has ended
  }
}
