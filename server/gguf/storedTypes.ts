// How numbers are stored in a GGUF file, rounded to the bit as gguf-py rounds them (gguf/quants.py), which gives what
// llama.cpp's own reference functions give.
import { narrowInto } from '../checkpoint/dtype';

interface Stored {
  /** In the file. */
  readonly id: number;
  /** So many numbers of a row share a scale. */
  readonly blockSize: number;
  readonly blockBytes: number;
  /** @returns how many finite numbers were too large for it */
  readonly write: (numbers: Float32Array, into: Uint8Array) => number;
}

export const storedTypes = {
  f32: { id: 0, blockSize: 1, blockBytes: 4, write: writeF32 },
  f16: { id: 1, blockSize: 1, blockBytes: 2, write: writeF16 },
  q4_0: { id: 2, blockSize: 32, blockBytes: 18, write: writeQ4 },
  q8_0: { id: 8, blockSize: 32, blockBytes: 34, write: writeQ8 },
} as const satisfies Record<string, Stored>;

export type StoredType = keyof typeof storedTypes;

export const bytesOf = (type: StoredType, shape: readonly number[]): number => {
  const { blockSize, blockBytes } = storedTypes[type];
  return (shape.reduce((n, side) => n * side, 1) / blockSize) * blockBytes;
};

/** Whether rows of this length are whole blocks. */
export const holdsRowsOf = (type: StoredType, width: number): boolean => width % storedTypes[type].blockSize === 0;

function writeF32(numbers: Float32Array, into: Uint8Array): number {
  into.set(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength));
  return 0;
}

function writeF16(numbers: Float32Array, into: Uint8Array): number {
  return narrowInto('F16', numbers, new Uint16Array(into.buffer, into.byteOffset, numbers.length));
}

/** x is about d q; d = max |x| / 127 as a half, q = x / d to the nearest in int8, halves away from zero. All in float32. */
function writeQ8(numbers: Float32Array, into: Uint8Array): number {
  const { blockSize, blockBytes } = storedTypes.q8_0;
  const scales = new Float32Array(numbers.length / blockSize);
  for (let b = 0; b < scales.length; b++) {
    const first = b * blockSize;
    let most = 0;
    for (let i = first; i < first + blockSize; i++) most = Math.max(most, Math.abs(numbers[i]!));
    scales[b] = most / 127;
    const inverse = scales[b] === 0 ? 0 : Math.fround(1 / scales[b]!);
    const at = b * blockBytes + 2;
    for (let i = 0; i < blockSize; i++) {
      const x = Math.fround(numbers[first + i]! * inverse);
      into[at + i] = x < 0 ? -Math.floor(0.5 - x) : Math.floor(x + 0.5);
    }
  }
  return writeScales(scales, blockBytes, into);
}

/** d = the number of the largest magnitude / -8, q = x / d + 8 to the nearest in 0 to 15; the block's second half lies in the upper bits. */
function writeQ4(numbers: Float32Array, into: Uint8Array): number {
  const { blockSize, blockBytes } = storedTypes.q4_0;
  const scales = new Float32Array(numbers.length / blockSize);
  const level = (x: number, inverse: number) => Math.min(15, Math.trunc(Math.fround(Math.fround(x * inverse) + 8.5)));
  for (let b = 0; b < scales.length; b++) {
    const first = b * blockSize;
    let most = 0;
    for (let i = first; i < first + blockSize; i++) if (Math.abs(numbers[i]!) > Math.abs(most)) most = numbers[i]!;
    scales[b] = most / -8;
    const inverse = scales[b] === 0 ? 0 : Math.fround(1 / scales[b]!);
    const at = b * blockBytes + 2;
    const half = blockSize / 2;
    for (let i = 0; i < half; i++)
      into[at + i] = level(numbers[first + i]!, inverse) | (level(numbers[first + half + i]!, inverse) << 4);
  }
  return writeScales(scales, blockBytes, into);
}

/** As halves, at the beginning of each block. */
function writeScales(scales: Float32Array, blockBytes: number, into: Uint8Array): number {
  const halves = new Uint16Array(scales.length);
  const nOverflowed = narrowInto('F16', scales, halves);
  for (const [b, half] of halves.entries()) {
    into[b * blockBytes] = half & 0xff;
    into[b * blockBytes + 1] = half >>> 8;
  }
  return nOverflowed;
}
