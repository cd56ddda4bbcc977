// Scores as people read them: shares in percent, differences with their sign (U+2212), ± always a 95 % interval.
import { normalQuantile } from '../evaluation/compare';
import { metricTable } from '../evaluation/metricTable';
import type { Comparison, MetricName, Score } from '../protocol';

/** `45.0` percent, `32.65` or `0.9729`. */
export function figure(metric: MetricName, value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (metricTable[metric].of === 'share') return (100 * value).toFixed(1);
  return metricTable[metric].of === 'bits' ? value.toFixed(4) : significant(value);
}

/** What `figure` counts in. */
export const unitOf = (metric: MetricName): string =>
  ({ share: '%', perplexity: '', bits: 'bits' })[metricTable[metric].of];

/** `−7.5 ± 12.9`; in points where the metric is a share. */
export function difference({ metric, delta, interval95 }: Comparison): string {
  const half = interval95 === null ? '' : ` ± ${figure(metric, (interval95[1] - interval95[0]) / 2)}`;
  return `${signed(metric, delta)}${half}`;
}

function signed(metric: MetricName, delta: number): string {
  const text = figure(metric, Math.abs(delta));
  return Number(text) === 0 ? text : `${delta < 0 ? '−' : '+'}${text}`;
}

/** `17 ▾ 5 ▴`: right answers lost and won. */
export const flips = ({ flipped }: Comparison): string =>
  flipped === null ? '' : `${flipped.toWrong}▾ ${flipped.toRight}▴`;

export const verdictMarks = { better: '▲', worse: '▼', noise: '' } as const;

/** 95 %, from the score's own error; null without one. */
export function intervalOf({ value, stderr }: Pick<Score, 'value' | 'stderr'>): {
  low: number | null;
  high: number | null;
} {
  if (stderr === null || !Number.isFinite(value)) return { low: null, high: null };
  return { low: value - normalQuantile * stderr, high: value + normalQuantile * stderr };
}

/** At least four digits, and no more behind the point than they need. */
const significant = (value: number) => value.toFixed(value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3);

export const megabytes = (nBytes: number) => `${(nBytes / 1e6).toFixed(1)} MB`;
export const millions = (n: number) => (n >= 1e9 ? `${(n / 1e9).toFixed(2)} B` : `${(n / 1e6).toFixed(1)} M`);
