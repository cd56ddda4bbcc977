// float32 matrices as whole numbers of 4 or 8 bits with a scale for each block of a row, as `graph/ops/stored.ts` lays them out.
// A model is quantised whenever it is opened, so the loops allocate nothing and look at magnitudes as integers.

export interface QuantisedLayout {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  /** Numbers of a row; the last block is filled up with zeros. */
  readonly nIn: number;
}

/**
 * Quantises rows [n, nIn] to the nearest whole numbers. 8 bits: the largest magnitude of a block is 127 steps, halves go up. 4 bits: of the
 * scales that put the largest magnitude at about 7 and at about -8 steps, each then fitted to the rounded numbers by least
 * squares, the one with the smallest squared error (compare the search of GGUF's Q4_0). The scale of a block with a number that
 * is not finite is NaN, and that of numbers below 1e-36 is no smaller than the smallest normal number.
 * @param numbers [n, blocks, blockSize * bits / 8], filled
 * @param scales [n, blocks], filled
 */
export function quantiseInto(
  rows: Float32Array,
  layout: QuantisedLayout,
  numbers: Uint8Array,
  scales: Float32Array,
): void {
  if (layout.bits === 8) quantiseToBytes(rows, layout, numbers, scales);
  else quantiseToHalfBytes(rows, layout, numbers, scales);
}

/** The inverse: what the whole numbers and scales stand for, rows [n, nIn]. */
export function dequantiseInto(
  numbers: Uint8Array,
  scales: Float32Array,
  { bits, blockSize, nIn }: QuantisedLayout,
  rows: Float32Array,
): void {
  const rowBlocks = Math.ceil(nIn / blockSize);
  for (let i = 0; i < rows.length; i++) {
    const [row, column] = [Math.floor(i / nIn), i % nIn];
    const place = row * rowBlocks * blockSize + column;
    const whole = bits === 8 ? numbers[place]! - 128 : ((numbers[place >> 1]! >> (4 * (place & 1))) & 15) - 8;
    rows[i] = whole * scales[row * rowBlocks + Math.floor(column / blockSize)]!;
  }
}

/** Added to a number and taken away again, it rounds to the nearest whole number, ties to even. */
const rounding = 1.5 * 2 ** 52;

/** Scales below would lose the digits that put the largest number at its step. */
const smallestNormal = 2 ** -126;

function quantiseToBytes(
  rows: Float32Array,
  { blockSize, nIn }: QuantisedLayout,
  numbers: Uint8Array,
  scales: Float32Array,
): void {
  const bits = bitsOf(rows);
  // What fills up a last block is zero.
  numbers.fill(128);
  for (let block = 0, row = 0; block < scales.length; row += nIn)
    for (let at = 0; at < nIn; at += blockSize, block++) {
      const first = row + at;
      const end = row + Math.min(nIn, at + blockSize);
      const largest = Math.abs(largestMagnitude(rows, bits, first, end));
      scales[block] = largest > 0 ? Math.max(smallestNormal, largest / 127) : largest;
      const scale = scales[block]!;
      if (!(scale > 0)) continue;
      const inverse = 1 / scale;
      const to = block * blockSize - first;
      for (let i = first; i < end; i++) numbers[to + i] = (rows[i]! * inverse + 128.5) | 0;
    }
}

function quantiseToHalfBytes(
  rows: Float32Array,
  { blockSize, nIn }: QuantisedLayout,
  numbers: Uint8Array,
  scales: Float32Array,
): void {
  const bits = bitsOf(rows);
  numbers.fill(0x88);
  for (let block = 0, row = 0; block < scales.length; row += nIn)
    for (let at = 0; at < nIn; at += blockSize, block++) {
      const first = row + at;
      const end = row + Math.min(nIn, at + blockSize);
      const largest = largestMagnitude(rows, bits, first, end);
      scales[block] = Math.abs(largest) > 0 ? halfByteScale(rows, first, end, largest) : largest;
      const scale = scales[block]!;
      if (!(Math.abs(scale) > 0)) continue;
      const inverse = 1 / scale;
      let to = (block * blockSize) >> 1;
      for (let i = first; i < end; i += 2, to++) {
        const low = halfByte(rows[i]! * inverse);
        const high = i + 1 < end ? halfByte(rows[i + 1]! * inverse) : 0;
        numbers[to] = low + 8 + 16 * (high + 8);
      }
    }
}

/**
 * Of the scales that put `largest` at -8, -8.8, 7 and 7.8 steps, each fitted to the whole numbers q that it rounds to, the one with
 * the smallest squared error: sum x^2 - (sum x q)^2 / sum q^2 is least where the second term is largest.
 */
function halfByteScale(rows: Float32Array, first: number, end: number, largest: number): number {
  const [i0, i1, i2, i3] = [-8 / largest, -8.8 / largest, 7 / largest, 7.8 / largest];
  let [p0, p1, p2, p3] = [0, 0, 0, 0];
  let [s0, s1, s2, s3] = [0, 0, 0, 0];
  for (let i = first; i < end; i++) {
    const x = rows[i]!;
    const q0 = halfByte(x * i0);
    const q1 = halfByte(x * i1);
    const q2 = halfByte(x * i2);
    const q3 = halfByte(x * i3);
    p0 += x * q0;
    s0 += q0 * q0;
    p1 += x * q1;
    s1 += q1 * q1;
    p2 += x * q2;
    s2 += q2 * q2;
    p3 += x * q3;
    s3 += q3 * q3;
  }
  let [p, s] = [p0, s0];
  if (p1 * p1 * s > p * p * s1) [p, s] = [p1, s1];
  if (p2 * p2 * s > p * p * s2) [p, s] = [p2, s2];
  if (p3 * p3 * s > p * p * s3) [p, s] = [p3, s3];
  const scale = p / s;
  return Math.abs(scale) < smallestNormal ? Math.sign(scale) * smallestNormal : scale;
}

/** The nearest whole number in [-8, 7]. */
function halfByte(steps: number): number {
  const nearest = steps + rounding - rounding;
  return nearest > 7 ? 7 : nearest < -8 ? -8 : nearest;
}

/** Without its sign, a float32 orders like the integer of its bits, with infinities and NaN at the end. */
const bitsOf = ({ buffer, byteOffset, length }: Float32Array) => new Int32Array(buffer, byteOffset, length);

/** A number of the largest magnitude; NaN where one is not finite, so that all that is made of the block says so. */
function largestMagnitude(rows: Float32Array, bits: Int32Array, first: number, end: number): number {
  let largest = 0;
  for (let i = first; i < end; i++) {
    // The larger of both without a branch, which could not be foreseen.
    const over = ((bits[i]! & 0x7fffffff) - largest) | 0;
    largest = (largest + (over & ~(over >> 31))) | 0;
  }
  if (largest >= 0x7f800000) return Number.NaN;
  let place = first;
  while ((bits[place]! & 0x7fffffff) !== largest) place++;
  return rows[place]!;
}
