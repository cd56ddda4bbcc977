// The metrics of tasks, a row each: what an item adds, how a score comes from its items, how sure it is, which way is
// better, and how it is written. A new metric is a row here. Names and numbers are those of lm-evaluation-harness. Pure.
import { perplexityOf } from './finite';

/** Of one request: nats summed over its tokens, and whether each of them is the likeliest. */
export interface Answer {
  logLikelihood: number;
  isGreedy: boolean;
}

/** What a metric needs to know of an item. */
export interface ScoredItem {
  /** The request that should be the likeliest; null where there is nothing to choose. */
  readonly gold: number | null;
  /** One a request, of the choice without the space before it; empty where there is nothing to choose. */
  readonly choices: readonly ChoiceLength[];
  /** Of a page. */
  readonly text: { readonly nWords: number; readonly nBytes: number } | null;
}

export interface ChoiceLength {
  readonly nCharacters: number;
  readonly nBytes: number;
}

export interface Metric extends Scale {
  readonly label: string;
  /** What an item adds: 0 or 1 for a share of right answers, else a log-likelihood in nats. */
  readonly itemValue: (item: ScoredItem, answers: readonly Answer[]) => number;
  /** The words or bytes that the value of an item is spread over; null: every item counts the same. */
  readonly itemWeight: ((item: ScoredItem) => number) | null;
  /** What a log-likelihood is divided by before choices are compared. */
  readonly choiceLength: (choice: ChoiceLength) => number;
  readonly standardError: 'ofMean' | 'bootstrap' | 'none';
}

/** What a score counts in. */
interface Scale {
  readonly kind: 'share' | 'perplexity' | 'bits';
  readonly higherIsBetter: boolean;
  /** The score as a function of r = sum of the items' values / sum of their weights. */
  readonly fromRatio: (r: number) => number;
  /** Its derivative, for errors to first order. */
  readonly slopeAt: (r: number) => number;
  /** Scores are written times this, in the unit, with so many digits where they are of the size of `beside`. */
  readonly factor: number;
  readonly unit: string;
  readonly digits: (beside: number) => number;
}

/** The share of items answered right, in [0, 1]; written in percent. */
const share: Scale = {
  kind: 'share',
  higherIsBetter: true,
  fromRatio: (r) => r,
  slopeAt: () => 1,
  factor: 100,
  unit: '%',
  digits: () => 1,
};

/** exp(-r), from 1 up to the largest number: r is a log-likelihood per item, word or byte. */
const perplexity: Scale = {
  kind: 'perplexity',
  higherIsBetter: false,
  fromRatio: (r) => perplexityOf(-r),
  slopeAt: (r) => -perplexityOf(-r),
  factor: 1,
  unit: '',
  digits: (beside) => (beside >= 1000 ? 0 : beside >= 100 ? 1 : beside >= 10 ? 2 : 3),
};

const bits: Scale = {
  kind: 'bits',
  higherIsBetter: false,
  fromRatio: (r) => -r / Math.LN2,
  slopeAt: () => -1 / Math.LN2,
  factor: 1,
  unit: 'bits',
  digits: () => 4,
};

const likelihood = (_: ScoredItem, answers: readonly Answer[]): number => answers[0]!.logLikelihood;
const unscaled = () => 1;
const words = (item: ScoredItem): number => item.text?.nWords ?? 0;
const bytes = (item: ScoredItem): number => item.text?.nBytes ?? 0;

const accuracy = (label: string, choiceLength: Metric['choiceLength']): Metric => ({
  ...share,
  label,
  itemValue: (item, answers) => {
    const isRight = item.gold === null ? answers[0]!.isGreedy : likeliest(item, answers, choiceLength) === item.gold;
    return isRight ? 1 : 0;
  },
  itemWeight: null,
  choiceLength,
  standardError: 'ofMean',
});

const ofPages = (label: string, scale: Scale, itemWeight: Metric['itemWeight']): Metric => ({
  ...scale,
  label,
  itemValue: likelihood,
  itemWeight,
  choiceLength: unscaled,
  standardError: 'none',
});

export const metrics = {
  acc: accuracy('accuracy', unscaled),
  acc_norm: accuracy('accuracy by length', ({ nCharacters }) => nCharacters),
  acc_bytes: accuracy('accuracy by bytes', ({ nBytes }) => nBytes),
  perplexity: {
    ...perplexity,
    label: 'perplexity',
    itemValue: likelihood,
    itemWeight: null,
    choiceLength: unscaled,
    standardError: 'bootstrap',
  },
  word_perplexity: ofPages('word perplexity', perplexity, words),
  byte_perplexity: ofPages('byte perplexity', perplexity, bytes),
  bits_per_byte: ofPages('bits per byte', bits, bytes),
} satisfies Record<string, Metric>;

export type MetricName = keyof typeof metrics;
export const metricNames = Object.keys(metrics) as [MetricName, ...MetricName[]];

export const isMetric = (name: string): name is MetricName => Object.hasOwn(metrics, name);

/** The row of a metric that a report names. */
export function metricOf(name: string): Metric {
  if (!isMetric(name)) throw new Error(`there is no metric ${name}`);
  return metrics[name];
}

/** It counts right answers. */
export const isShare = (name: string): boolean => metricOf(name).kind === 'share';

/** Of several accuracies the one that people quote. */
const quoted: readonly MetricName[] = ['acc_norm', 'acc'];
export const quotedAccuracy = (has: (metric: MetricName) => boolean): MetricName | undefined => quoted.find(has);

/** The metric that speaks for a task: the accuracy that people quote, else the task's first. */
export const primaryMetric = (names: readonly string[]): string =>
  quotedAccuracy((name) => names.includes(name)) ?? names[0]!;

/** The request with the largest log-likelihood by length, as an index; the first of equal ones. */
export function likeliest(
  { choices }: Pick<ScoredItem, 'choices'>,
  answers: readonly Answer[],
  choiceLength: Metric['choiceLength'],
): number {
  const scores = answers.map(({ logLikelihood }, i) => logLikelihood / choiceLength(choices[i]!));
  return scores.reduce((best, score, i) => (score > scores[best]! ? i : best), 0);
}
