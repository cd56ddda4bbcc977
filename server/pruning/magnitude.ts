// Magnitude pruning of single weights: the smallest of a matrix become zero, as many as a ratio asks for.

export interface Sparsified {
  readonly nZeroed: number;
  /** The largest magnitude that became zero; 0 when none did. */
  readonly threshold: number;
}

/**
 * Zeroes the floor(ratio n) numbers of least magnitude in place; of equal ones those that come first. (Han et al.,
 * arXiv:1506.02626, one matrix at a time.)
 * @param ratio in [0, 1)
 */
export function zeroSmallest(weights: Float32Array, ratio: number): Sparsified {
  const count = Math.floor(ratio * weights.length);
  if (count === 0) return { nZeroed: 0, threshold: 0 };
  // The bits of a float without its sign are in the order of its magnitude.
  const bits = new Uint32Array(weights.buffer, weights.byteOffset, weights.length);
  const { value, nBelow } = smallest(bits, count);
  let ties = count - nBelow;
  for (let i = 0; i < bits.length; i++) {
    const magnitude = bits[i]! & 0x7fffffff;
    if (magnitude < value || (magnitude === value && ties-- > 0)) bits[i] = 0;
  }
  return { nZeroed: count, threshold: new Float32Array(Uint32Array.of(value).buffer)[0]! };
}

/** The `rank`-th smallest magnitude, counted from 1, and how many are smaller: by its upper 16 bits, then its lower ones. */
function smallest(bits: Uint32Array, rank: number): { value: number; nBelow: number } {
  const upper = new Uint32Array(2 ** 15);
  for (const b of bits) upper[(b & 0x7fffffff) >>> 16]!++;
  let nBelow = 0;
  let high = 0;
  while (nBelow + upper[high]! < rank) nBelow += upper[high++]!;
  const lower = new Uint32Array(2 ** 16);
  for (const b of bits) if ((b & 0x7fffffff) >>> 16 === high) lower[b & 0xffff]!++;
  let low = 0;
  while (nBelow + lower[low]! < rank) nBelow += lower[low++]!;
  return { value: high * 65536 + low, nBelow };
}
