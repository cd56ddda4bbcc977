// Spans of neighbouring blocks, as the map of their distances has them.
import type { ScoredMethod } from './methods';
import type { View } from './view';

/** Longer spans than these are hardly ever dropped. */
export const mostSpan = 12;

/** The method of which the map is drawn: the one chosen, if it scores spans. */
export const spanMethod = ({ method, methods }: View): ScoredMethod | null =>
  method?.spans ? method : (methods.find(({ spans }) => spans !== null) ?? null);

/** Blocks that are one span of the map. */
export function takenSpan(drop: readonly number[], most: number): { first: number; count: number } | null {
  const [first, last] = [drop[0], drop.at(-1)];
  if (first === undefined || last! - first !== drop.length - 1 || drop.length > most) return null;
  return { first, count: drop.length };
}
