// The standard normal distribution.

/**
 * z with P(Z > z) = p, for p in (0, 1); error below 4.5e-4 (Abramowitz and Stegun, Handbook of Mathematical Functions,
 * 26.2.23).
 */
export function upperQuantile(p: number): number {
  if (p > 0.5) return -upperQuantile(1 - p);
  const t = Math.sqrt(-2 * Math.log(p));
  const above = 2.515517 + t * (0.802853 + t * 0.010328);
  const below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
  return t - above / below;
}
