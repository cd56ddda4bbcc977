// A file that appears complete or not at all. What is no file but a device or a pipe is written to and stays what it is.
import { access, constants, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { UserError } from '../errors';

/** Writes `text` beside its place and renames it. Throws UserError('cannotWrite') and leaves what was there before. */
export const writeStagedFile = (path: string, text: string): Promise<void> =>
  writeStaged(path, (stage) => writeFile(stage, text, { flag: 'a' }));

/**
 * The same for what `write` writes at the path that it is given, where there is no file yet. A link is followed: what it leads
 * to is replaced.
 */
export async function writeStaged(path: string, write: (stage: string) => Promise<void>): Promise<void> {
  const place = await placeOf(path);
  if (place.kind === 'stream') {
    await write(place.target).catch((error) => {
      throw cannotWrite(place.target, error);
    });
    return;
  }
  const { target, stage } = place;
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
  const place = await placeOf(path);
  const { target } = place;
  if (made !== undefined && dirname(target) === resolve(made)) return;
  try {
    // Opening a pipe would wake whoever reads it.
    if (place.kind === 'stream') return await access(target, constants.W_OK);
    if ((await stat(target).catch(() => null))?.isDirectory()) throw new Error('it is a folder');
    await (await open(place.stage, 'w')).close();
  } catch (error) {
    throw cannotWrite(target, error);
  } finally {
    if (place.kind === 'file') await rm(place.stage, { force: true }).catch(() => {});
  }
}

type Place =
  | { readonly kind: 'file'; readonly target: string; readonly stage: string }
  | { readonly kind: 'stream'; readonly target: string };

/** Names of what a process has open already; what a shell has led into a file is that file, and must not be replaced. */
const openedNames = /^\/(dev\/(stdout|stderr|fd\/\d+)|proc\/self\/fd\/\d+)$/;

async function placeOf(path: string): Promise<Place> {
  const given = resolve(path);
  const stats = await stat(given).catch(() => null);
  const isStream = openedNames.test(given) || (stats !== null && !stats.isFile() && !stats.isDirectory());
  if (isStream) return { kind: 'stream', target: given };
  const target = stats ? await realpath(given) : given;
  return { kind: 'file', target, stage: join(dirname(target), `.${basename(target)}.partial-${process.pid}`) };
}

function cannotWrite(target: string, error: unknown): UserError {
  const reason = error instanceof Error ? error.message.split(',')[0] : String(error);
  return new UserError('cannotWrite', `${target} cannot be written (${reason}); choose another place.`);
}
