// The dtypes of weights as bits: widening to f32 in place, narrowing with round to nearest, ties to even.
// Typed arrays have the machine's byte order; every platform with onnxruntime is little-endian, as safetensors is.
import type { WeightDtype } from '../model/config';

export const bytesPerWeight: Readonly<Record<WeightDtype, number>> = { F64: 8, F32: 4, F16: 2, BF16: 2 };

/** f64 rounded to f32, as torch does it: to the nearest, ties to even, beyond the range to an infinity. */
export function roundInto(source: Float64Array, target: Float32Array): void {
  target.set(source);
}

/**
 * Widens 16-bit numbers that lie in the upper half of `target`'s bytes to f32 over all of it, in place.
 * Going forward is safe: number i is written to bytes 4i..4i+3, and those still to be read begin at 2n + 2(i+1).
 */
export function widenInPlace(dtype: 'F16' | 'BF16', target: Float32Array): void {
  const n = target.length;
  widenInto(dtype, new Uint16Array(target.buffer, target.byteOffset + 2 * n, n), target);
}

/** Widens 16-bit numbers to f32; exact, including subnormals, infinities and the payload of NaNs. */
export function widenInto(dtype: 'F16' | 'BF16', source: Uint16Array, target: Float32Array): void {
  const n = source.length;
  const bits = new Uint32Array(target.buffer, target.byteOffset, n);
  if (dtype === 'BF16') {
    for (let i = 0; i < n; i++) bits[i] = source[i]! << 16;
  } else {
    halfAsFloatBits ??= makeHalfTable();
    for (let i = 0; i < n; i++) bits[i] = halfAsFloatBits[source[i]!]!;
  }
}

/**
 * Narrows f32 to 16 bits, to the nearest, ties to even.
 * @returns how many finite numbers were too large and became infinite.
 */
export function narrowInto(dtype: 'F16' | 'BF16', source: Float32Array, target: Uint16Array): number {
  const bits = new Uint32Array(source.buffer, source.byteOffset, source.length);
  const narrow = dtype === 'BF16' ? bfloatOfFloatBits : halfOfFloatBits;
  const infinity = dtype === 'BF16' ? 0x7f80 : 0x7c00;
  let nOverflowed = 0;
  for (let i = 0; i < bits.length; i++) {
    const narrowed = narrow(bits[i]!);
    target[i] = narrowed;
    if ((narrowed & 0x7fff) === infinity && (bits[i]! & 0x7fffffff) < 0x7f800000) nOverflowed++;
  }
  return nOverflowed;
}

/** bfloat16 numbers as halves, to the nearest, in place. What is beyond the range of halves becomes infinite. */
export function halvesOfBfloats(numbers: Uint16Array): void {
  bfloatAsHalf ??= Uint16Array.from({ length: 65536 }, (_, bits) => halfOfFloatBits((bits << 16) >>> 0));
  for (let i = 0; i < numbers.length; i++) numbers[i] = bfloatAsHalf[numbers[i]!]!;
}

/** The half nearest to every bfloat16 number: 128 kB, made when first needed. */
let bfloatAsHalf: Uint16Array | undefined;

function bfloatOfFloatBits(bits: number): number {
  // The quiet bit keeps a NaN whose payload lies in the lower half from becoming an infinity.
  if ((bits & 0x7fffffff) > 0x7f800000) return (bits >>> 16) | 0x40;
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

function halfOfFloatBits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00 | ((magnitude >>> 13) & 0x3ff);
  if (magnitude >= 0x47800000) return sign | 0x7c00; // 65536 and more
  // Exponents rebased from 127 to 15; a carry out of the fraction rounds up into the next exponent, or to infinity.
  if (magnitude >= 0x38800000) return sign | roundEven(magnitude - 0x38000000, 13);
  // Subnormal halves count in units of 2^-24; below half a unit all is zero.
  const exponent = magnitude >>> 23;
  if (exponent < 102) return sign;
  return sign | roundEven((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

/** `value / 2^shift` to the nearest whole number, ties to even. */
const roundEven = (value: number, shift: number) => (value + 2 ** (shift - 1) - 1 + ((value >>> shift) & 1)) >>> shift;

let halfAsFloatBits: Uint32Array | undefined;

/** f32 bits of every half: 256 kB, made when first needed. */
function makeHalfTable(): Uint32Array {
  const table = new Uint32Array(65536);
  const one = new Float32Array(1);
  const oneBits = new Uint32Array(one.buffer);
  for (let half = 0; half < 65536; half++) {
    const sign = (half & 0x8000) << 16;
    const exponent = (half >>> 10) & 31;
    const fraction = half & 0x3ff;
    if (exponent === 31) table[half] = sign | 0x7f800000 | (fraction << 13);
    else {
      one[0] = exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
      table[half] = sign | oneBits[0]!;
    }
  }
  return table;
}
