// Whether a model has come to repeat itself, seen in what it writes by itself. A pruned model may keep its scores on single
// tokens and still fall into a loop. Pure.

/** Short beginnings of several kinds of text. */
export const checkPrompts = [
  'The history of the city begins',
  'Once upon a time, in a small village by the sea,',
  'To make a good cup of tea, you need',
];

export const checkTokens = 64;

export interface Repetition {
  /** Share of the 4-grams of tokens that came before, in [0, 1]; 0 for texts shorter than that. */
  readonly repetition: number;
  /** Entropy of how often each token is used: 0 for a single token, log2(n) for n different ones. */
  readonly entropyBits: number;
  readonly alarm: boolean;
}

/** Half of it said before, or fewer tokens in use than a sentence has words. */
const mostRepetition = 0.5;
const leastEntropyBits = 3;
/** Too short to be checked. */
const fewestTokens = 16;

export function repetitionOf(ids: readonly number[]): Repetition {
  const grams = ids.slice(3).map((_, i) => ids.slice(i, i + 4).join(' '));
  const repetition = grams.length === 0 ? 0 : 1 - new Set(grams).size / grams.length;
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  const shares = [...counts.values()].map((count) => count / ids.length);
  const entropyBits = shares.reduce((sum, share) => sum - share * Math.log2(share), 0);
  const alarm = ids.length >= fewestTokens && (repetition >= mostRepetition || entropyBits < leastEntropyBits);
  return { repetition, entropyBits, alarm };
}
