// The safetensors file format: 8 bytes of header length, a JSON header, then the bytes of all tensors without gaps.
// Files come from strangers, so every field is checked before it is believed, and nothing outside the file is read.
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import { UserError } from '../errors';
import { refuseDeep } from '../files/limits';
import { isRecord } from '../shared/records';
import type { ByteSource } from './byteSource';
import { refuseForeignContent, telltaleBytes } from '../shared/foreignContent';
import { size } from '../shared/numbers';
import { parseStrictJson, quote } from './strictJson';

export interface TensorSpec {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

export interface TensorEntry extends TensorSpec {
  /** Where its bytes begin, counted from the beginning of the file. */
  readonly offset: number;
  readonly nBytes: number;
}

export interface SafetensorsHeader {
  /** In the order of their bytes. */
  readonly tensors: readonly TensorEntry[];
  readonly metadata: Readonly<Record<string, string>>;
}

/** Bits of one element; names as the format spells them. */
const bitsPerElement = {
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  BOOL: 8,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  F64: 64,
  I64: 64,
  U64: 64,
  C64: 64,
} as const;

export type SafetensorsDtype = keyof typeof bitsPerElement;

const mostHeaderBytes = 100_000_000;
/** What is read of them: the largest models have a tenth. */
const mostReadHeaderBytes = 16_000_000;
const mostTensors = 100_000;
const mostDimensions = 32;

/**
 * Reads and checks the header of a file.
 * @throws UserError `damagedCheckpoint` naming the file, the tensor and what is wrong with it.
 */
export async function readSafetensorsHeader(source: ByteSource): Promise<SafetensorsHeader> {
  const damaged = (what: string) => new UserError('damagedCheckpoint', `${source.name} is damaged: ${what}.`);
  const head = new Uint8Array(Math.min(source.sizeBytes, telltaleBytes));
  await source.read(head, 0);
  refuseForeignContent(source.name, head, 'safetensors');
  if (source.sizeBytes < 8)
    throw damaged(`it has ${source.sizeBytes} bytes, fewer than the 8 that state the header's length`);
  const stated = new DataView(head.buffer).getBigUint64(0, true);
  const rest = source.sizeBytes - 8;
  if (stated < 2n || stated > mostHeaderBytes)
    throw damaged(`the header's length is ${stated} bytes, not between 2 and ${mostHeaderBytes}`);
  if (stated > rest)
    throw damaged(`the header's length is ${stated} bytes, but only ${rest} follow; the file may be cut off`);
  if (stated > mostReadHeaderBytes)
    throw tooLarge(source.name, `a header of ${size(Number(stated))}`, size(mostReadHeaderBytes));
  const bytes = new Uint8Array(Number(stated));
  await source.read(bytes, 8);
  return checkHeader(source.name, bytes, rest - bytes.length, 8 + bytes.length, damaged);
}

type Damaged = (what: string) => UserError;

const tooLarge = (name: string, found: string, most: string) =>
  new UserError('overLimit', `${name} has ${found}, but no more than ${most} are read; take a model of fewer parts.`);

function checkHeader(
  name: string,
  bytes: Uint8Array,
  nDataBytes: number,
  dataOffset: number,
  damaged: Damaged,
): SafetensorsHeader {
  if (bytes[0] !== 0x7b) throw damaged('the header does not begin with {');
  const header = parseHeader(name, bytes, damaged);
  const { __metadata__: metadata = {}, ...tensors } = header;
  if (!isRecord(metadata) || Object.values(metadata).some((value) => typeof value !== 'string')) {
    throw damaged('__metadata__ is not an object of texts');
  }
  const nTensors = Object.keys(tensors).length;
  if (nTensors > mostTensors) throw tooLarge(name, `${nTensors} tensors`, `${mostTensors}`);
  const entries = Object.entries(tensors).map(([name, fields]) => checkTensor(name, fields, damaged));
  entries.sort((a, b) => a.offset - b.offset || a.nBytes - b.nBytes);
  let end = 0;
  for (const { name: tensor, offset, nBytes } of entries) {
    if (offset < end)
      throw damaged(`tensor ${quote(tensor)} begins at byte ${offset} of the data, inside the tensor before it`);
    if (offset > end)
      throw damaged(`no tensor owns the bytes from ${end} to ${offset} of the data, before tensor ${quote(tensor)}`);
    end += nBytes;
    if (end > nDataBytes) {
      throw damaged(
        `tensor ${quote(tensor)} ends at byte ${end} of the data, but there are only ${nDataBytes}; the file may be cut off`,
      );
    }
  }
  if (end !== nDataBytes) throw damaged(`${nDataBytes - end} bytes at its end belong to no tensor`);
  const absolute = entries.map((entry) => ({ ...entry, offset: entry.offset + dataOffset }));
  return { tensors: absolute, metadata: metadata as Record<string, string> };
}

function parseHeader(name: string, bytes: Uint8Array, damaged: Damaged): Record<string, unknown> {
  refuseDeep(name, bytes);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw damaged('the header is not UTF-8');
  }
  try {
    // An object, since the text begins with {.
    return parseStrictJson(text) as Record<string, unknown>;
  } catch (error) {
    throw damaged(`the header is not valid JSON: ${(error as Error).message}`);
  }
}

