// What scores would drop: the blocks with the lowest ones, or the span of consecutive blocks with the lowest. Pure.

/**
 * One shot: the `count` blocks with the lowest scores, the lowest first; ties go to the lower number (ShortGPT,
 * arXiv:2403.03853). Scores that are infinite are not chosen by. Null where the others, without the protected ones, are too few.
 */
export function leastBlocks(scores: readonly number[], count: number, isProtected: readonly number[]): number[] | null {
  const free = scores.map((_, k) => k).filter((k) => !isProtected.includes(k) && Number.isFinite(scores[k]));
  if (free.length < count) return null;
  return free.sort((a, b) => scores[a]! - scores[b]! || a - b).slice(0, count);
}

/**
 * The consecutive blocks across which the hidden state turns least (arXiv:2403.17887): `count` of them in their order, the
 * first of equal spans. Null where every span holds a protected one.
 * @param spans `[n - 1][first]`: the score of the n blocks from `first` on
 */
export function leastSpan(
  spans: readonly (readonly number[])[],
  count: number,
  isProtected: readonly number[],
): number[] | null {
  const row = spans[count - 1] ?? [];
  const allowed = row
    .map((_, first) => first)
    .filter((first) => !isProtected.some((k) => k >= first && k < first + count));
  if (allowed.length === 0) return null;
  const first = allowed.reduce((best, at) => (row[at]! < row[best]! ? at : best));
  return Array.from({ length: count }, (_, i) => first + i);
}
