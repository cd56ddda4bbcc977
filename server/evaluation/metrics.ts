// From log-likelihoods to scores, by the rows of the table of metrics: the contribution of every item, the score of all,
// its standard error, and groups of tasks. Pure.
import type { Score } from '../recipes/evaluate/recipe';
import { finiteOrNull } from '../shared/finite';
import { type Answer, type Metric, metricOf } from '../shared/metrics';
import { pythonRandom } from './pythonRandom';
import type { Item } from './tasks/task';

/**
 * What every item adds to a metric. Accuracies: 0 or 1. Perplexities: log-likelihoods in nats, and `weights` the words
 * or bytes that they are spread over; null where every item counts the same.
 */
export interface ItemValues {
  metric: string;
  docIds: number[];
  values: number[];
  weights: number[] | null;
}

export type MetricScore = Pick<Score, 'value' | 'stderr' | 'nItems'>;

/** `answers`: of every item, of every request. */
export function itemValues(
  metric: string,
  items: readonly Item[],
  answers: readonly (readonly Answer[])[],
): ItemValues {
  const { itemValue, itemWeight } = metricOf(metric);
  return {
    metric,
    docIds: items.map(({ docId }) => docId),
    values: items.map((item, i) => itemValue(item, answers[i]!)),
    weights: itemWeight && items.map(itemWeight),
  };
}

/** stderr is null for a single item, for the metrics of pages, and where it goes beyond the range of numbers. */
export function scoreOf({ metric, values, weights }: ItemValues): MetricScore {
  const { fromRatio, standardError } = metricOf(metric);
  const score = (of: readonly number[]) => fromRatio(sum(of) / (weights ? sum(weights) : of.length));
  const nItems = values.length;
  return {
    value: score(values),
    stderr: nItems > 1 ? finiteOrNull(standardErrors[standardError](values, score)) : null,
    nItems,
  };
}

/** A mean weighted by items. Its error is pooled from those of its tasks; null when one of them has none. */
export function groupScore(scores: readonly MetricScore[]): MetricScore {
  const nItems = sum(scores.map((score) => score.nItems));
  const value = sum(scores.map((score) => score.value * score.nItems)) / nItems;
  if (scores.some(({ stderr }) => stderr === null)) return { value, stderr: null, nItems };
  // stderr_k = s_k / sqrt(n_k), so (n_k - 1) s_k^2 = (n_k - 1) n_k stderr_k^2
  const squares = sum(scores.map((score) => (score.nItems - 1) * score.nItems * (score.stderr ?? 0) ** 2));
  return { value, stderr: Math.sqrt(squares / (nItems - scores.length) / nItems), nItems };
}

/** The answer to a rolling text from those to its sequences. */
export const joined = (sequences: readonly Answer[]): Answer => ({
  logLikelihood: sum(sequences.map(({ logLikelihood }) => logLikelihood)),
  isGreedy: sequences.every(({ isGreedy }) => isGreedy),
});

const standardErrors: Record<
  Metric['standardError'],
  (values: readonly number[], score: (values: readonly number[]) => number) => number
> = {
  ofMean: (values) => standardDeviation(values) / Math.sqrt(values.length),
  bootstrap: (values, score) => bootstrapped(score, values),
  none: () => Number.NaN,
};

// The harness draws 100 000 times by default; its first thousand are these, from the same generator. Both
// estimate the same error, and agree in no more than a digit or two.
const nResamples = 1000;

/** The standard deviation of a statistic over resamples, each as large as the sample and drawn with replacement. */
function bootstrapped(statistic: (values: readonly number[]) => number, values: readonly number[]): number {
  const random = pythonRandom(0);
  const resample = () => values.map(() => values[Math.floor(random.random() * values.length)]!);
  return standardDeviation(Array.from({ length: nResamples }, () => statistic(resample())));
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const mean = (values: readonly number[]): number => sum(values) / values.length;

/** Of a sample, by n - 1. */
function standardDeviation(values: readonly number[]): number {
  const center = mean(values);
  return Math.sqrt(sum(values.map((value) => (value - center) ** 2)) / (values.length - 1));
}
