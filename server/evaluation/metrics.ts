// From log-likelihoods to scores, as lm-evaluation-harness takes them: the contribution of every item, their mean or
// perplexity, its standard error, and groups of tasks. Pure.
import type { MetricName, Score } from '../protocol/reports';
import { pythonRandom } from './pythonRandom';
import type { Item } from './tasks/task';

/** Of one request: nats summed over its tokens, and whether each of them is the likeliest. */
export interface Answer {
  logLikelihood: number;
  isGreedy: boolean;
}

/**
 * What every item adds to a metric. Accuracies: 0 or 1. Perplexities: log-likelihoods in nats, and `weights` the words
 * or bytes that they are spread over; null where every item counts the same.
 */
export interface ItemValues {
  metric: MetricName;
  docIds: number[];
  values: number[];
  weights: number[] | null;
}

export type MetricScore = Pick<Score, 'value' | 'stderr' | 'nItems'>;

/** `answers`: of every item, of every request. */
export function itemValues(
  metric: MetricName,
  items: readonly Item[],
  answers: readonly (readonly Answer[])[],
): ItemValues {
  const { of, weight } = metrics[metric];
  return {
    metric,
    docIds: items.map(({ docId }) => docId),
    values: items.map((item, i) => of(item, answers[i]!)),
    weights: weight && items.map(weight),
  };
}

/** stderr is null for a single item, and for the metrics of pages. */
export function scoreOf(values: ItemValues): MetricScore {
  const { score, stderr } = metrics[values.metric];
  const nItems = values.values.length;
  return { value: score(values), stderr: nItems > 1 ? stderr(values) : null, nItems };
}

/** The request that a metric takes for the answer; null where there is nothing to choose. The first of equal ones wins. */
export function prediction(metric: MetricName, item: Item, answers: readonly Answer[]): number | null {
  if (item.gold === null) return null;
  const lengthOf = choiceLength[metric] ?? (() => 1);
  const scores = answers.map(({ logLikelihood }, i) => logLikelihood / lengthOf(item.choices[i]!));
  return scores.reduce((best, score, i) => (score > scores[best]! ? i : best), 0);
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

/** The answer to a rolling text from those to its windows. */
export const joined = (windows: readonly Answer[]): Answer => ({
  logLikelihood: sum(windows.map(({ logLikelihood }) => logLikelihood)),
  isGreedy: windows.every(({ isGreedy }) => isGreedy),
});

interface Metric {
  of(item: Item, answers: readonly Answer[]): number;
  weight: ((item: Item) => number) | null;
  score(values: ItemValues): number;
  stderr(values: ItemValues): number | null;
}

/** What a log-likelihood is divided by before choices are compared. */
const choiceLength: Partial<Record<MetricName, (choice: Item['choices'][number]) => number>> = {
  acc_norm: ({ nCharacters }) => nCharacters,
  acc_bytes: ({ nBytes }) => nBytes,
};

const accuracy = (metric: MetricName): Metric => ({
  of: (item, answers) => {
    const isRight = item.gold === null ? answers[0]!.isGreedy : prediction(metric, item, answers) === item.gold;
    return isRight ? 1 : 0;
  },
  weight: null,
  score: ({ values }) => mean(values),
  stderr: ({ values }) => standardDeviation(values) / Math.sqrt(values.length),
});

const perUnit = (unit: 'nWords' | 'nBytes', score: (meanLogLikelihood: number) => number): Metric => ({
  of: (_, answers) => answers[0]!.logLikelihood,
  weight: (item) => item.text?.[unit] ?? 0,
  score: ({ values, weights }) => score(sum(values) / sum(weights ?? [])),
  stderr: () => null,
});

const perplexity = (logLikelihoods: readonly number[]): number => Math.exp(-mean(logLikelihoods));

const metrics: Record<MetricName, Metric> = {
  acc: accuracy('acc'),
  acc_norm: accuracy('acc_norm'),
  acc_bytes: accuracy('acc_bytes'),
  perplexity: {
    of: (_, answers) => answers[0]!.logLikelihood,
    weight: null,
    score: ({ values }) => perplexity(values),
    stderr: ({ values }) => bootstrapped(perplexity, values),
  },
  word_perplexity: perUnit('nWords', (nats) => Math.exp(-nats)),
  byte_perplexity: perUnit('nBytes', (nats) => Math.exp(-nats)),
  bits_per_byte: perUnit('nBytes', (nats) => -nats / Math.log(2)),
};

// The harness draws 100 000 times unless it is told otherwise; its first thousand are these, from the same generator. Both
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
