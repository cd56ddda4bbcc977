// A file that appears complete or not at all, also after a loss of power. What is no file but a device or a pipe is written to and stays what it is.
import { access, constants, type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, resolve } from 'node:path';
import { isUserError, UserError } from '../errors';
import { type HeldFolder, isAllowed, outsideRoots, withParent } from '../files/contained';
import { refuseFullDisk } from '../files/diskSpace';
import { forgetStage, removeAbandoned, stageName } from '../files/stages';
import { syncFolder } from '../files/sync';
import { nullIfMissing, refusalOf } from '../shared/systemErrors';

/** Writes `text` beside its place and renames it. Throws UserError('cannotWrite') and leaves what was there before. */
export const writeStagedFile = (path: string, text: string): Promise<void> =>
  writeStaged(path, (file) => file.writeFile(text));

/**
 * The same for what `write` writes into the new file that it is given. A link is followed: what it leads to is replaced.
 * @param neededBytes refused at first where the disk has less
 */
export async function writeStaged(
  path: string,
  write: (file: FileHandle) => Promise<void>,
  neededBytes = 0,
): Promise<void> {
  const { kind, target } = await placeOf(path);
  if (kind === 'file') {
    await withParent(target, (parent) => writeStagedIn(parent, basename(target), write, neededBytes)).catch((error) => {
      throw cannotWrite(target, error);
    });
    return;
  }
  try {
    await closing(await open(target, 'a'), write);
  } catch (error) {
    throw cannotWrite(target, error);
  }
}

/** The same in a folder that is held. A link of that name is replaced, and not followed. */
export async function writeStagedIn(
  folder: HeldFolder,
  name: string,
  write: (file: FileHandle) => Promise<void>,
  neededBytes = 0,
): Promise<void> {
  const ownName = stageName(name);
  const stage = folder.at(ownName);
  try {
    await removeAbandoned(folder, name);
    if (neededBytes > 0) await refuseFullDisk(`${folder.path}/${name}`, folder.at('.'), neededBytes);
    await closing(await create(stage), async (file) => {
      await write(file);
      await file.sync();
    });
    await rename(stage, folder.at(name));
    await syncFolder(folder);
  } catch (error) {
    await rm(stage, { force: true }).catch(() => {});
    throw cannotWrite(`${folder.path}/${name}`, error);
  } finally {
    forgetStage(ownName);
  }
}

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW = 0 } = constants;
const create = (stage: string): Promise<FileHandle> => open(stage, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o666);

async function closing(file: FileHandle, write: (file: FileHandle) => Promise<void>): Promise<void> {
  try {
    await write(file);
  } finally {
    await file.close();
  }
}

/**
 * Refuses a place that takes no file, before long work whose result would have no place.
 * @param made a folder that the work will make; what is to lie directly in it is taken on trust
 */
export async function checkStagedFile(path: string, made?: string): Promise<void> {
  const { kind, target } = await placeOf(path);
  if (made !== undefined && dirname(target) === resolve(made)) return;
  try {
    // Opening a pipe would wake whoever reads it.
    if (kind === 'stream') return await access(target, constants.W_OK);
    if ((await stat(target).catch(nullIfMissing))?.isDirectory()) throw new Error('it is a folder');
    await withParent(target, async (parent) => {
      const stage = stageName(basename(target));
      await (await create(parent.at(stage))).close();
      await rm(parent.at(stage));
      forgetStage(stage);
    });
  } catch (error) {
    throw cannotWrite(target, error);
  }
}

interface Place {
  readonly kind: 'file' | 'stream';
  readonly target: string;
}

/** Names of what a process has open already; what a shell has led into a file is that file, and must not be replaced. */
const openedNames = /^\/(dev\/(stdout|stderr|fd\/\d+)|proc\/self\/fd\/\d+)$/;

async function placeOf(path: string): Promise<Place> {
  const given = resolve(path);
  const stats = await stat(given).catch(nullIfMissing);
  const isStream = openedNames.test(given) || (stats !== null && !stats.isFile() && !stats.isDirectory());
  if (isStream && !isAllowed(given)) throw outsideRoots(path);
  if (isStream) return { kind: 'stream', target: given };
  return { kind: 'file', target: stats ? await realpath(given) : given };
}

function cannotWrite(target: string, error: unknown): UserError {
  if (isUserError(error)) return error;
  const refusal = refusalOf(error);
  const reason = refusal ? `${refusal.code}: ${refusal.why}` : error instanceof Error ? error.message : String(error);
  return new UserError(
    'cannotWrite',
    `${target} cannot be written (${reason}); ${refusal?.remedy ?? 'choose another place'}.`,
  );
}
