// Whole numbers and scales are those of the plain definition, number by number: the one below allocates, rounds by Math.round
// and takes no shortcut.
import { describe, expect, it } from 'vitest';
import { dequantiseInto, quantiseInto } from '../../server/checkpoint/quantise';

/** To the nearest whole number, ties to even. */
function nearest(x: number): number {
  const down = Math.floor(x);
  const rest = x - down;
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down;
}

const wholesAt = (values: readonly number[], scale: number, most: number) =>
  values.map((x) => Math.min(most, Math.max(-most - 1, nearest(x / scale))));
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

function plainBlock(values: readonly number[], bits: 4 | 8): { scale: number; wholes: number[] } {
  if (!values.every(Number.isFinite)) return { scale: Number.NaN, wholes: values.map(() => 0) };
  const largest = values.reduce((most, x) => (Math.abs(x) > Math.abs(most) ? x : most), 0);
  if (largest === 0) return { scale: 0, wholes: values.map(() => 0) };
  if (bits === 8) {
    const scale = Math.fround(Math.abs(largest) / 127);
    return { scale, wholes: wholesAt(values, scale, 127) };
  }
  const fits = [-8, -8.8, 7, 7.8].map((steps) => {
    const wholes = wholesAt(values, largest / steps, 7);
    const scale = dot(values, wholes) / dot(wholes, wholes);
    const off = wholes.map((whole, i) => values[i]! - whole * scale);
    return { scale, error: dot(off, off) };
  });
  const scale = Math.fround(fits.reduce((best, fit) => (fit.error < best.error ? fit : best)).scale);
  return { scale, wholes: wholesAt(values, scale, 7) };
}

/** Numbers like those of weights: most are small, some are large. */
function weights(n: number, seed: number, size: number): Float32Array {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  return Float32Array.from(
    { length: n },
    () => size * Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
  );
}

function quantised(rows: Float32Array, nIn: number, bits: 4 | 8, blockSize: number) {
  const nBlocks = (rows.length / nIn) * Math.ceil(nIn / blockSize);
  const numbers = new Uint8Array((nBlocks * blockSize * bits) / 8).fill(77);
  const scales = new Float32Array(nBlocks).fill(77);
  quantiseInto(rows, { bits, blockSize, nIn }, numbers, scales);
  const wholes = Array.from({ length: nBlocks * blockSize }, (_, i) =>
    bits === 8 ? numbers[i]! - 128 : ((numbers[i >> 1]! >> (4 * (i % 2))) & 15) - 8,
  );
  return { numbers, scales, wholes };
}

const layouts = [
  { bits: 8, blockSize: 32 },
  { bits: 4, blockSize: 16 },
  { bits: 4, blockSize: 32 },
] as const;
/** Rows of whole blocks, and rows whose last block is filled up, with an odd number of them too. */
const widths = [64, 172, 33];

describe.each(layouts)('$bits bits in blocks of $blockSize', ({ bits, blockSize }) => {
  it.each(widths)('are those of the definition in rows of %i numbers', (nIn) => {
    const rows = weights(8 * nIn, nIn, 0.02);
    // A row of zeros, one with two that are equally large, one that is not finite, and a part of a larger array.
    rows.fill(0, nIn, 2 * nIn);
    rows.set([0.5, -0.5, 0.5], 2 * nIn);
    rows[3 * nIn + 5] = Number.NEGATIVE_INFINITY;
    const part = rows.subarray(nIn);
    const { scales, wholes } = quantised(part, nIn, bits, blockSize);
    const nBlocks = Math.ceil(nIn / blockSize);
    for (const [block, scale] of scales.entries()) {
      const first = Math.floor(block / nBlocks) * nIn + (block % nBlocks) * blockSize;
      const end = Math.min(first + blockSize, (Math.floor(block / nBlocks) + 1) * nIn);
      const plain = plainBlock([...part.subarray(first, end)], bits);
      expect(scale, `scale of block ${block}`).toBe(plain.scale);
      const filled = [...plain.wholes, ...Array(blockSize - plain.wholes.length).fill(0)];
      expect(wholes.slice(block * blockSize, (block + 1) * blockSize)).toEqual(filled.map((whole) => whole + 0));
    }
  });

  it('stand for numbers that are half a step off at most', () => {
    const nIn = 96;
    const rows = weights(16 * nIn, 5, 1);
    const { numbers, scales } = quantised(rows, nIn, bits, blockSize);
    const back = new Float32Array(rows.length);
    dequantiseInto(numbers, scales, { bits, blockSize, nIn }, back);
    const steps = back.map((x, i) => Math.abs(x - rows[i]!) / Math.abs(scales[Math.floor(i / blockSize)]!));
    // With 4 bits the largest number may lie beyond the last step.
    expect(Math.max(...steps)).toBeLessThan(bits === 8 ? 0.5001 : 1.6);
  });

  it('hold numbers of any size', () => {
    for (const size of [1e-40, 1e-38, 1e30]) {
      const rows = weights(blockSize, 9, size);
      const { scales, wholes } = quantised(rows, blockSize, bits, blockSize);
      const off = wholes.map((whole, i) => Math.abs(whole * scales[0]! - rows[i]!));
      expect(Math.max(...off)).toBeLessThanOrEqual(Math.max(1.6 * Math.abs(scales[0]!), 2e-45));
    }
  });
});
