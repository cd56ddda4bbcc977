// Whether a difference is more than chance: exact where answers are right or wrong, Student's t elsewhere, and Holm's
// correction over many of them.

/**
 * McNemar's exact test, two-sided: of the items that only one of two models answers right, each is as likely to be the
 * one's as the other's. min(1, 2 P(X <= min)) for X ~ Binomial(n, 1/2).
 */
export function mcnemar(toWrong: number, toRight: number): number {
  const n = toWrong + toRight;
  const least = Math.min(toWrong, toRight);
  // From the largest term down, C(n, k - 1) = C(n, k) k / (n - k + 1), relative to it: 2^-n alone would vanish.
  let sum = 0;
  let term = 1;
  for (let k = least; k >= 0; k--) {
    sum += term;
    term *= k / (n - k + 1);
  }
  let logLargest = -n * Math.LN2;
  for (let i = 1; i <= least; i++) logLargest += Math.log((n - least + i) / i);
  return Math.min(1, 2 * sum * Math.exp(logLargest));
}

/** P(|T| >= |mean / stderr|) for Student's T of n - 1 degrees of freedom. */
export function pairedT(mean: number, stderr: number, n: number): number {
  if (mean === 0) return 1;
  const t = mean / stderr;
  const freedom = n - 1;
  return incompleteBeta(freedom / (freedom + t * t), freedom / 2, 0.5);
}

/**
 * Holm's step-down procedure: which of the hypotheses fall when the chance of any wrong one is to stay below `level`.
 * The smallest p must be below level / m, the next below level / (m - 1), until one is not.
 */
export function holm(pValues: readonly number[], level: number): boolean[] {
  const order = pValues.map((_, i) => i).sort((a, b) => pValues[a]! - pValues[b]!);
  const firstKept = order.findIndex((i, rank) => pValues[i]! > level / (pValues.length - rank));
  const fallen = new Set(order.slice(0, firstKept === -1 ? order.length : firstKept));
  return pValues.map((_, i) => fallen.has(i));
}

/** I_x(a, b), by its continued fraction (Abramowitz and Stegun 26.5.8) on the side where that converges fast. */
function incompleteBeta(x: number, a: number, b: number): number {
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  if (x > (a + 1) / (a + b + 2)) return 1 - incompleteBeta(1 - x, b, a);
  const front = Math.exp(logGamma(a + b) - logGamma(a) - logGamma(b) + a * Math.log(x) + b * Math.log1p(-x)) / a;
  // 1 / (1 + d1 / (1 + d2 / (1 + ...))), evaluated from the back: two hundred terms are ample for sqrt(a) up to 100.
  let fraction = 1;
  for (let m = 200; m >= 1; m--) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    const odd = (-(a + m - 1) * (a + b + m - 1) * x) / ((a + 2 * m - 2) * (a + 2 * m - 1));
    fraction = 1 + odd / (1 + even / fraction);
  }
  return front / fraction;
}

/** Stirling's series, after shifting the argument up to where its first terms are enough. */
function logGamma(z: number): number {
  let shift = 0;
  let x = z;
  for (; x < 12; x++) shift -= Math.log(x);
  const inverse = 1 / (x * x);
  const series = (1 / 12 - inverse * (1 / 360 - inverse * (1 / 1260 - inverse / 1680))) / x;
  return shift + (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + series;
}
