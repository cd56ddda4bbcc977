// Files of repositories into Hugging Face's cache, so that Espalier and Python's tools find them there. Blobs come first, side by
// side, and only when all are there do they get the names by which they are found: a repository appears complete or not at all.
import { pullEnded, UserError } from '../errors';
import type { HeldFolder } from '../files/contained';
import type { DownloadPlan } from '../protocol/engine';
import { size } from '../shared/numbers';
import { hexOf, type HubFile } from './answers';
import { freeBytesOf } from '../files/diskSpace';
import { fetchBlob, partialName } from './blob';
import {
  bytesIn,
  cachedCommit,
  type CachedRepository,
  hasBlob,
  isCached,
  nameSnapshot,
  removeDeadLocks,
  snapshotFolder,
  withBlobs,
} from './cacheFolder';
import { type Patience, tellingWaits } from './failures';
import type { HubSettings } from './hubSettings';
import type { Subject } from './refusalRow';
import { openFile } from './repository';

export interface PullOptions {
  readonly signal: AbortSignal;
  /** Before the first byte of what is large. */
  onPlan(plan: DownloadPlan): void;
  onProgress(fraction: number): void;
  onWarning(text: string): void;
  /** See Patience. */
  readonly pause?: Patience['pause'];
}

/** What is wanted of one repository. */
export interface Part {
  readonly subject: Subject;
  readonly place: CachedRepository;
  readonly commit: string;
  /** They get their names in this order. */
  readonly files: readonly HubFile[];
}

interface HeldPart extends Part {
  readonly blobs: HeldFolder;
}

/** As many as huggingface_hub fetches at a time. */
const mostAtOnce = 8;

export const patienceOf = ({ signal, pause, onWarning }: PullOptions, reconnects: boolean): Patience => ({
  signal,
  reconnects,
  ...(pause && { pause }),
  onWait: tellingWaits(onWarning),
});

/** Whether nothing is left to be done; what is there may lie on a disk that takes nothing. */
async function isWhole({ subject, place, commit, files }: Part): Promise<boolean> {
  const folder = snapshotFolder(place, commit);
  if ((await without(files, (file) => isCached(folder, file))).length > 0) return false;
  return (await cachedCommit(place, subject.revision)) === commit;
}

/**
 * Says what it will take, refuses what has no room, fetches what is missing and names it.
 * @returns how many bytes were fetched
 * @throws UserError `network`, `noAccess`, `badData`, `cannotFit`, `cannotWrite`, `cancelled`
 */
export async function pullParts(settings: HubSettings, parts: readonly Part[], options: PullOptions): Promise<number> {
  const open: Part[] = [];
  for (const part of parts)
    if (await isWhole(part)) await removeDeadLocks(part.place);
    else open.push(part);
  if (open.length === 0) return 0;
  return withAllBlobs(open, [], async (held) => {
    const fetchedBytes = await fetchPlanned(settings, held, options);
    for (const { subject, place, commit, files } of held) {
      const folder = snapshotFolder(place, commit);
      await nameSnapshot(place, await without(files, (file) => isCached(folder, file)), commit, subject.revision);
    }
    return fetchedBytes;
  });
}

/** What is needed to know what else is: its blobs alone, without a plan. @returns how many bytes were fetched */
export const pullBlobs = (settings: HubSettings, part: Part, options: PullOptions): Promise<number> =>
  withAllBlobs([part], [], (held) => fetchMissing(settings, held, options, () => {}));

async function withAllBlobs<T>(
  [part, ...others]: readonly Part[],
  held: readonly HeldPart[],
  body: (held: readonly HeldPart[]) => Promise<T>,
): Promise<T> {
  if (!part) return body(held);
  return withBlobs(part.place, (blobs) => withAllBlobs(others, [...held, { ...part, blobs }], body));
}

/** Files that hold the same are one blob. */
const distinct = (files: readonly HubFile[]): HubFile[] => [
  ...new Map(files.map((file) => [hexOf(file.hash), file])).values(),
];

async function without(files: readonly HubFile[], is: (file: HubFile) => Promise<boolean>): Promise<HubFile[]> {
  const left: HubFile[] = [];
  for (const file of files) if (!(await is(file))) left.push(file);
  return left;
}

async function fetchPlanned(settings: HubSettings, parts: readonly HeldPart[], options: PullOptions): Promise<number> {
  const missing: HeldPart[] = [];
  let fetchBytes = 0;
  for (const part of parts) {
    const { place, commit, blobs } = part;
    const folder = snapshotFolder(place, commit);
    const isThere = async (file: HubFile) => (await isCached(folder, file)) || hasBlob(blobs, file);
    const files = distinct(await without(part.files, isThere));
    for (const file of files) fetchBytes += file.sizeBytes - (await partBytes(blobs, file));
    missing.push({ ...part, files });
  }
  await announce(settings.cache, parts, fetchBytes, options);
  let cameBytes = 0;
  return fetchMissing(settings, missing, options, (n) => {
    cameBytes += n;
    options.onProgress(Math.min(1, Math.max(0, cameBytes / fetchBytes)));
  });
}

/** @throws UserError `cannotFit` */
async function announce(
  cache: string,
  parts: readonly Part[],
  fetchBytes: number,
  { onPlan }: PullOptions,
): Promise<void> {
  const files = parts.flatMap((part) => part.files);
  const freeBytes = await freeBytesOf(cache);
  onPlan({
    sources: parts.map(({ subject: { kind, repository, revision }, commit }) => ({
      kind,
      repository,
      revision,
      commit,
    })),
    cache,
    nFiles: files.length,
    sizeBytes: files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    fetchBytes,
    freeBytes,
  });
  if (fetchBytes <= freeBytes) return;
  const names = parts.map(({ subject }) => subject.repository);
  throw new UserError(
    'cannotFit',
    `${names.join(', ')} need${names.length === 1 ? 's' : ''} ${size(fetchBytes)} in ${cache}, but its disk has ${size(freeBytes)} free; free some space, or set HF_HUB_CACHE to a folder on another disk.`,
  );
}

/** Of what an earlier pull has left. */
const partBytes = async (blobs: HeldFolder, file: HubFile): Promise<number> => {
  const nBytes = (await bytesIn(blobs, partialName(file))) ?? 0;
  return nBytes <= file.sizeBytes ? nBytes : 0;
};

/** The first that fails ends the others. */
async function fetchMissing(
  settings: HubSettings,
  parts: readonly HeldPart[],
  options: PullOptions,
  onBytes: (n: number) => void,
): Promise<number> {
  const failed = new AbortController();
  const signal = AbortSignal.any([options.signal, failed.signal]);
  const patience = patienceOf({ ...options, signal }, true);
  const waiting: { part: HeldPart; file: HubFile }[] = [];
  for (const part of parts)
    for (const file of await without(part.files, (file) => hasBlob(part.blobs, file))) waiting.push({ part, file });
  let fetchedBytes = 0;
  const failures: unknown[] = [];
  const inTurn = async () => {
    for (let next = waiting.shift(); next && !signal.aborted; next = waiting.shift()) {
      const { part, file } = next;
      const subject = { ...part.subject, file: file.path };
      const from = (byte: number) => openFile(settings, subject, part.commit, byte, signal);
      const nBytes = await fetchBlob(part.blobs, file, from, patience, onBytes);
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
