// Scores and their differences as people read them, in tables, charts and on pages. Shares are written in percent and their
// differences in points, differences have a sign, and ± is always a 95 % interval. Pure.
import type { Comparison } from '../recipes/evaluate/recipe';
import { metricOf } from './metrics';
import { plain, signed } from './numbers';

/** `45.0` percent, `32.65`, `0.9729` or `1.2e6`; as many digits as a number of the size of `beside` has. */
export const scoreText = (metric: string, value: number, beside = value): string =>
  textInUnit(metric, metricOf(metric).factor * value, beside);

/** The same of a value in the metric's unit. A perplexity can be of any size. */
export const textInUnit = (metric: string, value: number, beside = value): string =>
  Math.abs(value) >= 1e5 && Number.isFinite(value) ? exponent(value) : plain(value, metricOf(metric).digits(beside));

/** `−7.5`: of a difference in the metric's unit. */
export const signedInUnit = (metric: string, delta: number): string =>
  Math.abs(delta) >= 1e5 && Number.isFinite(delta)
    ? `${delta < 0 ? '−' : '+'}${exponent(Math.abs(delta))}`
    : signed(delta, metricOf(metric).digits(Math.abs(delta)));

/** `± 12.9`: of the interval of a difference in the metric's unit. */
export const halfWidthInUnit = (metric: string, delta: number, [low, high]: readonly [number, number]): string =>
  `± ${textInUnit(metric, (high - low) / 2, Math.abs(delta))}`;

/** `−7.5 ± 12.9`; in points where the metric is a share. */
export function differenceText({ metric, delta, interval95 }: Comparison): string {
  const { factor } = metricOf(metric);
  const text = signedInUnit(metric, factor * delta);
  if (interval95 === null) return text;
  const [low, high] = interval95;
  return `${text} ${halfWidthInUnit(metric, factor * delta, [factor * low, factor * high])}`;
}

export type Verdict = 'better' | 'worse' | 'noise';

export const verdictMarks: Record<Verdict, string> = { better: '▲', worse: '▼', noise: '' };

/**
 * Whether a difference says more than noise: `holm` by the test that was corrected over the tasks of a variant, which
 * counts single tasks alone; `interval`, of what sums up tasks, where its interval leaves out zero.
 */
export function verdictOf(
  { metric, delta, significant, interval95 }: Pick<Comparison, 'metric' | 'delta' | 'significant' | 'interval95'>,
  by: 'holm' | 'interval',
): Verdict {
  const clear = by === 'holm' ? significant : interval95 !== null && interval95[0] * interval95[1] > 0;
  if (!clear || delta === 0) return 'noise';
  return delta > 0 === metricOf(metric).higherIsBetter ? 'better' : 'worse';
}

/** `17▾ 5▴`: right answers lost and won. */
export const flips = ({ flipped }: Comparison): string =>
  flipped === null ? '' : `${flipped.toWrong}▾ ${flipped.toRight}▴`;

/** `1.2e6`. */
const exponent = (value: number): string => value.toExponential(1).replace('e+', 'e');
