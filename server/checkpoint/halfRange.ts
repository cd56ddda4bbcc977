// Which matrices hold numbers that are too large for halves.
import type { Checkpoint } from './checkpoint';
import type { WeightEntry } from './weightReader';

const chunkBytes = 8 << 20;

/** The names of the matrices with a finite number of at least 65,520 in magnitude, which would become infinite. */
export async function matricesBeyondHalf(checkpoint: Checkpoint): Promise<Set<string>> {
  const beyond = new Set<string>();
  const chunk = new Uint8Array(chunkBytes);
  for (const entry of checkpoint.weights.values())
    if (entry.shape.length === 2 && entry.dtype !== 'F16' && (await isBeyond(checkpoint, entry, chunk)))
      beyond.add(entry.name);
  return beyond;
}

async function isBeyond(checkpoint: Checkpoint, { name, dtype, nBytes }: WeightEntry, chunk: Uint8Array) {
  for (let start = 0; start < nBytes; start += chunk.length) {
    const bytes = await checkpoint.readBytes(name, start, Math.min(chunk.length, nBytes - start), chunk);
    const { buffer, byteOffset, byteLength } = bytes;
    const found =
      dtype === 'BF16'
        ? hasBetween(new Uint16Array(buffer, byteOffset, byteLength / 2), 0x7fff, 0x4780, 0x7f80)
        : hasBetween(new Uint32Array(buffer, byteOffset, byteLength / 4), 0x7fffffff, 0x477ff000, 0x7f800000);
    if (found) return true;
  }
  return false;
}

/** Whether the bits of a magnitude are in [first, end). */
function hasBetween(numbers: Uint16Array | Uint32Array, magnitude: number, first: number, end: number): boolean {
  for (let i = 0; i < numbers.length; i++) {
    const bits = numbers[i]! & magnitude;
    if (bits >= first && bits < end) return true;
  }
  return false;
}
