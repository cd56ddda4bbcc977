// A file that appears complete or not at all.
import { open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors';

/** Writes `text` beside its place and renames it. Throws UserError('cannotWrite') and leaves what was there before. */
export async function writeStagedFile(path: string, text: string): Promise<void> {
  const target = resolve(path);
  const stage = join(dirname(target), `.${basename(target)}.partial-${process.pid}`);
  try {
    const file = await open(stage, 'w');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(stage, target);
  } catch (error) {
    await rm(stage, { force: true }).catch(() => {});
    const reason = error instanceof Error ? error.message.split(',')[0] : String(error);
    throw new UserError('cannotWrite', `${target} cannot be written (${reason}); choose another place.`);
  }
}
