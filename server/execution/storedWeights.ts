// Weights on the way from a checkpoint to a device, in the width in which the device is to hold them.
import { type Checkpoint, withCheckpoint } from '../checkpoint/checkpoint';
import { halvesOfBfloats, narrowInto, widenInto } from '../checkpoint/dtype';
import { matricesBeyondHalf } from '../checkpoint/halfRange';
import { dequantiseInto, quantiseInto } from '../checkpoint/quantise';
import { size } from '../graph/value';
import { chosenWidth, configHeldAs, quantisation, storedBytes } from '../model/storage';
import { embeddingName, headName, parseBlockWeightName } from '../model/weights';
import type { WeightsOption, WeightWidth } from '../protocol/recipes';
import type { HostNumbers } from '../runtime/tensor';

/** Opens a checkpoint for the time of `body`, with its matrices held on the device so. */
export const withStoredCheckpoint = <T>(
  folder: string,
  weights: WeightsOption,
  body: (checkpoint: Checkpoint) => Promise<T>,
): Promise<T> => withCheckpoint(folder, async (checkpoint) => body(await heldIn(checkpoint, chosenWidth(weights))));

/** A checkpoint whose config says that a device holds its matrices so; those that halves cannot hold stay float32. */
async function heldIn(checkpoint: Checkpoint, width: WeightWidth): Promise<Checkpoint> {
  const { config } = checkpoint;
  if (width === 'f32') return checkpoint;
  const beyond = width === 'f16' ? await matricesBeyondHalf(checkpoint) : new Set<string>();
  const float32Weights = config.blocks.map(() => [] as string[]);
  for (const name of beyond) {
    const inBlock = parseBlockWeightName(name);
    if (inBlock) float32Weights[inBlock.block]!.push(inBlock.suffix);
  }
  const blocks = config.blocks.map((block, k) => ({ ...block, float32Weights: float32Weights[k]! }));
  const headBeyond = beyond.has(config.tiedEmbeddings ? embeddingName : headName);
  const { storage, ...held } = configHeldAs(config, width);
  const head = headBeyond ? 'f32' : storage!.head;
  return { ...checkpoint, config: { ...held, blocks, storage: { ...storage!, head } } };
}

/** A weight, or rows of it. */
export interface StoredWeight {
  readonly weight: string;
  readonly shape: readonly number[];
  /** null: the whole weight. */
  readonly firstRow: number | null;
  readonly width: WeightWidth;
}

/** Gives so many bytes, where numbers of any dtype may lie. */
type Room = (nBytes: number) => Uint8Array;

/** What is fed for a weight (`storedParts`), read from the checkpoint. Room is taken before the first read. */
export async function readStored(checkpoint: Checkpoint, part: StoredWeight, room: Room): Promise<HostNumbers[]> {
  const { width, shape } = part;
  const bytes = room(storedBytes(width, shape));
  if (width === 'f32') return [await readFloats(checkpoint, part, floats(bytes))];
  const isHalf = ['F16', 'BF16'].includes(checkpoint.weights.get(part.weight)!.dtype);
  if (width === 'f16' && isHalf) return [await readHalves(checkpoint, part, halves(bytes))];
  const parts = partsIn(bytes, { width, shape });
  await readByRows(checkpoint, part, (rows, first) => storeRows({ width, shape }, rows, first, parts));
  return parts;
}

/** What is fed for a weight, given its numbers. */
export function stored(
  { width, shape }: Pick<StoredWeight, 'width' | 'shape'>,
  data: Float32Array,
  room: Room,
): HostNumbers[] {
  if (width === 'f32') return [data];
  const parts = partsIn(room(storedBytes(width, shape)), { width, shape });
  storeRows({ width, shape }, data, 0, parts);
  return parts;
}

interface Narrow {
  readonly width: Exclude<WeightWidth, 'f32'>;
  readonly shape: readonly number[];
}

/** Halves; or whole numbers and scales. The scales lie first, since they have to begin at a multiple of 4 bytes. */
function partsIn(bytes: Uint8Array, { width, shape }: Narrow): HostNumbers[] {
  if (width === 'f16') return [halves(bytes)];
  const { nBlocks } = quantisation(width, shape);
  return [bytes.subarray(4 * nBlocks), floats(bytes.subarray(0, 4 * nBlocks))];
}

/** Narrows rows from `first` on into the parts of their weight. */
function storeRows(
  { width, shape }: Narrow,
  rows: Float32Array,
  first: number,
  [numbers, scales]: HostNumbers[],
): void {
  const [nRows, nIn] = [shape[0]!, size(shape.slice(1))];
  const here = rows.length / nIn;
  const of = <T extends HostNumbers>(all: T) => {
    const each = all.length / nRows;
    return all.subarray(first * each, (first + here) * each) as T;
  };
  if (width === 'f16') narrowInto('F16', rows, of(numbers as Uint16Array));
  else quantiseInto(rows, quantisation(width, shape), of(numbers as Uint8Array), of(scales as Float32Array));
}

/** Numbers of a matrix as the device sees them once they are widened. */
export function asHeld(width: WeightWidth, data: Float32Array, shape: readonly number[]): Float32Array {
  if (width === 'f32') return data;
  const [numbers, scales] = stored({ width, shape }, data, (nBytes) => new Uint8Array(nBytes));
  const widened = new Float32Array(data.length);
  if (width === 'f16') widenInto('F16', numbers as Uint16Array, widened);
  else dequantiseInto(numbers as Uint8Array, scales as Float32Array, quantisation(width, shape), widened);
  return widened;
}

function readFloats(checkpoint: Checkpoint, { weight, shape, firstRow }: StoredWeight, into?: Float32Array) {
  return firstRow === null
    ? checkpoint.readF32(weight, into)
    : checkpoint.readRowsF32(weight, firstRow, shape[0]!, into);
}

/** BF16 is read where it is to be, and changed in place. */
async function readHalves(checkpoint: Checkpoint, part: StoredWeight, into: Uint16Array): Promise<Uint16Array> {
  const { weight, shape, firstRow } = part;
  const first = 2 * (firstRow ?? 0) * size(shape.slice(1));
  await checkpoint.readBytes(weight, first, into.byteLength, bytesOf(into));
  if (checkpoint.weights.get(weight)!.dtype === 'BF16') halvesOfBfloats(into);
  return into;
}

/** Numbers of a matrix that are in float32 at a time: they stay in cache until they are narrowed. */
const chunkLength = 2 ** 18;

async function readByRows(
  checkpoint: Checkpoint,
  { weight, shape, firstRow }: StoredWeight,
  take: (rows: Float32Array, first: number) => void,
): Promise<void> {
  const [nRows, nIn] = [shape[0]!, size(shape.slice(1))];
  const rowsEach = Math.max(1, Math.min(nRows, Math.floor(chunkLength / nIn)));
  const chunk = new Float32Array(rowsEach * nIn);
  for (let first = 0; first < nRows; first += rowsEach) {
    const n = Math.min(rowsEach, nRows - first);
    take(await checkpoint.readRowsF32(weight, (firstRow ?? 0) + first, n, chunk.subarray(0, n * nIn)), first);
  }
}

const floats = ({ buffer, byteOffset, byteLength }: Uint8Array) => new Float32Array(buffer, byteOffset, byteLength / 4);
const halves = ({ buffer, byteOffset, byteLength }: Uint8Array) => new Uint16Array(buffer, byteOffset, byteLength / 2);
const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array) => new Uint8Array(buffer, byteOffset, byteLength);
