// A model from the hub into Hugging Face's cache: which of its repository's files it is made of, and those alone.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { indexFile, readIndex } from '../checkpoint/shards';
import { UserError } from '../errors';
import type { NamedRepository } from '../shared/repositoryName';
import { hexOf, type HubFile } from './answers';
import { cachedRepository, isCached, snapshotFolder } from './cacheFolder';
import type { HubSettings } from './hubSettings';
import { neededFiles } from './neededFiles';
import { cachedModel, type PulledFiles } from './offline';
import { type Part, patienceOf, pullBlobs, type PullOptions, pullParts } from './pullFiles';
import { type HubRepository, readRepository } from './repository';

/** @throws UserError `notFound`, `noAccess`, `network`, `badData`, `cannotFit`, `cannotWrite`, `unsupportedModel`, `cancelled` */
export async function pullModel(
  settings: HubSettings,
  named: NamedRepository,
  options: PullOptions,
): Promise<PulledFiles> {
  const place = cachedRepository(settings.cache, 'models', named.repository);
  if (settings.isOffline) return cachedModel(place, named);
  const subject = { kind: 'models', ...named } as const;
  const repository = await readRepository(settings, subject, patienceOf(options, false));
  const { commit } = repository;
  const { files: paths, index } = neededFiles(
    named.repository,
    repository.files.map(({ path }) => path),
  );
  const files = paths.map((path) => listed(named, repository, path));
  const part: Part = { subject, place, commit, files };
  const { shards, fetchedBytes: before } =
    index === null ? { shards: [], fetchedBytes: 0 } : await shardsOf(settings, part, index, options);
  const all = [...files, ...shards.map((path) => listed(named, repository, path))];
  const fetchedBytes = before + (await pullParts(settings, [{ ...part, files: configLast(all) }], options));
  return { commit, folder: snapshotFolder(place, commit), files: all, fetchedBytes };
}

/** The index is fetched where it is not there. */
async function shardsOf(
  settings: HubSettings,
  part: Part,
  index: string,
  options: PullOptions,
): Promise<{ shards: string[]; fetchedBytes: number }> {
  const { place, commit } = part;
  const file = part.files.find(({ path }) => path === index)!;
  const folder = snapshotFolder(place, commit);
  const isThere = await isCached(folder, file);
  const fetchedBytes = isThere ? 0 : await pullBlobs(settings, { ...part, files: [file] }, options);
  const path = isThere ? join(folder, index) : join(place.folder, 'blobs', hexOf(file.hash));
  return { shards: readIndex(index, await readFile(path, 'utf8')), fetchedBytes };
}

function listed(named: NamedRepository, { files }: HubRepository, path: string): HubFile {
  const found = files.find((file) => file.path === path);
  if (found) return found;
  throw new UserError(
    'unsupportedModel',
    `${named.repository} has no ${path}, though its ${indexFile} names it; choose another revision.`,
  );
}

/** A folder with it looks like a model. */
const configLast = (files: readonly HubFile[]): HubFile[] => {
  const isConfig = ({ path }: HubFile) => path === 'config.json';
  return [...files.filter((file) => !isConfig(file)), ...files.filter(isConfig)];
};
