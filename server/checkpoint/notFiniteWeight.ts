// Weights that are NaN or infinite: found by their bits, a portion at a time, in the dtype in which they are on disk.
import { UserError } from '../errors';
import type { WeightDtype } from '../model/config';
import { allFinite } from '../shared/finite';
import { bytesPerWeight } from './dtype';
import type { Checkpoint } from './checkpoint';
import type { WeightEntry, WeightReader } from './weightReader';

/** A number of a weight that is not finite. */
export interface NotFiniteWeight {
  readonly name: string;
  /** The place along each axis. */
  readonly index: readonly number[];
  readonly file: string;
  readonly value: 'NaN' | 'Inf' | '-Inf';
}

/** The exponent's bits, all of which are set in NaN and the infinities, and those of the fraction and the sign. */
const layouts: Readonly<Record<WeightDtype, { exponent: number; fraction: number; sign: number }>> = {
  // Of the upper half, as it is read; a payload in the lower half alone is looked at, too.
  F64: { exponent: 0x7ff00000, fraction: 0x000fffff, sign: 0x80000000 },
  F32: { exponent: 0x7f800000, fraction: 0x007fffff, sign: 0x80000000 },
  F16: { exponent: 0x7c00, fraction: 0x03ff, sign: 0x8000 },
  BF16: { exponent: 0x7f80, fraction: 0x007f, sign: 0x8000 },
};

const portionBytes = 2 ** 22;

/** The first number of some weights, in their order, that is not finite; null: there is none. Errors as in `readBytes`. */
export async function firstNotFiniteWeight(
  { readBytes }: Pick<WeightReader, 'readBytes'>,
  weights: Iterable<WeightEntry>,
): Promise<NotFiniteWeight | null> {
  const buffer = new Uint8Array(portionBytes);
  for (const weight of weights)
    for (let start = 0; start < weight.nBytes; start += portionBytes) {
      const bytes = await readBytes(weight.name, start, Math.min(portionBytes, weight.nBytes - start), buffer);
      const found = notFiniteIn(weight, bytes, start);
      if (found) return found;
    }
  return null;
}

/**
 * The first number that is not finite in a portion of a weight; null: there is none.
 * @param bytes as on disk, from byte `start` of the weight on
 */
export function notFiniteIn(weight: WeightEntry, bytes: Uint8Array, start: number): NotFiniteWeight | null {
  const { dtype, shape, name, file } = weight;
  const { exponent, fraction, sign } = layouts[dtype];
  const each = bytesPerWeight[dtype];
  const wordBytes = Math.min(each, 4);
  const at = [bytes.buffer, bytes.byteOffset, bytes.length / wordBytes] as const;
  const words = wordBytes === 4 ? new Uint32Array(...at) : new Uint16Array(...at);
  const perNumber = each / wordBytes;
  for (let i = 0; i < bytes.length / each; i++) {
    const bits = words[i * perNumber + perNumber - 1]!;
    if ((bits & exponent) !== exponent) continue;
    const below = perNumber === 2 ? words[2 * i]! : 0;
    const value = (bits & fraction) !== 0 || below !== 0 ? 'NaN' : (bits & sign) !== 0 ? '-Inf' : 'Inf';
    return { name, file, value, index: indexOf(start / each + i, shape) };
  }
  return null;
}

/** `model.norm.weight[3] in model.safetensors is NaN`. */
export const weightInWords = ({ name, index, file, value }: NotFiniteWeight): string =>
  `${name}[${index.join(', ')}] in ${file} is ${value}`;

/** A weight as f32, [rows x columns] flat. Throws UserError('notFinite') for one that is not finite throughout. */
export async function readFinite(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const numbers = await checkpoint.readF32(name);
  if (allFinite(numbers)) return numbers;
  throw notFiniteWeight((await firstNotFiniteWeight(checkpoint, [checkpoint.weights.get(name)!]))!, 'read');
}

/** Why no model is written: a weight that was read, or one that was made of those. */
export function notFiniteWeight(found: NotFiniteWeight, from: 'read' | 'computed'): UserError {
  const sentence =
    from === 'read'
      ? `${weightInWords(found)}, so that nothing can be made of this model; get the weights again, or make them anew.`
      : `${found.name}[${found.index.join(', ')}] comes out as ${found.value}, beyond the range of float32, so that no model is written; look for weights that are much too large.`;
  return new UserError('notFinite', sentence);
}

/** The place along each axis of element `at` in the order of memory. */
function indexOf(at: number, shape: readonly number[]): number[] {
  let rest = at;
  return shape.reduceRight<number[]>((index, dim) => {
    index.unshift(rest % dim);
    rest = Math.floor(rest / dim);
    return index;
  }, []);
}
