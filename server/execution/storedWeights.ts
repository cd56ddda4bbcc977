// Weights on the way from a checkpoint to a device, in the width in which the device is to hold them.
import { type Checkpoint, withCheckpoint } from '../checkpoint/checkpoint';
import { halvesOfBfloats, narrowInto, widenInto } from '../checkpoint/dtype';
import { matricesBeyondHalf } from '../checkpoint/halfRange';
import { dequantiseInto, quantiseInto } from '../checkpoint/quantise';
import { size } from '../graph/value';
import { configHeldAs, quantisation, storedBytes } from '../model/storage';
import { embeddingName, headName, parseBlockWeightName } from '../model/weights';
import type { WeightWidth } from '../protocol/recipes';
import type { HostNumbers } from '../runtime/tensor';

/** Opens a checkpoint for the time of `body`, with its matrices held on the device so. */
export const withStoredCheckpoint = <T>(
  folder: string,
  width: WeightWidth,
  body: (checkpoint: Checkpoint) => Promise<T>,
): Promise<T> => withCheckpoint(folder, async (checkpoint) => body(await heldIn(checkpoint, width)));

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
  if (width === 'f16') return [await readHalves(checkpoint, part, halves(bytes))];
  return stored(part, await readFloats(checkpoint, part), () => bytes);
}

/** What is fed for a weight, given its numbers. */
export function stored(
  { width, shape }: Pick<StoredWeight, 'width' | 'shape'>,
  data: Float32Array,
  room: Room,
): HostNumbers[] {
  if (width === 'f32') return [data];
  const bytes = room(storedBytes(width, shape));
  if (width === 'f16') {
    narrowInto('F16', data, halves(bytes));
    return [halves(bytes)];
  }
  const layout = quantisation(width, shape);
  // The scales come first, since they have to lie at a multiple of 4 bytes.
  const scales = floats(bytes.subarray(0, 4 * layout.nBlocks));
  const numbers = bytes.subarray(4 * layout.nBlocks);
  quantiseInto(data, layout, numbers, scales);
  return [numbers, scales];
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

async function readHalves(checkpoint: Checkpoint, part: StoredWeight, into: Uint16Array): Promise<Uint16Array> {
  const { weight, shape, firstRow } = part;
  const { dtype } = checkpoint.weights.get(weight)!;
  if (dtype !== 'F16' && dtype !== 'BF16') {
    narrowInto('F16', await readFloats(checkpoint, part), into);
    return into;
  }
  const first = 2 * (firstRow ?? 0) * size(shape.slice(1));
  await checkpoint.readBytes(weight, first, into.byteLength, bytesOf(into));
  if (dtype === 'BF16') halvesOfBfloats(into);
  return into;
}

const floats = ({ buffer, byteOffset, byteLength }: Uint8Array) => new Float32Array(buffer, byteOffset, byteLength / 4);
const halves = ({ buffer, byteOffset, byteLength }: Uint8Array) => new Uint16Array(buffer, byteOffset, byteLength / 2);
const bytesOf = ({ buffer, byteOffset, byteLength }: Uint16Array) => new Uint8Array(buffer, byteOffset, byteLength);
