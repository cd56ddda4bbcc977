// Writes a checkpoint as a GGUF file for llama.cpp, rows of a weight at a time, so that a model may be larger than memory.
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { narrowInto, widenInto } from '../checkpoint/dtype';
import { isFile } from '../checkpoint/folder';
import { notFiniteIn, notFiniteWeight } from '../checkpoint/notFiniteWeight';
import { generationConfigFile } from '../checkpoint/partNames';
import { writeStaged } from '../checkpoint/stagedFile';
import { cancelled, UserError } from '../errors';
import { readTextInside } from '../files/contained';
import { isRecord } from '../shared/records';
import { type Architecture, fileTypeKey } from './architectures';
import { setAuthorship } from './authorship';
import { ggufHeader, padded } from './header';
import { type Keys, setText, uint32 } from './keys';
import { readModelCard } from './modelCard';
import { architectureFor } from './refusals';
import { bytesOf, storedTypes } from './storedTypes';
import { type FileType, fileTypes, type Tensor, tensorsOf, type WeightTensor } from './tensors';
import type { VocabularyFacts } from './tokenizerFiles';
import { setVocabulary } from './vocabulary';

export interface GgufOptions {
  readonly out: string;
  readonly fileType: FileType;
  readonly onProgress?: (bytesDone: number, bytesTotal: number) => void;
  readonly signal?: AbortSignal;
}

export interface GgufFacts extends VocabularyFacts {
  /** llama.cpp's name for the family. */
  readonly architecture: string;
  readonly nTensors: number;
  readonly nParameters: number;
  readonly sizeBytes: number;
  /** Matrices whose rows are not whole blocks, so that they are stored as halves. */
  readonly storedAsHalves: readonly string[];
}

/**
 * The file appears complete or not at all.
 * @throws UserError `unsupportedModel` where llama.cpp would compute something else, `badChoice` for numbers that the type cannot
 *   hold, `notFinite`, `damagedCheckpoint` when the model was changed meanwhile, `cannotWrite`, `cancelled` after `signal`.
 */
export async function writeGguf(checkpoint: Checkpoint, { out, fileType, ...told }: GgufOptions): Promise<GgufFacts> {
  const architecture = architectureFor(checkpoint);
  const tensors = tensorsOf(checkpoint, architecture, fileType);
  const { keys, vocabulary, nParameters } = await keysOf(checkpoint, { architecture, tensors, fileType });
  const header = ggufHeader(keys, tensors);
  const sizeBytes = tensors.reduce((sum, { type, shape }) => sum + padded(bytesOf(type, shape)), header.length);
  const write = async (file: FileHandle) => {
    await writeWhole(file, header);
    let done = header.length;
    for (const tensor of tensors) {
      for await (const bytes of bytesOfTensor(checkpoint, tensor, told.signal)) {
        await writeWhole(file, bytes);
        done += bytes.length;
        told.onProgress?.(done, sizeBytes);
      }
      const nBytes = bytesOf(tensor.type, tensor.shape);
      await writeWhole(file, new Uint8Array(padded(nBytes) - nBytes));
      done += padded(nBytes) - nBytes;
    }
    await checkpoint.refuseChanged();
  };
  await writeStaged(out, write, sizeBytes);
  const asked = new Set([fileType, 'f32', ...(fileType === 'q4_0' ? ['q8_0'] : [])]);
  return {
    architecture: architecture.name,
    nTensors: tensors.length,
    nParameters,
    sizeBytes,
    storedAsHalves: tensors.filter(({ type }) => !asked.has(type)).map(({ name }) => name),
    ...vocabulary,
  };
}

async function writeWhole(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let done = 0; done < bytes.length; ) done += (await file.write(bytes, done)).bytesWritten;
}

interface Written {
  readonly architecture: Architecture;
  readonly tensors: readonly Tensor[];
  readonly fileType: FileType;
}

