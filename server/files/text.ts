// Texts of our own folders, read and appended to where they are to lie: see contained.ts.
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { cannotRead } from '../shared/systemErrors';
import { openToRead, withParent } from './contained';
import { syncAt } from './sync';

/** @throws UserError `outsideRoots`; whatever the file system says. */
export const readText = async (path: string): Promise<string> => (await readBytes(path)).toString('utf8');

export async function readBytes(path: string): Promise<Buffer> {
  const file = await openToRead(path);
  try {
    return await file.readFile();
  } catch (error) {
    throw cannotRead(error, path);
  } finally {
    await file.close();
  }
}

const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants;

/** A link of that name is refused, wherever it leads. @throws ELOOP for one; UserError `outsideRoots` */
export const appendText = (path: string, text: string): Promise<void> =>
  withParent(resolve(path), async (parent) => {
    const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
    const file = await open(parent.at(basename(path)), flags, 0o666);
    try {
      await file.appendFile(text);
    } finally {
      await file.close();
    }
  });

/** Brings to the disk what was appended. Throws as `appendText`. */
export const syncText = (path: string): Promise<void> =>
  withParent(resolve(path), (parent) => syncAt(parent.at(basename(path)), O_WRONLY | O_NOFOLLOW | O_NONBLOCK));
