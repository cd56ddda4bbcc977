// Random numbers that depend on nothing but where they are used, so that a run that is resumed sees the same ones.

/** Mixes 32 bits (the finaliser of MurmurHash3): every bit of the input reaches every bit of the result. */
function mix(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** A key for a place, from whole numbers such as seed, step and block. */
export const keyOf = (...place: readonly number[]): number =>
  place.reduce((key, part) => mix(key ^ mix(part + 0x9e3779b9)), 0x2545f491);

/** Number `i` of the stream of a key, in [0, 1). */
export const uniform = (key: number, i: number): number => mix(key + Math.imul(i, 0x9e3779b1)) / 2 ** 32;

/** A dropout mask: zero with probability `rate`, else 1 / (1 - rate). */
export function dropoutMask(key: number, length: number, rate: number): Float32Array {
  const kept = 1 / (1 - rate);
  const mask = new Float32Array(length);
  for (let i = 0; i < length; i++) mask[i] = uniform(key, i) < rate ? 0 : kept;
  return mask;
}

/** Uniform in [-1 / sqrt(in), 1 / sqrt(in)): what PEFT's kaiming_uniform_(a = sqrt(5)) amounts to for A [R, in]. */
export function initialA(key: number, rank: number, inFeatures: number): Float32Array {
  const bound = 1 / Math.sqrt(inFeatures);
  return Float32Array.from({ length: rank * inFeatures }, (_, i) => (2 * uniform(key, i) - 1) * bound);
}
