// A model from the hub into Hugging Face's cache, so that Espalier and Python's tools find it there. Blobs come first, side by side,
// and only when all are there do they get the names by which a model is found: it appears complete or not at all.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { indexFile, readIndex } from '../checkpoint/shards';
import { pullEnded, UserError } from '../errors';
import type { HeldFolder } from '../files/contained';
import type { DownloadPlan } from '../protocol/engine';
import { size } from '../shared/numbers';
import type { NamedRepository } from '../shared/repositoryName';
import { hexOf, type HubFile } from './answers';
import { fetchBlob, partialName } from './blob';
import {
  bytesIn,
  cachedCommit,
  type CachedRepository,
  cachedRepository,
  freeBytesOf,
  hasBlob,
  isCached,
  nameSnapshot,
  removeDeadLocks,
  snapshotFolder,
  withBlobs,
} from './cacheFolder';
import type { Patience } from './failures';
import type { HubSettings } from './hubSettings';
import { neededFiles } from './neededFiles';
import { cachedModel, type PulledModel } from './offline';
import { type HubRepository, openFile, readRepository } from './repository';

export interface PullOptions {
  readonly signal: AbortSignal;
  /** Before the first byte of what is large. */
  onPlan(plan: DownloadPlan): void;
  onProgress(fraction: number): void;
  onWarning(text: string): void;
  /** See Patience. */
  readonly pause?: Patience['pause'];
}

/** As many as huggingface_hub fetches at a time. */
const mostAtOnce = 8;

/** @throws UserError `notFound`, `noAccess`, `network`, `badData`, `cannotFit`, `cannotWrite`, `unsupportedModel`, `cancelled` */
export async function pullModel(
  settings: HubSettings,
  named: NamedRepository,
  options: PullOptions,
): Promise<PulledModel> {
  const place = cachedRepository(settings.cache, named.repository);
  if (settings.isOffline) return cachedModel(place, named);
  const repository = await readRepository(settings, named, patienceOf(options, false));
  const pull: Pull = { settings, named, options, place, repository };
  const { files: paths, index } = neededFiles(
    named.repository,
    repository.files.map(({ path }) => path),
  );
  const files = paths.map((path) => listed(pull, path));
  const shardsIn = async (path: string) =>
    index === null ? [] : readIndex(index, await readFile(path, 'utf8')).map((each) => listed(pull, each));
  const folder = snapshotFolder(place, repository.commit);
  // What is there may lie on a disk that takes nothing.
  if (await areCached(folder, files)) {
    const all = [...files, ...(await shardsIn(join(folder, index ?? '')))];
    const isKnown = (await cachedCommit(place, named.revision)) === repository.commit;
    if (isKnown && (await areCached(folder, all))) {
      await removeDeadLocks(place);
      return { commit: repository.commit, folder, files: all, fetchedBytes: 0 };
    }
  }
  return withBlobs(place, async (blobs) => {
    const indexBlob = index === null ? null : listed(pull, index);
    const before = indexBlob ? await fetchMissing(pull, blobs, [indexBlob], () => {}) : 0;
    const all = [...files, ...(await shardsIn(indexBlob ? join(blobs.path, hexOf(indexBlob.hash)) : ''))];
    const fetchedBytes = before + (await fetchPlanned(pull, blobs, all));
    await nameSnapshot(
      place,
      configLast(await without(all, (file) => isCached(folder, file))),
      repository.commit,
      named.revision,
    );
    return { commit: repository.commit, folder, files: all, fetchedBytes };
  });
}

interface Pull {
  readonly settings: HubSettings;
  readonly named: NamedRepository;
  readonly options: PullOptions;
  readonly place: CachedRepository;
  readonly repository: HubRepository;
}

const patienceOf = ({ signal, pause, onWarning }: PullOptions, reconnects: boolean): Patience => ({
  signal,
  reconnects,
  ...(pause && { pause }),
  onWait: (ms, why) => onWarning(`${why.message} Trying again in ${Math.round(ms / 1000)} s.`),
});

function listed({ named, repository }: Pull, path: string): HubFile {
  const found = repository.files.find((file) => file.path === path);
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

const areCached = async (folder: string, files: readonly HubFile[]): Promise<boolean> =>
  (await without(files, (file) => isCached(folder, file))).length === 0;

/** Files that hold the same are one blob. */
const distinct = (files: readonly HubFile[]): HubFile[] => [
  ...new Map(files.map((file) => [hexOf(file.hash), file])).values(),
];

async function without(files: readonly HubFile[], is: (file: HubFile) => Promise<boolean>): Promise<HubFile[]> {
  const left: HubFile[] = [];
  for (const file of files) if (!(await is(file))) left.push(file);
  return left;
}

/** Says what it will take, refuses what has no room, and fetches the rest. */
async function fetchPlanned(pull: Pull, blobs: HeldFolder, files: readonly HubFile[]): Promise<number> {
  const { named, options, place, repository } = pull;
  const folder = snapshotFolder(place, repository.commit);
  const missing = distinct(
    await without(files, async (file) => (await isCached(folder, file)) || hasBlob(blobs, file)),
  );
  let fetchBytes = 0;
  for (const file of missing) fetchBytes += file.sizeBytes - (await partBytes(blobs, file));
  const freeBytes = await freeBytesOf(place.cache);
  options.onPlan({
    ...named,
    commit: repository.commit,
    cache: place.cache,
    nFiles: files.length,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    fetchBytes,
    freeBytes,
  });
  if (fetchBytes > freeBytes)
    throw new UserError(
      'cannotFit',
      `${named.repository} needs ${size(fetchBytes)} in ${place.cache}, but its disk has ${size(freeBytes)} free; free some space, or set HF_HUB_CACHE to a folder on another disk.`,
    );
  let cameBytes = 0;
  return fetchMissing(pull, blobs, missing, (n) => {
    cameBytes += n;
    options.onProgress(Math.min(1, Math.max(0, cameBytes / fetchBytes)));
  });
}

/** Of what an earlier pull has left. */
const partBytes = async (blobs: HeldFolder, file: HubFile): Promise<number> => {
  const nBytes = (await bytesIn(blobs, partialName(file))) ?? 0;
  return nBytes <= file.sizeBytes ? nBytes : 0;
};

/** The first that fails ends the others. */
async function fetchMissing(
  pull: Pull,
  blobs: HeldFolder,
  files: readonly HubFile[],
  onBytes: (n: number) => void,
): Promise<number> {
  const { settings, named, options, repository } = pull;
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const patience = patienceOf({ ...options, signal }, true);
  const waiting = await without(files, (file) => hasBlob(blobs, file));
  let fetchedBytes = 0;
  const failures: unknown[] = [];
  const inTurn = async () => {
    for (let file = waiting.shift(); file && !signal.aborted; file = waiting.shift()) {
      const subject = { ...named, file: file.path };
      const from = (byte: number) => openFile(settings, subject, repository.commit, byte, signal);
      const nBytes = await fetchBlob(blobs, file, from, patience, onBytes);
      fetchedBytes += nBytes;
    }
  };
  const ending = async (work: Promise<void>) =>
    work.catch((error) => {
      failures.push(error);
      failed.abort();
    });
  await Promise.all(Array.from({ length: mostAtOnce }, () => ending(inTurn())));
  if (failures.length > 0) throw failures[0];
  if (signal.aborted) throw pullEnded();
  return fetchedBytes;
}