/** One entry of the header; its offset still counts from the first byte of data. */
function checkTensor(name: string, fields: unknown, damaged: Damaged): TensorEntry {
  const wrong = (what: string) => damaged(`tensor ${quote(name)} ${what}`);
  if (!isRecord(fields)) throw wrong('has no dtype, shape and data_offsets');
  const { dtype, shape, data_offsets: range } = fields;
  if (typeof dtype !== 'string') throw wrong('has no dtype');
  if (!isDtype(dtype)) throw wrong(`has the dtype ${quote(dtype)}, which safetensors does not know`);
  if (!isSizes(shape) || shape.length > mostDimensions) {
    throw wrong(`has a shape that is not a list of at most ${mostDimensions} whole numbers`);
  }
  if (!isSizes(range) || range.length !== 2) throw wrong('has data_offsets that are not two whole numbers');
  const [begin, end] = range as [number, number];
  const nBits = shape.reduce((product, dim) => product * dim, bitsPerElement[dtype]);
  // A zero could hide an overflow before it, so the product without zeros counts.
  const largest = shape.reduce((product, dim) => product * Math.max(dim, 1), bitsPerElement[dtype]);
  if (largest > Number.MAX_SAFE_INTEGER) throw wrong(`has the shape [${shape}], more than any file can hold`);
  if (nBits % 8 !== 0) throw wrong(`has the shape [${shape}], which does not fill whole bytes as ${dtype}`);
  if (end - begin !== nBits / 8) {
    throw wrong(`has data_offsets [${begin}, ${end}], but ${dtype} of shape [${shape}] takes ${nBits / 8} bytes`);
  }
  return { name, dtype, shape, offset: begin, nBytes: nBits / 8 };
}

const isDtype = (name: string): name is SafetensorsDtype => Object.hasOwn(bitsPerElement, name);

const isSizes = (value: unknown): value is number[] =>
  Array.isArray(value) && value.every((n) => typeof n === 'number' && Number.isSafeInteger(n) && n >= 0);

/** Bytes of a tensor; its shape fills whole bytes. */
export const tensorBytes = ({ dtype, shape }: TensorSpec) =>
  shape.reduce((n, dim) => n * dim, bitsPerElement[dtype]) / 8;

/** Writes a new file. @throws as `writeTensors`, and where there is one. */
export async function writeSafetensors<Tensor extends TensorSpec>(
  path: string,
  tensors: readonly Tensor[],
  bytesOf: (tensor: Tensor) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  const handle = await open(path, 'wx');
  try {
    await writeTensors(handle, tensors, bytesOf);
  } finally {
    await handle.close();
  }
}

/**
 * Writes a file that is empty, the tensors in the given order. `bytesOf` yields a tensor's bytes chunk by chunk; a chunk is on its
 * way to the disk before the next is asked for, so one buffer can serve them all.
 * @throws whatever the file system says; an Error if `bytesOf` yields another number of bytes than the shape needs.
 */
export async function writeTensors<Tensor extends TensorSpec>(
  file: FileHandle,
  tensors: readonly Tensor[],
  bytesOf: (tensor: Tensor) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<void> {
  await writeAll(file, safetensorsHeaderBytes(tensors));
  for (const tensor of tensors) {
    let nBytes = 0;
    for await (const chunk of bytesOf(tensor)) {
      nBytes += chunk.length;
      await writeAll(file, chunk);
    }
    if (nBytes !== tensorBytes(tensor))
      throw new Error(`${tensor.name}: ${nBytes} bytes came for ${tensorBytes(tensor)}`);
  }
}

/** Of the file that these tensors make. */
export function safetensorsSha256<Tensor extends TensorSpec>(
  tensors: readonly Tensor[],
  bytesOf: (tensor: Tensor) => Uint8Array,
): string {
  const hash = createHash('sha256').update(safetensorsHeaderBytes(tensors));
  for (const tensor of tensors) hash.update(bytesOf(tensor));
  return hash.digest('hex');
}

/** Length and header, padded with spaces to a multiple of 8 as the original writer does. */
export function safetensorsHeaderBytes(tensors: readonly TensorSpec[]): Uint8Array {
  let end = 0;
  const entries = tensors.map((tensor) => {
    const begin = end;
    end += tensorBytes(tensor);
    return [tensor.name, { dtype: tensor.dtype, shape: tensor.shape, data_offsets: [begin, end] }] as const;
  });
  const json = new TextEncoder().encode(
    JSON.stringify(Object.fromEntries([['__metadata__', { format: 'pt' }], ...entries])),
  );
  const padded = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(padded.buffer).setBigUint64(0, BigInt(padded.length - 8), true);
  padded.set(json, 8);
  return padded;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array) {
  for (let done = 0; done < bytes.length; ) {
    done += (await handle.write(bytes, done, bytes.length - done)).bytesWritten;
  }
}
