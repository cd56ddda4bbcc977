// float32 matrices as whole numbers of 4 or 8 bits with a scale for each block of a row, as `graph/ops/stored.ts` lays them out.

export interface QuantisedLayout {
  readonly bits: 4 | 8;
  readonly blockSize: number;
  /** Numbers of a row; the last block is filled up with zeros. */
  readonly nIn: number;
}

/**
 * Quantises rows [n, nIn] to the nearest whole numbers. 8 bits: the largest magnitude of a block is 127 steps. 4 bits: of the
 * scales that put the largest magnitude at about 7 and at about -8 steps, each then fitted to the rounded numbers by least
 * squares, the one with the smallest squared error (compare the search of GGUF's Q4_0). The scale of a block with a number that
 * is not finite is NaN.
 * @param numbers [n, blocks, blockSize * bits / 8], filled
 * @param scales [n, blocks], filled
 */
export function quantiseInto(
  rows: Float32Array,
  { bits, blockSize, nIn }: QuantisedLayout,
  numbers: Uint8Array,
  scales: Float32Array,
): void {
  const nBlocks = Math.ceil(nIn / blockSize);
  const rounded = new Float64Array(blockSize);
  const bytesOfBlock = (blockSize * bits) / 8;
  for (let block = 0; block < scales.length; block++) {
    const row = Math.floor(block / nBlocks);
    const first = row * nIn + (block % nBlocks) * blockSize;
    const values = { rows, first, end: Math.min(first + blockSize, (row + 1) * nIn) };
    rounded.fill(0);
    scales[block] = bits === 8 ? roundToBytes(values, rounded) : roundToHalfBytes(values, rounded);
    const at = block * bytesOfBlock;
    if (bits === 8) for (let i = 0; i < blockSize; i++) numbers[at + i] = rounded[i]! + 128;
    else for (let i = 0; i < blockSize; i += 2) numbers[at + i / 2] = (rounded[i]! + 8) | ((rounded[i + 1]! + 8) << 4);
  }
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

/** Numbers [first, end) of some rows. */
interface Values {
  readonly rows: Float32Array;
  readonly first: number;
  readonly end: number;
}

function roundToBytes(values: Values, rounded: Float64Array): number {
  const scale = Math.fround(Math.abs(extreme(values)) / 127);
  if (scale > 0) round(values, scale, 127, rounded);
  return scale;
}

/** Steps at which the largest magnitude is tried. */
const stepsOfExtreme = [-8, -8.8, 7, 7.8];

function roundToHalfBytes(values: Values, rounded: Float64Array): number {
  const most = extreme(values);
  if (most === 0 || Number.isNaN(most)) return most;
  let least = Number.POSITIVE_INFINITY;
  let best = 0;
  for (const steps of stepsOfExtreme) {
    round(values, most / steps, 7, rounded);
    const scale = Math.fround(fitted(values, rounded) || most / steps);
    const error = round(values, scale, 7, rounded);
    if (error < least) {
      least = error;
      best = scale;
    }
  }
  round(values, best, 7, rounded);
  return best;
}

/** The number of the largest magnitude; NaN where one is not finite, so that all that is made of the block says so. */
function extreme({ rows, first, end }: Values): number {
  let most = 0;
  for (let i = first; i < end; i++) {
    const number = rows[i]!;
    if (!Number.isFinite(number)) return Number.NaN;
    if (Math.abs(number) > Math.abs(most)) most = number;
  }
  return most;
}

/** Added to a number and taken away again, it rounds to the nearest whole number, ties to even. */
const rounding = 1.5 * 2 ** 52;

/** Whole numbers in [-most - 1, most]. @returns the squared error */
function round({ rows, first, end }: Values, scale: number, most: number, rounded: Float64Array): number {
  const inverse = 1 / scale;
  let error = 0;
  for (let i = first; i < end; i++) {
    const nearest = rows[i]! * inverse + rounding - rounding;
    const kept = nearest > most ? most : nearest < -most - 1 ? -most - 1 : nearest;
    rounded[i - first] = kept;
    const off = rows[i]! - kept * scale;
    error += off * off;
  }
  return error;
}

/** The scale that is best for these whole numbers by least squares; 0 where all are zero. */
function fitted({ rows, first, end }: Values, rounded: Float64Array): number {
  let products = 0;
  let squares = 0;
  for (let i = first; i < end; i++) {
    const whole = rounded[i - first]!;
    products += rows[i]! * whole;
    squares += whole * whole;
  }
  return squares === 0 ? 0 : products / squares;
}
