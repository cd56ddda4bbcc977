// Which matrices hold numbers that are too large for halves.
import type { Checkpoint } from './checkpoint';
import type { WeightEntry } from './weightReader';

/** Numbers that are looked at together. */
const chunkLength = 2 ** 20;

/** The names of the matrices with a finite number of at least 65,520 in magnitude, which would become infinite. */
export async function matricesBeyondHalf(checkpoint: Checkpoint): Promise<Set<string>> {
  const beyond = new Set<string>();
  for (const entry of checkpoint.weights.values())
    if (entry.shape.length === 2 && entry.dtype !== 'F16' && (await isBeyond(checkpoint, entry)))
      beyond.add(entry.name);
  return beyond;
}

async function isBeyond(checkpoint: Checkpoint, { name, shape, dtype }: WeightEntry): Promise<boolean> {
  const [nRows, width] = shape as [number, number];
  const rowsEach = Math.max(1, Math.min(nRows, Math.floor(chunkLength / width)));
  const chunk = new Float32Array(rowsEach * width);
  for (let first = 0; first < nRows; first += rowsEach) {
    const n = Math.min(rowsEach, nRows - first) * width;
    if (dtype === 'BF16') {
      const bytes = new Uint8Array(chunk.buffer, 0, 2 * n);
      await checkpoint.readBytes(name, 2 * first * width, 2 * n, bytes);
      if (hasBeyond16(new Uint16Array(chunk.buffer, 0, n))) return true;
    } else {
      const floats = await checkpoint.readRowsF32(name, first, n / width, chunk.subarray(0, n));
      if (hasBeyond32(new Int32Array(floats.buffer, floats.byteOffset, n))) return true;
    }
  }
  return false;
}

// Without its sign, a float orders like the integer of its bits; infinities and NaN come last.

/** Of bfloat16: from 65,536 on, since the one before is 65,280. */
function hasBeyond16(bits: Uint16Array): boolean {
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fff;
    if (magnitude >= 0x4780 && magnitude < 0x7f80) return true;
  }
  return false;
}

/** Of float32: from 65,520 on, which rounds to 65,536. */
function hasBeyond32(bits: Int32Array): boolean {
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fffffff;
    if (magnitude >= 0x477ff000 && magnitude < 0x7f800000) return true;
  }
  return false;
}
