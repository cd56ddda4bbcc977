// An output folder appears complete or not at all: it is written beside its place under a hidden name, brought safely
// to the disk, then renamed. Whatever goes wrong, no half-written folder stays under a name that someone might use.
import { readFileSync } from 'node:fs';
import { mkdir, open, readdir, realpath, rename, rm, rmdir, stat, statfs } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { UserError } from '../errors';
import { isFolder } from './folder';

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
  const { target, parent, firstMade } = await prepareParent(resolve(out));
  const stage = join(parent, `${stagePrefix(target)}${process.pid}`);
  if (stagesInUse.has(stage))
    throw new UserError('cannotWrite', `Another run is writing ${target}; wait for it or choose another folder.`);
  stagesInUse.add(stage);
  try {
    await refuseTaken(target);
    await refuseInsideSources(target, sources);
    await removeStaleStages(parent, stagePrefix(target));
    await refuseFullDisk(target, parent, neededBytes);
    await mkdir(stage);
    const result = await work(stage);
    await syncTree(stage);
    // Windows does not rename onto an empty folder.
    await rmdir(target).catch(ignoreMissing);
    await rename(stage, target);
    await syncFolder(parent);
    return result;
  } catch (error) {
    await rm(stage, { recursive: true, force: true }).catch(() => {});
    await removeEmptyParents(parent, firstMade);
    throw asCannotWrite(error, target);
  } finally {
    stagesInUse.delete(stage);
  }
}

/** Refuses a taken or impossible output early, before long work whose result would have no place. */
export async function checkOutput(out: string, sources: readonly string[]): Promise<void> {
  const { target, parent, firstMade } = await prepareParent(resolve(out));
  try {
    await refuseTaken(target);
    await refuseInsideSources(target, sources);
  } finally {
    await removeEmptyParents(parent, firstMade);
  }
}

/** Removes what processes that are no more have left of `out`. */
export async function removeAbandonedStages(out: string): Promise<void> {
  const target = resolve(out);
  await removeStaleStages(dirname(target), stagePrefix(target)).catch(() => {});
}

/** Removes what they have left of all that was to lie directly in `folder`. */
export const removeAbandonedIn = (folder: string): Promise<void> => removeStaleStages(folder, '.');

/** Stages of this process; a stage with our number that is not here was left by a dead process with the same number. */
const stagesInUse = new Set<string>();

const stagePrefix = (target: string) => `.${basename(target)}.partial-`;

/** The output's place with all links resolved; missing parents are made, and the first of them is remembered. */
async function prepareParent(out: string) {
  try {
    const firstMade = await makeFolders(dirname(out));
    const target = await realpath(out).catch(async () => join(await realpath(dirname(out)), basename(out)));
    return { target, parent: dirname(target), firstMade };
  } catch (error) {
    throw asCannotWrite(error, out);
  }
}

/**
 * Makes a folder and those above it; gives back the uppermost one that was not there. Node's own recursive mkdir never
 * ends where the file system takes no folder and says ENOENT, as /proc does.
 */
async function makeFolders(folder: string): Promise<string | undefined> {
  if (await isFolder(folder)) return undefined;
  const above = dirname(folder) === folder ? undefined : await makeFolders(dirname(folder));
  await mkdir(folder).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT')
      throw new UserError('cannotWrite', `No folder can be made in ${dirname(folder)}; choose another place.`);
    if (!(await isFolder(folder))) throw error; // otherwise somebody else was faster
  });
  return above ?? folder;
}

async function refuseTaken(target: string) {
  const stats = await stat(target).catch(ignoreMissing);
  if (!stats) return;
  if (!stats.isDirectory())
    throw new UserError('cannotWrite', `${target} is a file; choose another folder or delete it.`);
  const [first] = await readdir(target);
  if (first !== undefined)
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

async function removeStaleStages(parent: string, prefix: string) {
  for (const name of await readdir(parent)) {
    const pid = /^\..+\.partial-(\d+)$/.exec(name)?.[1];
    if (pid === undefined || !name.startsWith(prefix)) continue;
    if (Number(pid) === process.pid || !isAlive(Number(pid)))
      await rm(join(parent, name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    // Signal 0 asks only whether the process is there.
    process.kill(pid, 0);
    return !isZombie(pid);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** Dead, but not asked yet how it ended: in a container that may stay so for ever. */
function isZombie(pid: number): boolean {
  try {
    return /^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // not Linux, or gone meanwhile
  }
}

async function refuseFullDisk(target: string, parent: string, neededBytes: number) {
  const { bavail, bsize } = await statfs(parent);
  const freeBytes = bavail * bsize;
  if (neededBytes <= freeBytes) return;
  throw new UserError(
    'cannotWrite',
    `Writing ${target} needs ${megabytes(neededBytes)} MB, but its disk has ${megabytes(freeBytes)} MB free; free some space or choose another folder.`,
  );
}

const megabytes = (nBytes: number) => (nBytes / 1e6).toFixed(1);

/** Brings every file and folder to the disk, so that the rename cannot be there before what it names. */
async function syncTree(folder: string) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    await (entry.isDirectory() ? syncTree(path) : sync(path, 'r+'));
  }
  await syncFolder(folder);
}

async function sync(path: string, flags: string) {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Windows cannot open folders; there the rename is durable enough by itself. */
const syncFolder = (folder: string) => (process.platform === 'win32' ? Promise.resolve() : sync(folder, 'r'));

async function removeEmptyParents(parent: string, firstMade: string | undefined) {
  if (firstMade === undefined) return;
  const top = await realpath(firstMade).catch(() => null);
  for (
    let folder = parent;
    top !== null && (folder === top || folder.startsWith(top + sep));
    folder = dirname(folder)
  ) {
    // Not empty any more: somebody else uses it.
    if (
      !(await rmdir(folder).then(
        () => true,
        () => false,
      ))
    )
      return;
  }
}

function ignoreMissing(error: NodeJS.ErrnoException): undefined {
  if (error.code !== 'ENOENT') throw error;
}

/** What the file system refuses, as a sentence; anything else stays what it is. */
function asCannotWrite(error: unknown, target: string): unknown {
  const code = (error as NodeJS.ErrnoException).code;
  if (error instanceof UserError || code === undefined || !Object.hasOwn(reasons, code)) return error;
  return new UserError('cannotWrite', `Cannot write ${target}: ${reasons[code]}.`);
}

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full; free some space or choose another folder',
  EDQUOT: 'your disk quota is used up; free some space or choose another folder',
  EFBIG: 'the file system does not take files of that size; choose smaller shards or another folder',
  EACCES: 'you have no permission there; choose another folder',
  EPERM: 'you have no permission there; choose another folder',
  EROFS: 'the file system is read-only; choose another folder',
  ENOTDIR: 'a part of that path is a file; choose another folder',
  EEXIST: 'a part of that path is a file; choose another folder',
  ENOTEMPTY: 'something was put there meanwhile; choose another folder',
  ENAMETOOLONG: 'the name is too long; choose another folder',
  ENOENT: 'a folder on the way vanished; was something deleted meanwhile?',
  ELOOP: 'the links on that path go in circles; choose another folder',
  EIO: 'the disk reports an error; choose another disk',
};
