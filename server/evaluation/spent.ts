// Sums of the work and the time of evaluations that are reported as one. Pure.
import type { Timing } from '../protocol/reports';
import type { ScoringWork } from '../recipes/evaluate/recipe';

/** `base` stays that of the first. */
export const addedWork = (a: ScoringWork, b: ScoringWork): ScoringWork => ({
  nRequests: a.nRequests + b.nRequests,
  nTokens: a.nTokens + b.nTokens,
  nPaddedTokens: a.nPaddedTokens + b.nPaddedTokens,
  nPlainTokens: a.nPlainTokens + b.nPlainTokens,
  blockRuns: a.blockRuns + b.blockRuns,
  headRuns: a.headRuns + b.headRuns,
  operations: a.operations + b.operations,
  base: a.base,
});

export function addedTiming(a: Timing, b: Timing): Timing {
  const sum = { ...a };
  for (const key of Object.keys(sum) as (keyof Timing)[]) sum[key] += b[key];
  return sum;
}
