// One file of the hub into the blobs of the cache. What has come lies beside its place until it is whole and its hash is right, and
// a later process goes on from there.
import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { isUserError, UserError } from '../errors';
import type { HeldFolder } from '../files/contained';
import { cannotWrite } from '../shared/systemErrors';
import { HubFailure, type Patience, withPatience } from './failures';
import { hexOf, type HubFile } from './answers';

/** Opens the file from a byte on; what comes may begin earlier, at the first one. */
export type OpenFrom = (from: number) => Promise<{ from: number; bytes: AsyncIterable<Uint8Array> }>;

/** huggingface_hub has names of its own for what is not whole, and counts these among them. */
export const partialName = (file: HubFile): string => `${hexOf(file.hash)}.espalier.incomplete`;

/**
 * @param onBytes how many bytes have come; negative: so many of those that were there have to come again
 * @returns how many bytes were fetched
 * @throws UserError `badData` where it comes with another hash; `network`, `cannotWrite`; what `openFrom` throws
 */
export async function fetchBlob(
  blobs: HeldFolder,
  file: HubFile,
  openFrom: OpenFrom,
  patience: Patience,
  onBytes: (n: number) => void,
): Promise<number> {
  const name = partialName(file);
  try {
    const handle = await open(blobs.at(name), O_RDWR | O_CREAT | O_NOFOLLOW, 0o666);
    const partial: PartialBlob = { file, handle, hash: newHash(file), have: 0, most: 0, isResumed: false, nFetched: 0 };
    try {
      await takeUp(partial);
      await receive(partial, openFrom, patience, onBytes);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(blobs.at(name), blobs.at(hexOf(file.hash)));
    return partial.nFetched;
  } catch (error) {
    if (isUserError(error) && error.code === 'badData') await rm(blobs.at(name), { force: true });
    throw cannotWrite(error, `${blobs.path}/${hexOf(file.hash)}`);
  }
}

const { O_RDWR, O_CREAT, O_NOFOLLOW = 0 } = constants;

interface PartialBlob {
  readonly file: HubFile;
  readonly handle: FileHandle;
  /** Of the bytes that are there. */
  hash: Hash;
  have: number;
  /** It has had so many: only what goes beyond is an advance. */
  most: number;
  /** What an earlier process has left may be damaged, as after a loss of power: it gets a second chance. */
  isResumed: boolean;
  nFetched: number;
}

/** Goes on from what an earlier process has left. */
async function takeUp(partial: PartialBlob): Promise<void> {
  const { size } = await partial.handle.stat();
  if (size > partial.file.sizeBytes) return beginAnew(partial);
  for await (const chunk of chunksOf(partial.handle, size)) partial.hash.update(chunk);
  partial.have = partial.most = size;
  partial.isResumed = size > 0;
}

async function beginAnew(partial: PartialBlob): Promise<void> {
  await partial.handle.truncate(0);
  partial.hash = newHash(partial.file);
  partial.have = 0;
  partial.isResumed = false;
}

async function receive(
  partial: PartialBlob,
  openFrom: OpenFrom,
  patience: Patience,
  onBytes: (n: number) => void,
): Promise<void> {
  for (;;) {
    await withPatience(patience, (gotFurther) => receiveOnce(partial, openFrom, onBytes, gotFurther));
    if (partial.hash.digest('hex') === hexOf(partial.file.hash)) return;
    if (!partial.isResumed) throw wrongContent(partial.file, 'another checksum');
    onBytes(-partial.have);
    await beginAnew(partial);
  }
}

/** Until the file is whole, or the connection breaks off. */
async function receiveOnce(
  partial: PartialBlob,
  openFrom: OpenFrom,
  onBytes: (n: number) => void,
  gotFurther: () => void,
): Promise<void> {
  const { file, handle } = partial;
  if (partial.have === file.sizeBytes) return;
  const { from, bytes } = await openFrom(partial.have);
  if (from < partial.have) {
    onBytes(-partial.have);
    await beginAnew(partial);
  }
  for await (const chunk of bytes) {
    if (partial.have + chunk.length > file.sizeBytes) throw new HubFailure(wrongContent(file, 'more bytes'));
    await writeAll(handle, chunk, partial.have);
    partial.hash.update(chunk);
    partial.have += chunk.length;
    partial.nFetched += chunk.length;
    onBytes(chunk.length);
    if (partial.have > partial.most) {
      partial.most = partial.have;
      gotFurther();
    }
  }
  if (partial.have < file.sizeBytes) throw new HubFailure(cutOff(file), { of: 'connection', afterMs: 0 });
}

/** Of a file's content, as the hub hashes it: git hashes the length before the content. */
export function newHash({ hash, sizeBytes }: HubFile): Hash {
  return hash.of === 'content' ? createHash('sha256') : createHash('sha1').update(`blob ${sizeBytes}\0`);
}

async function* chunksOf(handle: FileHandle, sizeBytes: number): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.alloc(1 << 20);
  for (let at = 0; at < sizeBytes; ) {
    const { bytesRead } = await handle.read(buffer, 0, Math.min(buffer.length, sizeBytes - at), at);
    if (bytesRead === 0) return;
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

/** The system may take a part. */
async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done);
    done += bytesWritten;
  }
}

const wrongContent = ({ path, sizeBytes, hash }: HubFile, what: string): UserError =>
  new UserError(
    'badData',
    `${path} came with ${what} than the hub says (${sizeBytes} bytes, ${hexOf(hash).slice(0, 12)}...): something on the way changes it; pull again, by another network or without a mirror.`,
  );

const cutOff = ({ path }: HubFile): UserError =>
  new UserError(
    'network',
    `${path} breaks off each time; look after the connection and run it again: what was fetched is kept.`,
  );
