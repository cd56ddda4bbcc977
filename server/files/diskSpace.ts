// Room on a disk, asked before something large is written.
import { statfs } from 'node:fs/promises';
import { UserError } from '../errors';

/**
 * @param target for the sentence
 * @param folder where it will lie
 * @throws UserError `cannotWrite`
 */
export async function refuseFullDisk(target: string, folder: string, neededBytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(folder);
  const freeBytes = bavail * bsize;
  if (neededBytes <= freeBytes) return;
  throw new UserError(
    'cannotWrite',
    `Writing ${target} needs ${megabytes(neededBytes)} MB, but its disk has ${megabytes(freeBytes)} MB free; free some space or choose another folder.`,
  );
}

const megabytes = (nBytes: number) => (nBytes / 1e6).toFixed(1);
