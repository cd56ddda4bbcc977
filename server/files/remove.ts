// Removes folders with all that is in them. Links are removed and never followed, also where a folder becomes a link meanwhile.
import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { cannotWrite } from '../shared/systemErrors';
import { type HeldFolder, holdChild, withParent } from './contained';

/** Does nothing where there is nothing. @throws UserError `outsideRoots`; whatever the file system says. */
export async function removeTree(path: string): Promise<void> {
  const whole = resolve(path);
  try {
    await withParent(whole, (parent) => removeIn(parent, basename(whole)));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw cannotWrite(error, whole);
  }
}

/** The same of a name in a held folder. */
export async function removeIn(parent: HeldFolder, name: string): Promise<void> {
  const stats = await lstat(parent.at(name)).catch(unlessMissing);
  if (!stats) return;
  if (!stats.isDirectory()) {
    await unlink(parent.at(name)).catch(unlessMissing);
    return;
  }
  const folder = await holdChild(parent, name);
  try {
    for (const inside of await readdir(folder.at('.'))) await removeIn(folder, inside);
  } finally {
    await folder.close();
  }
  await rmdir(parent.at(name)).catch(unlessMissing);
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
