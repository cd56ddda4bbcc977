// Compressed files by what they begin with, unpacked a piece at a time and never to more than a bound. The only file that touches
// fzstd: Node has gzip of its own, and zstd only since version 22.
import { basename } from 'node:path';
import { createGunzip } from 'node:zlib';
import { Decompress } from 'fzstd';
import { UserError } from '../errors';

/** The file's name without the ending of its compression: `c4.json.gz` is read as `c4.json`. */
export const nameWithin = (file: string): string => file.replace(/\.(gz|gzip|zst|zstd)$/i, '');

interface Compression {
  readonly name: string;
  readonly magic: readonly number[];
  /** null: it is only named in the sentence that refuses it. */
  readonly unpack: ((chunks: Iterable<Buffer>) => AsyncIterable<Uint8Array>) | null;
}

const compressions: readonly Compression[] = [
  { name: 'gzip', magic: [0x1f, 0x8b], unpack: gunzipped },
  { name: 'zstd', magic: [0x28, 0xb5, 0x2f, 0xfd], unpack: unzstd },
  { name: 'bzip2', magic: [0x42, 0x5a, 0x68], unpack: null },
  { name: 'xz', magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], unpack: null },
  { name: 'zip', magic: [0x50, 0x4b, 0x03, 0x04], unpack: null },
];

/**
 * The content of a file that was read, unpacked where it is compressed.
 * @param mostBytes of the content
 * @throws UserError `badData` for a compression that is not read, a damaged one, or too much in it.
 */
export async function unpacked(bytes: Buffer, file: string, mostBytes: number): Promise<Buffer> {
  const name = basename(file);
  const found = compressions.find(({ magic }) => magic.every((byte, i) => bytes[i] === byte));
  if (!found) {
    if (nameWithin(name) === name) return bytes;
    throw new UserError('badData', `${name} is not compressed, though its name says so; rename it, or get it again.`);
  }
  // Text may begin with the letters of bzip2's mark.
  if (!found.unpack && found.name === 'bzip2' && !/\.bz2$/i.test(name)) return bytes;
  if (!found.unpack)
    throw new UserError('badData', `${name} is compressed by ${found.name}; unpack it, or give it as .gz or .zst.`);
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const part of found.unpack(chunksOf(bytes))) {
      length += part.length;
      if (length > mostBytes) throw tooMuch(name, mostBytes);
      if (length > Math.max(smallBytes, mostTimes * bytes.length)) throw bomb(name);
      parts.push(part);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new UserError('badData', `${name} is damaged (${found.name}: ${reason}); get it again.`);
  }
  return Buffer.concat(parts, length);
}

/** Text becomes a tenth or so. What unpacks to far more is made to fill a memory; little of it does no harm. */
const mostTimes = 200;
const smallBytes = 64_000_000;

const chunkBytes = 1 << 16;

/** A little at a time, so that what comes out is seen before much more goes in. */
function* chunksOf(bytes: Buffer): Iterable<Buffer> {
  for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
}

async function* gunzipped(chunks: Iterable<Buffer>): AsyncIterable<Uint8Array> {
  const gunzip = createGunzip();
  const feeding = feed(chunks, gunzip);
  yield* gunzip as AsyncIterable<Buffer>;
  await feeding;
}

/** Gives way where the other end is full, and ends it with what goes wrong on this one. */
async function feed(chunks: Iterable<Buffer>, gunzip: ReturnType<typeof createGunzip>): Promise<void> {
  try {
    for (const chunk of chunks) {
      if (gunzip.destroyed) return;
      if (!gunzip.write(chunk)) await drained(gunzip);
    }
    gunzip.end();
  } catch (error) {
    gunzip.destroy(error as Error);
  }
}

const drained = (gunzip: ReturnType<typeof createGunzip>): Promise<void> =>
  new Promise((ready) => {
    const goOn = () => {
      gunzip.off('drain', goOn).off('close', goOn);
      ready();
    };
    gunzip.on('drain', goOn).on('close', goOn);
  });

async function* unzstd(chunks: Iterable<Buffer>): AsyncIterable<Uint8Array> {
  let made: Uint8Array[] = [];
  const stream = new Decompress((part) => made.push(part));
  for (const chunk of chunks) {
    stream.push(new Uint8Array(chunk));
    yield* made;
    made = [];
  }
  stream.push(new Uint8Array(0), true);
  yield* made;
}

const bomb = (name: string) =>
  new UserError('badData', `${name} unpacks to more than ${mostTimes} times its size, as no text does; get it again.`);

const tooMuch = (name: string, mostBytes: number) =>
  new UserError('badData', `${name} unpacks to more than the ${mostBytes} bytes we read; give a part of it.`);
