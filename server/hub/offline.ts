// What was pulled before, found in the cache without a network.
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { readIndex } from '../checkpoint/shards';
import { isUserError, UserError } from '../errors';
import { defaultRevision } from '../protocol/repositoryNames';
import type { NamedRepository } from '../shared/repositoryName';
import { nullIfMissing } from '../shared/systemErrors';
import { cachedCommit, type CachedRepository, snapshotFolder } from './cacheFolder';
import { neededFiles, neededOfTasks, type TaskOnHub } from './neededFiles';

export interface PulledFiles {
  readonly commit: string;
  /** The snapshot in the cache. */
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
): Promise<PulledFiles> {
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
  const names = await filesIn(folder);
  if (!names.some((name) => name.endsWith('config.json'))) return null;
  try {
    const { files, index } = neededFiles(repository, names);
    const shards = index === null ? [] : readIndex(index, await readFile(join(folder, index), 'utf8'));
    return await sizesOf(folder, [...files, ...shards]);
  } catch (error) {
    if (isUserError(error) && error.code !== 'cannotRead') return null;
    throw error;
  }
}

/** @throws UserError `notFound` where a split of a task is not there, or not whole */
export async function cachedDataSet(
  place: CachedRepository,
  dataset: string,
  tasks: readonly TaskOnHub[],
): Promise<PulledFiles> {
  const commit = await cachedCommit(place, defaultRevision);
  const folder = commit && snapshotFolder(place, commit);
  const names = folder ? await filesIn(folder) : [];
  const needed = neededOfTasks(tasks, names);
  const files = folder && 'files' in needed ? await sizesOf(folder, needed.files) : null;
  if (commit && folder && files) return { commit, folder, files, fetchedBytes: 0 };
  const { name } = 'lacks' in needed ? needed.lacks : tasks[0]!;
  throw new UserError(
    'notFound',
    `HF_HUB_OFFLINE is set, and the data of ${name} (${dataset}) are not whole in ${place.cache}; unset it, or pull where there is a network.`,
  );
}

/** With `/` between names; none where there is no such folder. */
const filesIn = async (folder: string): Promise<string[]> =>
  ((await readdir(folder, { recursive: true }).catch(nullIfMissing)) ?? []).map((name) => name.split(sep).join('/'));

/** null: one of them is missing. */
async function sizesOf(folder: string, paths: readonly string[]): Promise<PulledFile[] | null> {
  const found: PulledFile[] = [];
  for (const path of paths) {
    const stats = await stat(join(folder, path)).catch(nullIfMissing);
    if (!stats?.isFile()) return null;
    found.push({ path, sizeBytes: stats.size });
  }
  return found;
}
