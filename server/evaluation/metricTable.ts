// The metrics of tasks: what they are called, which way is better, and how each comes from its items' values.
import type { MetricName } from '../protocol/reports';

export interface MetricFacts {
  title: string;
  higherIsBetter: boolean;
  /** A share of items answered right, in [0, 1]; a perplexity, from 1 up; or bits. */
  of: 'share' | 'perplexity' | 'bits';
  /** The metric as a function of r = sum of the items' values / sum of their weights. */
  fromRatio: (r: number) => number;
  /** Its derivative, for errors to first order. */
  slopeAt: (r: number) => number;
}

const share = {
  higherIsBetter: true,
  of: 'share',
  fromRatio: (r: number) => r,
  slopeAt: () => 1,
} as const;

/** exp(-r): r is a log-likelihood per item, word or byte. */
const perplexity = {
  higherIsBetter: false,
  of: 'perplexity',
  fromRatio: (r: number) => Math.exp(-r),
  slopeAt: (r: number) => -Math.exp(-r),
} as const;

export const metricTable = {
  acc: { title: 'accuracy', ...share },
  acc_norm: { title: 'accuracy by length', ...share },
  acc_bytes: { title: 'accuracy by bytes', ...share },
  perplexity: { title: 'perplexity', ...perplexity },
  word_perplexity: { title: 'word perplexity', ...perplexity },
  byte_perplexity: { title: 'byte perplexity', ...perplexity },
  bits_per_byte: {
    title: 'bits per byte',
    higherIsBetter: false,
    of: 'bits',
    fromRatio: (r) => -r / Math.LN2,
    slopeAt: () => -1 / Math.LN2,
  },
} satisfies Record<MetricName, MetricFacts>;

/** The metric that speaks for a task: acc_norm, else acc, else its first. */
export const primaryMetric = (metrics: readonly MetricName[]): MetricName =>
  metrics.find((name) => name === 'acc_norm') ?? metrics.find((name) => name === 'acc') ?? metrics[0]!;
