// Means over sequences and how sure they are.

/** The mean, and its standard error: sample standard deviation / sqrt(count); null for a single value. */
export function meanAndError(values: ArrayLike<number>): { mean: number; standardError: number | null } {
  const n = values.length;
  const mean = sum(values) / n;
  if (n < 2) return { mean, standardError: null };
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (values[i]! - mean) ** 2;
  return { mean, standardError: Math.sqrt(squares / (n - 1) / n) };
}

function sum(values: ArrayLike<number>): number {
  let total = 0;
  for (let i = 0; i < values.length; i++) total += values[i]!;
  return total;
}
