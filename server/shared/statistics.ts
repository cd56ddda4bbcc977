// The standard normal distribution, and the intervals that are read with it. Pure.

/**
 * z with P(Z > z) = 0.025: half of a 95 % interval in standard errors. The harness' errors are read with it, too;
 * Student's quantile would be 3 % larger at 40 items, less than the error of an error there.
 */
export const normalQuantile = 1.959963984540054;

/** [value - z stderr, value + z stderr], the 95 % interval of a value with this standard error. */
export const interval95 = (value: number, standardError: number): [low: number, high: number] => [
  value - normalQuantile * standardError,
  value + normalQuantile * standardError,
];

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
