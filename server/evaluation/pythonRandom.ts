// Python's random.Random(seed), number by number: the Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998) with the
// seeding and the draws of CPython. Which examples come before a question, and a bootstrapped error, hang on it. Pure.

export interface PythonRandom {
  /** [0, 1), in steps of 2^-53. */
  random(): number;
  /** `count` distinct members of a population, in the order in which they are drawn. */
  sample<T>(population: readonly T[], count: number): T[];
}

const size = 624;
const middle = 397;

/** `seed` is a whole number in [0, 2^32). */
export function pythonRandom(seed: number): PythonRandom {
  const state = seeded(seed);
  let at = size;

  const next32 = (): number => {
    if (at === size) {
      twist(state);
      at = 0;
    }
    let y = state[at++]!;
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };

  /** A whole number in [0, n): as many bits as n has, drawn again until they are below it. */
  const below = (n: number): number => {
    const unused = Math.clz32(n);
    let drawn = next32() >>> unused;
    while (drawn >= n) drawn = next32() >>> unused;
    return drawn;
  };

  return {
    random() {
      const high = next32() >>> 5;
      const low = next32() >>> 6;
      return (high * 2 ** 26 + low) / 2 ** 53;
    },
    sample(population, count) {
      const n = population.length;
      if (count > n) throw new Error(`${count} of ${n} cannot be drawn`);
      // CPython takes whichever needs less memory, a copy of the list or a set of what is taken, and they draw apart.
      const setSize = 21 + (count > 5 ? 4 ** Math.ceil(Math.log(count * 3) / Math.log(4)) : 0);
      if (n <= setSize) {
        const pool = [...population];
        return Array.from({ length: count }, (_, i) => {
          const j = below(n - i);
          const drawn = pool[j]!;
          pool[j] = pool[n - i - 1]!;
          return drawn;
        });
      }
      const taken = new Set<number>();
      return Array.from({ length: count }, () => {
        let j = below(n);
        while (taken.has(j)) j = below(n);
        taken.add(j);
        return population[j]!;
      });
    },
  };
}

/** init_by_array with the seed as its only key. */
function seeded(seed: number): Uint32Array {
  const state = new Uint32Array(size);
  state[0] = 19650218;
  const before = (i: number): number => state[i - 1]! ^ (state[i - 1]! >>> 30);
  for (let i = 1; i < size; i++) state[i] = Math.imul(1812433253, before(i)) + i;
  let i = 1;
  const onwards = (mix: (i: number) => number): void => {
    state[i] = mix(i);
    if (++i < size) return;
    state[0] = state[size - 1]!;
    i = 1;
  };
  for (let k = 0; k < size; k++) onwards((i) => (state[i]! ^ Math.imul(before(i), 1664525)) + seed);
  for (let k = 1; k < size; k++) onwards((i) => (state[i]! ^ Math.imul(before(i), 1566083941)) - i);
  state[0] = 0x80000000;
  return state;
}

function twist(state: Uint32Array): void {
  for (let i = 0; i < size; i++) {
    const y = (state[i]! & 0x80000000) | (state[(i + 1) % size]! & 0x7fffffff);
    state[i] = state[(i + middle) % size]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
  }
}
