// Which matrices hold numbers that are too large for halves.
import type { Checkpoint } from './checkpoint';
import type { WeightEntry } from './weightReader';

/** Numbers that are looked at together. */
const chunkLength = 2 ** 21;

/** The names of the matrices with a finite number of at least 65,520 in magnitude, which would become infinite. */
export async function matricesBeyondHalf(checkpoint: Checkpoint): Promise<Set<string>> {
  const beyond = new Set<string>();
  for (const entry of checkpoint.weights.values())
    if (entry.shape.length === 2 && entry.dtype !== 'F16' && (await isBeyond(checkpoint, entry)))
      beyond.add(entry.name);
  return beyond;
}

async function isBeyond(checkpoint: Checkpoint, { name, shape }: WeightEntry): Promise<boolean> {
  const [nRows, width] = shape as [number, number];
  const rowsEach = Math.max(1, Math.floor(chunkLength / width));
  const chunk = new Float32Array(Math.min(nRows, rowsEach) * width);
  for (let first = 0; first < nRows; first += rowsEach) {
    const numbers = await checkpoint.readRowsF32(name, first, Math.min(rowsEach, nRows - first), chunk);
    for (let i = 0; i < numbers.length; i++) {
      const magnitude = Math.abs(numbers[i]!);
      if (magnitude >= 65_520 && magnitude < Number.POSITIVE_INFINITY) return true;
    }
  }
  return false;
}
