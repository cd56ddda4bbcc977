// Files are opened where they are to lie, and nowhere else. A path is resolved, what it leads to is opened without following a
// link, and what was opened is compared with that, since names may lead elsewhere from one moment to the next. A folder that is
// held stays the same one: on Linux names in it are looked up from the folder itself, as by openat.
import { AsyncLocalStorage } from 'node:async_hooks';
import { constants } from 'node:fs';
import { type FileHandle, lstat, open, readlink, realpath } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';
import { UserError } from '../errors';
import { cannotRead } from '../shared/systemErrors';
import { isHubBlob } from './hubBlob';
import { refuseDeep, refuseLarge } from './limits';

/** Where files may lie. */
export interface Content {
  /** With all links resolved. */
  readonly folders: readonly string[];
  /** Or among the blobs of this user's hub cache. */
  readonly mayBeBlobs: boolean;
}

interface Bounds {
  readonly content: Content;
  readonly refusal: (path: string) => UserError;
}

/** Of each call of `confined` and `withinContent` that we are in. */
const confinement = new AsyncLocalStorage<readonly Bounds[]>();
const within = <T>(bounds: Bounds, body: () => T): T =>
  confinement.run([...(confinement.getStore() ?? []), bounds], body);

/**
 * Whatever `body` opens by this file lies below one of these folders, and within the bounds of each call around this one.
 * @param folders with all links resolved; null: no further bounds
 */
export const confined = <T>(folders: readonly string[] | null, body: () => T): T =>
  folders === null ? body() : within({ content: { folders, mayBeBlobs: false }, refusal: outsideRoots }, body);

/** The same for what a folder of ours holds: nothing in it leads out of it. */
export const withinContent = async <T>(folder: string, body: () => Promise<T>): Promise<T> =>
  within({ content: { ...(await contentOf(folder)), mayBeBlobs: false }, refusal: leadsOut }, body);

/** The same for one that may have been fetched from the hub: see `contentOf`. */
export const withinDownload = async <T>(folder: string, body: () => Promise<T>): Promise<T> =>
  within({ content: await contentOf(folder), refusal: leadsOut }, body);

export const liesIn = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);

export const outsideRoots = (path: string): UserError =>
  new UserError(
    'outsideRoots',
    `${path} lies outside the folders that are open here; open its folder, or add it to Espalier's model folders.`,
  );

const leadsOut = (path: string): UserError =>
  new UserError(
    'outsideRoots',
    `${path} is a link out of its folder, and is not followed; put what it leads to there.`,
  );

/**
 * What lies in a folder has to lie there: links may lead within it, and those of a snapshot on the hub to the blobs beside it. In a
 * folder that Hugging Face's tools filled before their version 0.23 (`--local-dir`) large files are links to blobs of the cache.
 */
export async function contentOf(folder: string): Promise<Content> {
  const home = await realpath(folder);
  const repository = /^(.*[/\\](?:models|datasets|spaces)--[^/\\]+)[/\\]snapshots(?:[/\\]|$)/.exec(home)?.[1];
  return repository === undefined
    ? { folders: [home], mayBeBlobs: true }
    : { folders: [home, join(repository, 'blobs')], mayBeBlobs: false };
}

const holds = ({ folders, mayBeBlobs }: Content, real: string): boolean =>
  folders.some((folder) => liesIn(real, folder)) || (mayBeBlobs && isHubBlob(real));

/**
 * Where a name in a folder leads to, with all links resolved.
 * @throws UserError `outsideRoots` for a link out of it; whatever the file system says.
 */
export async function resolveInside(folder: string, name: string): Promise<string> {
  const path = join(folder, name);
  const real = await realpath(path);
  refuseOutside(path, real, await contentOf(folder));
  return real;
}

/** Whether a path without links may be opened here. */
export const isAllowed = (real: string): boolean => brokenBounds(real) === null;

function brokenBounds(real: string): Bounds | null {
  return (confinement.getStore() ?? []).find(({ content }) => !holds(content, real)) ?? null;
}

/** @throws UserError `outsideRoots` for what leads elsewhere; whatever the file system says. */
export const refuseElsewhere = async (path: string): Promise<void> => refuseOutside(path, await realpath(path), null);

/** @throws UserError `outsideRoots` for what may not be opened here. */
function refuseOutside(path: string, real: string, within: Content | null): void {
  if (within && !holds(within, real)) throw leadsOut(path);
  const broken = brokenBounds(real);
  if (broken) throw broken.refusal(path);
}

const { O_RDONLY, O_NOFOLLOW = 0, O_NONBLOCK = 0, O_DIRECTORY = 0 } = constants;
/** Looks nothing up but names: what is read and written is opened on its own. Node does not name it. */
const O_PATH = process.platform === 'linux' ? 0o10000000 : 0;

/** How often something may be replaced while it is opened, as files are that are written anew. */
const mostTries = 5;

/**
 * Opens a file for reading, wherever it is.
 * @param within null: wherever the surrounding call of `confined` allows it
 * @throws UserError `outsideRoots`; whatever the file system says; EISDIR for what is no file.
 */
