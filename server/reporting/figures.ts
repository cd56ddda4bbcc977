// Scores as people read them: shares in percent, differences with their sign (U+2212), ± always a 95 % interval.
import { interval95 } from '../shared/statistics';
import { metricTable } from '../evaluation/metricTable';
import type { Comparison, MetricName, Score } from '../protocol/reports';

/** `45.0` percent, `32.65` or `0.9729`; as many digits as a number of the size of `beside` has. */
export function figure(metric: MetricName, value: number, beside = value): string {
  if (!Number.isFinite(value)) return '–';
  const { of } = metricTable[metric];
  if (of === 'share') return (100 * value).toFixed(1);
  if (of === 'bits') return value.toFixed(4);
  return value.toFixed(beside >= 1000 ? 0 : beside >= 100 ? 1 : beside >= 10 ? 2 : 3);
}

/** What `figure` counts in. */
export const unitOf = (metric: MetricName): string =>
  ({ share: '%', perplexity: '', bits: 'bits' })[metricTable[metric].of];

/** `−7.5 ± 12.9`; in points where the metric is a share. */
export function difference({ metric, delta, interval95 }: Comparison): string {
  const size = figure(metric, Math.abs(delta));
  const sign = Number(size) === 0 ? '' : delta < 0 ? '−' : '+';
  if (interval95 === null) return `${sign}${size}`;
  return `${sign}${size} ± ${figure(metric, (interval95[1] - interval95[0]) / 2, Math.abs(delta))}`;
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
  const [low, high] = interval95(value, stderr);
  return { low, high };
}
