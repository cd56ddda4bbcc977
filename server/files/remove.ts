// Removes folders with all that is in them. Links are removed and never followed, also where a folder becomes a link meanwhile.
import { lstat, readdir, rmdir, unlink } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { cannotWrite } from '../shared/systemErrors';
import { type HeldFolder, holdChild, withParent } from './contained';
import { syncFolder } from './sync';

/**
 * Does nothing where there is nothing. What is gone stays gone, also after a loss of power.
 * @throws UserError `outsideRoots`, `cannotWrite`
 */
export async function removeTree(path: string): Promise<void> {
  const whole = resolve(path);
  try {
    await withParent(whole, async (parent) => {
      if (await removeIn(parent, basename(whole))) await syncFolder(parent);
    });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw cannotWrite(error, whole);
  }
}

/** The same of a name in a held folder, which is not brought to the disk. False: there was nothing. */
export async function removeIn(parent: HeldFolder, name: string): Promise<boolean> {
  const stats = await lstat(parent.at(name)).catch(unlessMissing);
  if (!stats) return false;
  if (!stats.isDirectory()) {
    await unlink(parent.at(name)).catch(unlessMissing);
    return true;
  }
  const folder = await holdChild(parent, name);
  try {
    for (const inside of await readdir(folder.at('.'))) await removeIn(folder, inside);
  } finally {
    await folder.close();
  }
  await rmdir(parent.at(name)).catch(unlessMissing);
  return true;
}

function unlessMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
