// What the cells say, in the words and digits of the page; the table, its exports and screen readers all ask here.
import { plain, signed } from '../../server/shared/numbers';
import { shortly } from './mismatch';
import { type Difference, isAccuracy, type Value } from './cell';
import type { Row } from './table';

const digitsOf = ({ metric }: Row) => (isAccuracy(metric) ? 1 : 2);

export function valueText(row: Row, value: Value): string {
  if (value.state === 'known') return score(value.value, digitsOf(row));
  if (value.state === 'partial') return `${value.nItems} of ${value.ofItems}`;
  return value.state === 'waiting' ? '…' : '–';
}

/** Without its interval: `−7.5`, or why there is none. */
export function differenceText(row: Row, difference: Difference, value: Value): string {
  if (difference.state === 'known') return signedScore(difference.delta, digitsOf(row));
  if (difference.state === 'differs') return shortly[difference.mismatches[0]!.what];
  return value.state === 'absent' ? 'not run' : '';
}

/** `± 12.9`; empty where there is no interval. */
export function intervalText(row: Row, difference: Difference): string {
  if (difference.state !== 'known' || !difference.interval) return '';
  const [low, high] = difference.interval;
  return `± ${score((high - low) / 2, digitsOf(row))}`;
}

export const marks = { worse: '▼', better: '▲' } as const;

/** For who does not see the mark. */
export function verdictText(difference: Difference): string {
  if (difference.state !== 'known') return '';
  if (difference.verdict) return difference.verdict;
  return difference.sure ? 'not within noise, but not sure among so many tasks' : 'within noise';
}

export const metricWords: Record<Row['metric'], string> = {
  acc: 'accuracy',
  acc_norm: 'accuracy by length',
  acc_bytes: 'accuracy by bytes',
  perplexity: 'perplexity',
  word_perplexity: 'word perplexity',
  byte_perplexity: 'byte perplexity',
  bits_per_byte: 'bits per byte',
};

/** A perplexity can be of any size. */
const score = (value: number, digits: number): string =>
  value >= 1e5 ? value.toExponential(1).replace('e+', 'e') : plain(value, digits);
const signedScore = (value: number, digits: number): string =>
  Math.abs(value) >= 1e5
    ? `${value < 0 ? '−' : '+'}${Math.abs(value).toExponential(1).replace('e+', 'e')}`
    : signed(value, digits);
