// What is to outlast a loss of power. A file's content is there once the file is synced; the name of a file or folder that was
// made, renamed or removed is so once the folder that holds it is synced, and until then it may be there or not.
import { closeSync, fsyncSync, openSync } from 'node:fs';
import { mkdir, open } from 'node:fs/promises';
import { cannotWrite, systemCode } from '../shared/systemErrors';
import type { HeldFolder } from './contained';

/** Windows opens no folders, and keeps the order of names by itself. */
const opensFolders = process.platform !== 'win32';

/** Folders that may be written to and not opened, and network disks that sync no folders. */
const unsyncable = ['EACCES', 'EPERM', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/** Brings the names in a folder to the disk. @throws UserError `cannotWrite` */
export async function syncFolder(folder: HeldFolder): Promise<void> {
  if (!opensFolders) return;
  try {
    await syncAt(folder.at('.'), 'r');
  } catch (error) {
    if (!isUnsyncable(error)) throw cannotWrite(error, folder.path);
  }
}

/** The same at once. @throws what the system says, with the path */
export function syncFolderSync(folder: string): void {
  if (!opensFolders) return;
  try {
    const handle = openSync(folder, 'r');
    try {
      fsyncSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    if (!isUnsyncable(error)) throw Object.assign(error as Error, { path: folder });
  }
}

/** Brings the content of a file to the disk. Throws what the system says. */
export async function syncAt(path: string, flags: string | number): Promise<void> {
  const handle = await open(path, flags);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Makes a folder in a held one that stays after a loss of power, unless it is there. */
export async function makeFolder(parent: HeldFolder, name: string): Promise<void> {
  await mkdir(parent.at(name)).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  await syncFolder(parent);
}

const isUnsyncable = (error: unknown): boolean => unsyncable.includes(systemCode(error) ?? '');
