// The ends of intervals in charts.
import type { Score } from '../recipes/evaluate/recipe';
import { interval95 } from '../shared/statistics';

/** Of 95 %, from the value's own error; nulls without one. */
export function intervalOf({ value, stderr }: Pick<Score, 'value' | 'stderr'>): {
  low: number | null;
  high: number | null;
} {
  if (stderr === null || !Number.isFinite(value)) return { low: null, high: null };
  const [low, high] = interval95(value, stderr);
  return { low, high };
}