export async function openToRead(path: string, within: Content | null = null): Promise<FileHandle> {
  const { handle } = await opened(path, within, O_RDONLY | O_NONBLOCK);
  try {
    if ((await handle.stat()).isFile()) return handle;
  } catch (error) {
    await handle.close();
    throw cannotRead(error, path);
  }
  await handle.close();
  throw Object.assign(new Error(`${path} is not a file`), { code: 'EISDIR' });
}

/** Opens what a folder holds under a name. @throws as openToRead */
export const openInside = async (folder: string, name: string): Promise<FileHandle> =>
  openToRead(join(folder, name), await contentOf(folder));

/**
 * Reads a file that a folder holds, as large and as deep as limits.ts allows by its name.
 * @throws as openToRead; UserError `overLimit`
 */
export async function readInside(folder: string, name: string): Promise<Buffer> {
  const handle = await openInside(folder, name);
  try {
    const path = join(folder, name);
    refuseLarge(path, basename(name), (await handle.stat()).size);
    const bytes = await handle.readFile();
    if (name.endsWith('.json')) refuseDeep(path, bytes);
    return bytes;
  } catch (error) {
    throw cannotRead(error, join(folder, name));
  } finally {
    await handle.close();
  }
}

export const readTextInside = async (folder: string, name: string): Promise<string> =>
  (await readInside(folder, name)).toString('utf8');

async function opened(
  path: string,
  within: Content | null,
  flags: number,
): Promise<{ handle: FileHandle; real: string }> {
  for (let tries = 1; ; tries++) {
    const real = await realpath(path);
    refuseOutside(path, real, within);
    try {
      const handle = await open(real, flags | O_NOFOLLOW);
      if (await isAt(handle, path, real)) return { handle, real };
      await handle.close();
    } catch (error) {
      if (tries === mostTries) throw error;
    }
    if (tries === mostTries)
      throw new UserError('outsideRoots', `${path} leads elsewhere at every moment; is something else working there?`);
  }
}

/** Whether what was opened is what that path is, with no link in it. */
async function isAt(handle: FileHandle, path: string, real: string): Promise<boolean> {
  // The system's own word for where it lies, so that no moment between two questions counts.
  const there = O_PATH === 0 ? null : await readlink(`/proc/self/fd/${handle.fd}`).catch(() => null);
  if (there !== null) return there === real;
  const [mine, named] = await Promise.all([handle.stat({ bigint: true }), lstat(real, { bigint: true })]);
  return mine.dev === named.dev && mine.ino === named.ino && (await realpath(path)) === real;
}

/** A folder that is held open. */
export interface HeldFolder {
  /** Where it was when it was opened, with all links resolved: for sentences. */
  readonly path: string;
  /** What the file system is to be given for a name in it. */
  at(name: string): string;
  /** Whether its path still leads to it. */
  isInPlace(): Promise<boolean>;
  close(): Promise<void>;
}

/**
 * Opens a folder to work in it.
 * @throws as openToRead; ENOTDIR for what is no folder
 */
export async function holdFolder(path: string, within: Content | null = null): Promise<HeldFolder> {
  // Windows opens no folders.
  if (O_DIRECTORY === 0) {
    const real = await realpath(path);
    refuseOutside(path, real, within);
    return heldFolder(real, null);
  }
  const { handle, real } = await opened(path, within, O_PATH | O_DIRECTORY);
  return heldFolder(real, handle);
}

/** Opens a folder in a held one. @throws ENOTDIR or ELOOP for what is no folder itself, such as a link to one */
export async function holdChild(parent: HeldFolder, name: string): Promise<HeldFolder> {
  const real = join(parent.path, name);
  if (O_DIRECTORY > 0) return heldFolder(real, await open(parent.at(name), O_PATH | O_DIRECTORY | O_NOFOLLOW));
  if ((await lstat(real)).isDirectory()) return heldFolder(real, null);
  throw Object.assign(new Error(`${real} is not a folder`), { code: 'ENOTDIR' });
}

async function heldFolder(path: string, handle: FileHandle | null): Promise<HeldFolder> {
  const own = handle && `/proc/self/fd/${handle.fd}`;
  const base = own && O_PATH > 0 && (await readlink(own).catch(() => null)) !== null ? own : path;
  return {
    path,
    at: (name) => join(base, name),
    async isInPlace() {
      if (!handle) return true;
      const [mine, there] = await Promise.all([
        handle.stat({ bigint: true }),
        lstat(path, { bigint: true }).catch(() => null),
      ]);
      return there !== null && mine.dev === there.dev && mine.ino === there.ino;
    },
    close: async () => void (await handle?.close()),
  };
}

/** Holds the folder that a path lies in, for the time of `body`. */
export async function withParent<T>(path: string, body: (parent: HeldFolder) => Promise<T>): Promise<T> {
  const parent = await holdFolder(dirname(path));
  try {
    return await body(parent);
  } finally {
    await parent.close();
  }
}