async function keysOf(checkpoint: Checkpoint, { architecture, tensors, fileType }: Written) {
  const { config, configJson, folder, name } = checkpoint;
  const nParameters = tensors.reduce((sum, { shape }) => sum + shape.reduce((n, side) => n * side, 1), 0);
  const keys: Keys = new Map();
  setText(keys, 'general.architecture', architecture.name);
  setText(keys, 'general.type', 'model');
  const facts = { card: await readModelCard(folder), generation: await readGeneration(folder) };
  setAuthorship(keys, { ...facts, config: configJson, name, nParameters });
  architecture.setKeys(keys, { config, configJson }, (key, value) => keys.set(`${architecture.name}.${key}`, value));
  keys.set(fileTypeKey, uint32(fileTypes[fileType]));
  keys.set('general.quantization_version', uint32(2));
  const vocabulary = await setVocabulary(keys, architecture.vocabulary, checkpoint);
  return { keys, vocabulary, nParameters };
}

async function readGeneration(folder: string): Promise<Readonly<Record<string, unknown>>> {
  if (!(await isFile(join(folder, generationConfigFile)))) return {};
  try {
    const said: unknown = JSON.parse(await readTextInside(folder, generationConfigFile));
    return isRecord(said) ? said : {};
  } catch (error) {
    if (error instanceof SyntaxError) return {};
    throw error;
  }
}

const numbersAtOnce = 2 ** 20;

/** Chunks that share a buffer: each is to be written before the next is asked for. */
async function* bytesOfTensor(
  checkpoint: Checkpoint,
  tensor: Tensor,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const { type, shape } = tensor;
  const [nRows = 1, ...rest] = shape;
  const width = rest.reduce((n, side) => n * side, 1);
  const together = 'weight' in tensor && tensor.interleavedRows > 0 ? tensor.interleavedRows : 1;
  const rowsAtOnce = Math.min(nRows, together * Math.max(1, Math.floor(numbersAtOnce / width / together)));
  const room = new Float32Array(rowsAtOnce * width);
  const stored = new Uint8Array(bytesOf(type, [rowsAtOnce, width]));
  for (let first = 0; first < nRows; first += rowsAtOnce) {
    if (signal?.aborted) throw cancelled();
    const n = Math.min(rowsAtOnce, nRows - first);
    const numbers =
      'numbers' in tensor
        ? tensor.numbers.subarray(first * width, (first + n) * width)
        : await numbersOf(checkpoint, tensor, { first, n, width, room });
    const bytes = stored.subarray(0, bytesOf(type, [n, width]));
    const nLost = storedTypes[type].write(numbers, bytes);
    if (nLost > 0) throw tooLarge(tensor.name, nLost, type);
    yield bytes;
  }
}

interface Rows {
  readonly first: number;
  readonly n: number;
  readonly width: number;
  /** Where they are read to. */
  readonly room: Float32Array;
}

async function numbersOf(checkpoint: Checkpoint, tensor: WeightTensor, rows: Rows): Promise<Float32Array> {
  const { weight, interleavedRows, addsOne } = tensor;
  const { first, n, width, room } = rows;
  const numbers = await checkpoint.readRowsF32(weight, first, n, room);
  const entry = checkpoint.weights.get(weight)!;
  const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  const lost = notFiniteIn({ ...entry, dtype: 'F32' }, bytes, 4 * first * width);
  if (lost) throw notFiniteWeight(lost, 'read');
  if (addsOne) for (let i = 0; i < numbers.length; i++) numbers[i]! += 1;
  // torch adds in the dtype of the weight.
  if (addsOne && entry.dtype === 'F16') roundToHalves(numbers);
  return interleavedRows > 0 ? interleaved(numbers, interleavedRows, width) : numbers;
}

function roundToHalves(numbers: Float32Array): void {
  const halves = new Uint16Array(numbers.length);
  narrowInto('F16', numbers, halves);
  widenInto('F16', halves, numbers);
}

/** Of each head's rows 0, 1, ... E - 1 it makes 0, E/2, 1, E/2 + 1, ... */
export function interleaved(numbers: Float32Array, headWidth: number, width: number): Float32Array {
  const made = new Float32Array(numbers.length);
  const half = headWidth / 2;
  for (let row = 0; row < numbers.length / width; row++) {
    const inHead = row % headWidth;
    const to = row - inHead + (inHead < half ? 2 * inHead : 2 * (inHead - half) + 1);
    made.set(numbers.subarray(row * width, (row + 1) * width), to * width);
  }
  return made;
}

const tooLarge = (name: string, n: number, type: string) =>
  new UserError(
    'badChoice',
    `${name} holds ${n} numbers too large for ${type}, whose numbers and scales are halves; this model cannot be stored so.`,
  );
