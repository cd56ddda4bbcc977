// A file that appears complete or not at all.
import { open, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors';

/** Writes `text` beside its place and renames it. Throws UserError('cannotWrite') and leaves what was there before. */
export const writeStagedFile = (path: string, text: string): Promise<void> =>
  writeStaged(path, (stage) => writeFile(stage, text));

/** The same for what `write` writes into a new file at the path that it is given. */
export async function writeStaged(path: string, write: (stage: string) => Promise<void>): Promise<void> {
  const { target, stage } = places(path);
  try {
    // Left by a dead process with the same number.
    await rm(stage, { force: true });
    await write(stage);
    const file = await open(stage, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(stage, target);
  } catch (error) {
    await rm(stage, { force: true }).catch(() => {});
    throw cannotWrite(target, error);
  }
}

/**
 * Refuses a place that takes no file, before long work whose result would have no place.
 * @param made a folder that the work will make; what is to lie directly in it is taken on trust
 */
export async function checkStagedFile(path: string, made?: string): Promise<void> {
  const { target, stage } = places(path);
  if (made !== undefined && dirname(target) === resolve(made)) return;
  try {
    if ((await stat(target).catch(() => null))?.isDirectory()) throw new Error('it is a folder');
    await (await open(stage, 'w')).close();
  } catch (error) {
    throw cannotWrite(target, error);
  } finally {
    await rm(stage, { force: true }).catch(() => {});
  }
}

function places(path: string): { target: string; stage: string } {
  const target = resolve(path);
  return { target, stage: join(dirname(target), `.${basename(target)}.partial-${process.pid}`) };
}

function cannotWrite(target: string, error: unknown): UserError {
  const reason = error instanceof Error ? error.message.split(',')[0] : String(error);
  return new UserError('cannotWrite', `${target} cannot be written (${reason}); choose another place.`);
}
