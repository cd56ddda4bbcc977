// The folder that a server keeps everything in: made for its owner alone, or refused in a sentence.
import { accessSync, chmodSync, constants, mkdirSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isUserError, UserError } from '../errors';

/** @throws UserError `cannotWrite` for a place that is no folder, or belongs to others. */
export function makeDataFolder(dataFolder: string): void {
  try {
    makeFolders(dataFolder);
    accessSync(dataFolder, constants.W_OK | constants.X_OK);
    if (process.platform !== 'win32') closeToOthers(dataFolder);
    makeFolders(join(dataFolder, 'runs'));
  } catch (error) {
    throw cannotServe(dataFolder, error);
  }
}

/** What the file system says of the folder, as a sentence. */
export function cannotServe(dataFolder: string, error: unknown): UserError {
  if (isUserError(error)) return error;
  const { code = String(error) } = error as NodeJS.ErrnoException;
  return refusal(dataFolder, reasons[code] ?? code);
}

const refusal = (dataFolder: string, why: string) =>
  new UserError(
    'cannotWrite',
    `${dataFolder.slice(0, 300)} cannot hold runs (${why}); give another folder with --data.`,
  );

/** One by one: Node's own recursive mkdir never ends where a file system takes none and says ENOENT, as /proc does. */
function makeFolders(folder: string): void {
  const stats = statSync(folder, { throwIfNoEntry: false });
  if (stats?.isDirectory()) return;
  if (stats) throw Object.assign(new Error('it is no folder'), { code: 'ENOTDIR' });
  if (dirname(folder) !== folder) makeFolders(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw error;
  }
}

/** A folder of other things, such as /tmp, is not taken from those who use it. */
function closeToOthers(folder: string): void {
  const { mode, uid } = statSync(folder);
  if (uid !== process.getuid!()) throw refusal(folder, 'it belongs to another user');
  if ((mode & 0o077) === 0) return;
  const other = readdirSync(folder).find((name) => !isOurs(name));
  if (other !== undefined) throw refusal(folder, `others may read it, and it holds ${other}`);
  chmodSync(folder, 0o700);
}

const isOurs = (name: string): boolean =>
  ['runs', 'trash', 'servers', 'server.log'].includes(name) || /^(server|speed)\.json(\.|$)/.test(name);

const reasons: Readonly<Record<string, string>> = {
  ENOTDIR: 'it, or a part of its path, is a file',
  ENOENT: 'no folder can be made there',
  EACCES: 'you may not write there',
  EPERM: 'you may not write there',
  EROFS: 'its file system is read-only',
  ENOSPC: 'the disk is full',
  EDQUOT: 'your disk quota is used up',
  ENAMETOOLONG: 'its name is too long',
  ELOOP: 'its links go in circles',
  EEXIST: 'a link there leads nowhere, or a file has the name of a folder in it',
  EISDIR: 'a folder in it has the name of a file',
};
