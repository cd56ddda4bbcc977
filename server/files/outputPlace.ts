// The place of an output: its name in a folder that is held. Folders on the way are made, and go again where nothing came in.
import { mkdir, realpath, rmdir } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors';
import { nullIfMissing } from '../shared/systemErrors';
import { type HeldFolder, holdChild, holdFolder } from './contained';
import { syncFolder } from './sync';

export interface OutputPlace {
  /** With all links resolved. */
  readonly target: string;
  readonly name: string;
  readonly parent: HeldFolder;
}

/** @throws UserError `outsideRoots`, or `cannotWrite` where no folder can be made; whatever the file system says. */
export async function withOutputPlace<T>(out: string, body: (place: OutputPlace) => Promise<T>): Promise<T> {
  const given = resolve(out);
  const target = (await realpath(given).catch(nullIfMissing)) ?? given;
  const ways: Way[] = [];
  try {
    const parent = await made(dirname(target), ways);
    const name = basename(target);
    return await body({ target: join(parent.path, name), name, parent });
  } finally {
    await leave(ways);
  }
}

/** A folder on the way, and the one that it was made in; null: it was there. */
interface Way {
  readonly folder: HeldFolder;
  readonly madeIn: HeldFolder | null;
}

async function made(path: string, ways: Way[]): Promise<HeldFolder> {
  const there = await holdFolder(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && dirname(path) !== path) return null;
    throw error;
  });
  if (there) {
    ways.push({ folder: there, madeIn: null });
    return there;
  }
  const above = await made(dirname(path), ways);
  const name = basename(path);
  const isMade = await mkdir(above.at(name)).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      // As in /proc.
      if (error.code === 'ENOENT')
        throw new UserError('cannotWrite', `No folder can be made in ${above.path}; choose another place.`);
      if (error.code === 'EEXIST') return false; // somebody else was faster
      throw error;
    },
  );
  const folder = await holdChild(above, name).catch((error) => {
    throw Object.assign(error, { code: 'EEXIST' }); // a link to nothing
  });
  ways.push({ folder, madeIn: isMade ? above : null });
  return folder;
}

/** Removes what was made and is empty, the innermost first; the name of what stays is brought to the disk. */
async function leave(ways: readonly Way[]): Promise<void> {
  try {
    for (const { folder, madeIn } of [...ways].reverse()) {
      if (!madeIn) continue;
      const isGone = await rmdir(madeIn.at(basename(folder.path))).then(
        () => true,
        () => false, // not empty: somebody uses it
      );
      if (!isGone) await syncFolder(madeIn);
    }
  } finally {
    for (const { folder } of ways) await folder.close();
  }
}
