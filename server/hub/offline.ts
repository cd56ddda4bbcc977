// A model that was pulled before, found in the cache without a network.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { readIndex } from '../checkpoint/shards';
import { isUserError, UserError } from '../errors';
import type { NamedRepository } from '../shared/repositoryName';
import { nullIfMissing } from '../shared/systemErrors';
import { cachedCommit, type CachedRepository, snapshotFolder } from './cacheFolder';
import { neededFiles } from './neededFiles';

export interface PulledModel {
  readonly commit: string;
  /** The snapshot: a model folder. */
  readonly folder: string;
  readonly files: readonly PulledFile[];
  readonly fetchedBytes: number;
}

export interface PulledFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** @throws UserError `notFound` where it is not there, or not whole */
export async function cachedModel(
  place: CachedRepository,
  { repository, revision }: NamedRepository,
): Promise<PulledModel> {
  const commit = await cachedCommit(place, revision);
  const folder = commit && snapshotFolder(place, commit);
  const files = folder && (await wholeModel(repository, folder));
  if (commit && folder && files) return { commit, folder, files, fetchedBytes: 0 };
  throw new UserError(
    'notFound',
    `HF_HUB_OFFLINE is set, and ${repository}@${revision} is not whole in ${place.cache}; unset it, or pull where there is a network.`,
  );
}

/** null: a part of it is missing. */
async function wholeModel(repository: string, folder: string): Promise<PulledFile[] | null> {
  const names = await readdir(folder, { recursive: true }).catch(nullIfMissing);
  if (!names?.some((name) => name.endsWith('config.json'))) return null;
  try {
    const { files, index } = neededFiles(
      repository,
      names.map((name) => name.split(sep).join('/')),
    );
    const shards = index === null ? [] : readIndex(index, await readFile(join(folder, index), 'utf8'));
    const found: PulledFile[] = [];
    for (const path of [...files, ...shards]) {
      const stats = await stat(join(folder, path)).catch(nullIfMissing);
      if (!stats?.isFile()) return null;
      found.push({ path, sizeBytes: stats.size });
    }
    return found;
  } catch (error) {
    if (isUserError(error) && error.code !== 'cannotRead') return null;
    throw error;
  }
}
