// Hugging Face's cache as huggingface_hub lays it out: `blobs/` by hash, `snapshots/COMMIT/` with links to them, `refs/REVISION`
// with a commit. Its own tools may work in it at the same time: whatever gets its name is whole by then, and names in the making are
// ours alone. (Their locks are advisory ones of the system, which Node cannot take; since version 2 nothing depends on them.)
import { link, mkdir, readFile, readlink, rm, stat, symlink } from 'node:fs/promises';
import { basename, dirname, join, posix } from 'node:path';
import { writeStagedFile } from '../checkpoint/stagedFile';
import { type HeldFolder, holdFolder, refuseElsewhere } from '../files/contained';
import { removeVoidLocks, withOwner } from '../files/owner';
import { isCommit, type RepositoryKind } from '../protocol/repositoryNames';
import { cacheFolderOf } from '../shared/hubCache';
import { cannotRead, cannotWrite, isMissing, nullIfMissing } from '../shared/systemErrors';
import { hexOf, type HubFile } from './answers';

export interface CachedRepository {
  readonly cache: string;
  readonly folder: string;
}

export const cachedRepository = (cache: string, kind: RepositoryKind, repository: string): CachedRepository => ({
  cache,
  folder: join(cache, cacheFolderOf(kind, repository)),
});

export const snapshotFolder = ({ folder }: CachedRepository, commit: string): string =>
  join(folder, 'snapshots', commit);

/** The commit that the cache knows a revision as; null: none. */
export async function cachedCommit({ folder }: CachedRepository, revision: string): Promise<string | null> {
  if (isCommit(revision)) return revision;
  const text = await readFile(join(folder, 'refs', ...revision.split('/')), 'utf8').catch(nullIfMissing);
  return text !== null && isCommit(text.trim()) ? text.trim() : null;
}

/** Whether a file of that size is there, by whichever tool it was fetched. */
export const isCached = async (snapshot: string, { path, sizeBytes }: HubFile): Promise<boolean> =>
  (await stat(join(snapshot, path)).catch(nullIfMissing))?.size === sizeBytes;

export const hasBlob = async (blobs: HeldFolder, { hash, sizeBytes }: HubFile): Promise<boolean> =>
  (await bytesIn(blobs, hexOf(hash))) === sizeBytes;

/** null: there is no such file. */
export async function bytesIn(blobs: HeldFolder, name: string): Promise<number | null> {
  try {
    return (await stat(blobs.at(name))).size;
  } catch (error) {
    if (isMissing(error)) return null;
    throw cannotRead(error, join(blobs.path, name));
  }
}

/**
 * Works in the blobs of a repository. One process of ours at a time does.
 * @throws UserError `cannotWrite` where another one does, or the cache takes no files; `outsideRoots`
 */
export async function withBlobs<T>(
  { cache, folder }: CachedRepository,
  body: (blobs: HeldFolder) => Promise<T>,
): Promise<T> {
  const path = join(folder, 'blobs');
  // Where huggingface_hub has its locks, which its own tools do not take for a repository.
  const locks = join(cache, '.locks', basename(folder));
  return withOwner(locks, 'pull', async () => {
    for (const each of [locks, path]) await mkdir(each, { recursive: true }).catch(cannotMake(each));
    const blobs = await holdFolder(path);
    try {
      return await body(blobs);
    } finally {
      await blobs.close();
    }
  });
}

/** Removes what the dead have left that the system would not let them remove. */
export async function removeDeadLocks({ cache }: CachedRepository): Promise<void> {
  const locks = await holdFolder(join(cache, '.locks')).catch(() => null);
  if (!locks) return;
  await removeVoidLocks(locks).catch(() => {}); // they are void all the same
  await locks.close();
}

const cannotMake = (path: string) => (error: unknown) => {
  throw cannotWrite(error, path);
};

/** Gives files their names in the snapshot of a commit, in this order, and then the commit to the revision. All blobs are there. */
export async function nameSnapshot(
  repository: CachedRepository,
  files: readonly HubFile[],
  commit: string,
  revision: string,
): Promise<void> {
  for (const file of files) {
    const path = join(snapshotFolder(repository, commit), ...file.path.split('/'));
    try {
      await mkdir(dirname(path), { recursive: true });
      await refuseElsewhere(dirname(path));
      await linkTo(join(repository.folder, 'blobs', hexOf(file.hash)), path, upTo(file));
    } catch (error) {
      throw cannotWrite(error, path);
    }
  }
  if ((await cachedCommit(repository, revision)) === commit) return;
  const ref = join(repository.folder, 'refs', ...revision.split('/'));
  await mkdir(dirname(ref), { recursive: true }).catch(cannotMake(ref));
  await writeStagedFile(ref, commit);
}

/** From a file in a snapshot to the blobs: the cache may be moved as a whole. */
const upTo = ({ path, hash }: HubFile): string =>
  posix.join(
    '../..',
    ...path
      .split('/')
      .map(() => '..')
      .slice(1),
    'blobs',
    hexOf(hash),
  );

/** Systems that give links to administrators alone get a second name for the file. */
async function linkTo(blob: string, path: string, target: string): Promise<void> {
  if ((await readlink(path).catch(() => null)) === target) return;
  await rm(path, { force: true });
  await symlink(target, path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPERM') throw error;
    await link(blob, path);
  });
}
