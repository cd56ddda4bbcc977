// Room on a disk, asked before something large is written.
import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { UserError } from '../errors';
import { nullIfMissing } from '../shared/systemErrors';

/** Bytes that are free on the disk that a folder lies on, or will lie on. */
export async function freeBytesOf(folder: string): Promise<number> {
  const found = await statfs(folder).catch(nullIfMissing);
  if (found) return found.bavail * found.bsize;
  return freeBytesOf(dirname(folder));
}

/**
 * @param target for the sentence
 * @param folder where it will lie
 * @throws UserError `cannotWrite`
 */
export async function refuseFullDisk(target: string, folder: string, neededBytes: number): Promise<void> {
  const freeBytes = await freeBytesOf(folder);
  if (neededBytes <= freeBytes) return;
  throw new UserError(
    'cannotWrite',
    `Writing ${target} needs ${megabytes(neededBytes)} MB, but its disk has ${megabytes(freeBytes)} MB free; free some space or choose another folder.`,
  );
}

const megabytes = (nBytes: number) => (nBytes / 1e6).toFixed(1);
