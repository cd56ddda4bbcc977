// Work in steps of a folder, such as a study, that is killed: which steps are kept, and the kill.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isRunning, start, until } from './espalier';

/** When each kept step in the folder of the work was written, by its id. */
export function keptSteps(folder: string): Record<string, number> {
  const steps = join(folder, 'steps');
  const files = existsSync(steps) ? readdirSync(steps).filter((file) => /^[^.].*\.json$/.test(file)) : [];
  return Object.fromEntries(files.map((file) => [file.replace('.json', ''), statSync(join(steps, file)).mtimeMs]));
}

/** When a run is killed. */
export interface Moment {
  readonly nSteps: number;
  readonly delayMs: number;
}

/** Starts the command in `root` and kills its whole process group once so many steps are kept in `folder`, and a moment later. */
export async function killedAt(
  args: string[],
  root: string,
  folder: string,
  { nSteps, delayMs }: Moment,
): Promise<void> {
  const started = start(args, root);
  let over = false;
  void started.ended.then(() => (over = true));
  await until(`${nSteps} steps are kept`, () => over || Object.keys(keptSteps(folder)).length >= nSteps, 60_000);
  await new Promise((resolve) => setTimeout(resolve, delayMs));
  if (!over) process.kill(-started.pid, 'SIGKILL');
  await started.ended;
  await until('all of it is gone', () => !isRunning(started.pid));
}
