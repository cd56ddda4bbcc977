// An output folder appears complete or not at all: it is written beside its place under a hidden name, brought safely
// to the disk, then renamed. Whatever goes wrong, no half-written folder stays under a name that someone might use.
import { lstat, mkdir, readdir, realpath, rename, rmdir } from 'node:fs/promises';
import { relative, resolve, sep } from 'node:path';
import { isUserError, UserError } from '../errors';
import { type HeldFolder, holdChild, holdFolder } from '../files/contained';
import { refuseFullDisk } from '../files/diskSpace';
import { type OutputPlace, withOutputPlace } from '../files/outputPlace';
import { isLockInside, removeVoidLocks, withOwner } from '../files/owner';
import { removeIn } from '../files/remove';
import { forgetStage, removeStages, stageName } from '../files/stages';
import { syncAt, syncFolder } from '../files/sync';
import { cannotWrite } from '../shared/systemErrors';

export interface StagingOptions {
  /** Folders that are read meanwhile; the output may not be one of them or lie inside. */
  readonly sources?: readonly string[];
  /** Bytes that will be written, to be refused early where they do not fit. */
  readonly neededBytes?: number;
}

/**
 * Makes the folder `out` from what `work` writes into the folder that it is given.
 * @returns what `work` returned
 * @throws UserError `cannotWrite` if `out` is taken, lies inside a source, or the disk is full or refuses;
 *   any other error of `work` as it is. In every case nothing is left behind.
 */
export async function withStagedFolder<Result>(
  out: string,
  work: (stage: string) => Promise<Result>,
  { sources = [], neededBytes = 0 }: StagingOptions = {},
): Promise<Result> {
  const inPlace = async (place: OutputPlace) => {
    const { target, name, parent } = place;
    await refuseTaken(place);
    await refuseInsideSources(target, sources);
    await removeStages(parent, name);
    await refuseFullDisk(target, parent.at('.'), neededBytes);
    return staged(place, work);
  };
  try {
    return await withOwner(out, 'write a folder', () => withOutputPlace(out, inPlace));
  } catch (error) {
    throw cannotWrite(error, resolve(out));
  }
}

/** Names are looked up in the folders themselves: whatever they are called meanwhile, nothing is written elsewhere. */
async function staged<Result>(
  { target, name, parent }: OutputPlace,
  work: (stage: string) => Promise<Result>,
): Promise<Result> {
  const stage = stageName(name);
  await mkdir(parent.at(stage));
  try {
    const folder = await holdChild(parent, stage);
    try {
      const place = folder.at('.');
      const result = await work(place).catch((error) => {
        throw named(error, place, target);
      });
      await syncTree(folder);
      if (!(await folder.isInPlace())) throw movedMeanwhile(target);
      // Windows does not rename onto an empty folder.
      await rmdir(parent.at(name)).catch(ignoreMissing);
      await rename(parent.at(stage), parent.at(name));
      await syncFolder(parent);
      return result;
    } finally {
      await folder.close();
    }
  } catch (error) {
    await removeIn(parent, stage).catch(() => {});
    throw error;
  } finally {
    forgetStage(stage);
  }
}

/** A sentence says where the output is to lie, and not by which way it is written. */
function named(error: unknown, place: string, target: string): unknown {
  if (!isUserError(error) || !error.message.includes(place)) return error;
  // No digit behind it: the number of another held folder may begin alike.
  const ofPlace = new RegExp(`${place.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}(?!\\d)`, 'g');
  return new UserError(
    error.code,
    error.message.replace(ofPlace, () => target),
  );
}

const movedMeanwhile = (target: string) =>
  new UserError(
    'cannotWrite',
    `A folder on the way to ${target} was moved or replaced while it was being written, so that nothing is kept; begin again.`,
  );

/** Refuses a taken or impossible output early, before long work whose result would have no place. */
export async function checkOutput(out: string, sources: readonly string[]): Promise<void> {
  try {
    await withOutputPlace(out, async (place) => {
      await refuseTaken(place);
      await refuseInsideSources(place.target, sources);
    });
  } catch (error) {
    throw cannotWrite(error, resolve(out));
  }
}

/** Removes what processes that are no more have left of `out`. */
export const removeAbandonedStages = (out: string): Promise<void> =>
  withOwner(out, 'tidy up', () => withOutputPlace(out, ({ name, parent }) => removeStages(parent, name))).catch(
    () => {}, // another process works there, and does it itself
  );

/** Removes what they have left of all that was to lie directly in `folder`, whose owner calls this. */
export async function removeAbandonedIn(folder: string): Promise<void> {
  const held = await holdFolder(folder);
  try {
    await removeStages(held, null);
    await removeVoidLocks(held);
  } catch (error) {
    throw cannotWrite(error, folder); // where it lies, and not by which way it was held
  } finally {
    await held.close();
  }
}

async function refuseTaken({ target, name, parent }: OutputPlace) {
  const stats = await lstat(parent.at(name)).catch(ignoreMissing);
  if (!stats) return;
  if (!stats.isDirectory())
    throw new UserError('cannotWrite', `${target} is a file; choose another folder or delete it.`);
  const names = await readdir(parent.at(name));
  if (names.some((entry) => !isLockInside(entry)))
    throw new UserError('cannotWrite', `${target} exists and is not empty; choose another folder or delete it.`);
}

async function refuseInsideSources(target: string, sources: readonly string[]) {
  for (const source of sources) {
    const path = relative(await realpath(source), target);
    if (path === '' || !(path === '..' || path.startsWith(`..${sep}`) || resolve(path) === path)) {
      throw new UserError(
        'cannotWrite',
        `${target} lies inside ${source}, which is being read; choose a folder outside of it.`,
      );
    }
  }
}

/** Brings every file and folder to the disk, so that the rename cannot be there before what it names. */
async function syncTree(folder: HeldFolder) {
  for (const entry of await readdir(folder.at('.'), { withFileTypes: true })) {
    if (!entry.isDirectory()) {
      await syncAt(folder.at(entry.name), 'r+');
      continue;
    }
    const below = await holdChild(folder, entry.name);
    await syncTree(below).finally(() => below.close());
  }
  await syncFolder(folder);
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}
