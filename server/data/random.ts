// Draws that are the same on every machine, by a seed. Pure.

/** The first `n` places of a Fisher-Yates shuffle of 0 .. `of` - 1, by the generator below. */
export function drawn(n: number, of: number, seed: number): number[] {
  const random = mulberry32(seed);
  const places = Uint32Array.from({ length: of }, (_, i) => i);
  return Array.from({ length: n }, (_, i) => {
    const j = i + Math.floor(random() * (of - i));
    const chosen = places[j] ?? 0;
    places[j] = places[i] ?? 0;
    return chosen;
  });
}

/** Tommy Ettinger's mulberry32: small, the same everywhere, good enough for a draw. Gives [0, 1) in steps of 2^-32. */
export function mulberry32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}
