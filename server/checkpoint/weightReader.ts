// Weights out of files, widened to f32. Everything is a range of consecutive numbers of one weight.
import { UserError } from '../errors';
import type { WeightDtype } from '../model/config';
import type { ByteSource } from './byteSource';
import { bytesPerWeight, roundInto, widenInPlace } from './dtype';
import type { SafetensorsDtype } from './safetensors';
import { quote } from './strictJson';

export interface WeightEntry {
  readonly name: string;
  readonly dtype: WeightDtype;
  readonly shape: readonly number[];
  readonly nBytes: number;
  /** The file's name inside the folder. */
  readonly file: string;
  /** Where its bytes begin in that file. */
  readonly offset: number;
}

/** A tensor of a file, under the name that transformers gives it. */
export interface StoredTensor extends Omit<WeightEntry, 'dtype'> {
  readonly dtype: SafetensorsDtype;
  readonly storedName: string;
}

/** The reading half of a checkpoint. */
export interface WeightReader {
  /** A whole weight as f32, [rows x columns] flat. With `into`, its first numbers are filled and returned. */
  readF32(name: string, into?: Float32Array): Promise<Float32Array>;
  /** Rows `firstRow` up to `firstRow + nRows` (not included) of a weight as f32. */
  readRowsF32(name: string, firstRow: number, nRows: number, into?: Float32Array): Promise<Float32Array>;
  /**
   * One row for each entry of `rows`, in that order, read at once without giving way to other work; repeated rows are read once.
   * @throws UserError `badData` for a row that the weight does not have.
   */
  gatherRowsF32(name: string, rows: ArrayLike<number>, into?: Float32Array): Float32Array;
  /** Bytes `start` up to `start + length` (not included) of a weight as they are on disk. */
  readBytes(name: string, start: number, length: number, into?: Uint8Array): Promise<Uint8Array>;
}

/** The reading half of a checkpoint, given where each weight lies. */
export function weightReader(
  weights: ReadonlyMap<string, WeightEntry>,
  sources: ReadonlyMap<string, ByteSource>,
): WeightReader {
  const find = (name: string) => {
    const entry = weights.get(name);
    if (!entry) throw new Error(`there is no weight ${quote(name)}`);
    return { entry, source: sources.get(entry.file)!, rowWidth: entry.shape.slice(1).reduce((n, dim) => n * dim, 1) };
  };
  const readF32 = async (name: string, first: number, n: number, into?: Float32Array) => {
    const { entry, source } = find(name);
    const target = room(n, into);
    const raw = rawPart(entry.dtype, target);
    await source.read(raw, entry.offset + first * bytesPerWeight[entry.dtype]);
    asF32(entry.dtype, raw, target);
    return target;
  };
  return {
    readF32: async (name, into) => readF32(name, 0, nElements(find(name).entry), into),
    readRowsF32: async (name, firstRow, nRows, into) => {
      const { entry, rowWidth } = find(name);
      checkRange(name, firstRow, nRows, entry.shape[0]!);
      return readF32(name, firstRow * rowWidth, nRows * rowWidth, into);
    },
    gatherRowsF32: (name, rows, into) => {
      const { entry, source, rowWidth } = find(name);
      const target = room(rows.length * rowWidth, into);
      const firstPlace = new Map<number, number>();
      for (let i = 0; i < rows.length; i++) {
        const row = rows[i]!;
        if (!(row >= 0 && row < entry.shape[0]! && Number.isInteger(row))) throw noSuchRow(entry, row);
        const earlier = firstPlace.get(row);
        if (earlier !== undefined) {
          target.copyWithin(i * rowWidth, earlier * rowWidth, (earlier + 1) * rowWidth);
          continue;
        }
        firstPlace.set(row, i);
        const place = target.subarray(i * rowWidth, (i + 1) * rowWidth);
        const raw = rawPart(entry.dtype, place);
        source.readSync(raw, entry.offset + row * rowWidth * bytesPerWeight[entry.dtype]);
        asF32(entry.dtype, raw, place);
      }
      return target;
    },
    readBytes: async (name, start, length, into) => {
      const { entry, source } = find(name);
      checkRange(name, start, length, entry.nBytes);
      const target = into?.subarray(0, length) ?? new Uint8Array(length);
      if (target.length < length) throw new RangeError(`${length} bytes do not fit into ${target.length}`);
      await source.read(target, entry.offset + start);
      return target;
    },
  };
}

const nElements = ({ nBytes, dtype }: WeightEntry) => nBytes / bytesPerWeight[dtype];

function room(n: number, into?: Float32Array): Float32Array {
  if (into && into.length < n) throw new RangeError(`${n} numbers do not fit into ${into.length}`);
  return into ? into.subarray(0, n) : new Float32Array(n);
}

/** Where the raw bytes go first: for 16 bits the upper half of the target, so that no second buffer is needed. */
const rawPart = (dtype: WeightDtype, { buffer, byteOffset, byteLength }: Float32Array) => {
  const nBytes = (byteLength / 4) * bytesPerWeight[dtype];
  return nBytes > byteLength
    ? new Uint8Array(nBytes)
    : new Uint8Array(buffer, byteOffset + byteLength - nBytes, nBytes);
};

/** Makes f32 of the raw bytes of a target. */
function asF32(dtype: WeightDtype, raw: Uint8Array, target: Float32Array): void {
  if (dtype === 'F64') roundInto(new Float64Array(raw.buffer, raw.byteOffset, target.length), target);
  else if (dtype !== 'F32') widenInPlace(dtype, target);
}

function checkRange(name: string, start: number, length: number, end: number) {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(length) && start >= 0 && length >= 0 && start + length <= end)
    return;
  throw new RangeError(`${name}: ${start} + ${length} lies outside of ${end}`);
}

const noSuchRow = ({ name, shape }: WeightEntry, row: number) =>
  new UserError(
    'badData',
    `Id ${row} is asked of ${name}, which has ${shape[0]} rows; are these ids of this model's tokenizer?`,
  );
