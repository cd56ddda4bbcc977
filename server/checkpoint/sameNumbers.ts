// Whether two weights of a checkpoint hold the same numbers, whatever their dtypes.
import type { WeightEntry, WeightReader } from './weightReader';

/**
 * Reads chunk by chunk and ends at the first difference. Both are [rows, columns] of one shape; a NaN differs from itself, as
 * in torch.equal.
 */
export async function sameNumbers(
  reader: WeightReader,
  weights: ReadonlyMap<string, WeightEntry>,
  one: string,
  other: string,
): Promise<boolean> {
  const [nRows, width] = weights.get(one)!.shape as [number, number];
  const chunkRows = Math.max(1, Math.floor(chunkNumbers / width));
  const buffers = [new Float32Array(chunkRows * width), new Float32Array(chunkRows * width)] as const;
  for (let row = 0; row < nRows; row += chunkRows) {
    const n = Math.min(chunkRows, nRows - row);
    const [a, b] = await Promise.all([
      reader.readRowsF32(one, row, n, buffers[0]),
      reader.readRowsF32(other, row, n, buffers[1]),
    ]);
    for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  }
  return true;
}

const chunkNumbers = 2 ** 19;
