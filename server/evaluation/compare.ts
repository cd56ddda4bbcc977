// A variant beside the original on the same items. Pairing takes out how hard the items are, which is most of the variance,
// so differences are seen that two separate intervals would hide.
import type { Comparison, EvaluatedGroup, EvaluatedTask } from '../recipes/evaluate/recipe';
import { allFinite, finiteOrNull } from '../shared/finite';
import { interval95 } from '../shared/statistics';
import { metricOf, primaryMetric } from '../shared/metrics';
import { holm, mcnemar, pairedT } from './significance';

/** What one model made of the items of one task. */
export interface ItemScores {
  readonly task: string;
  readonly metric: string;
  readonly docIds: readonly number[];
  /** 0 or 1 for what counts right answers; else the log-likelihood of the item in nats. */
  readonly values: ArrayLike<number>;
  /** Words or bytes of each item for a metric per word or byte; null: one each. */
  readonly weights: ArrayLike<number> | null;
}

export interface LabelledScores {
  readonly label: string;
  readonly scores: readonly ItemScores[];
}

/** Every task and metric that both have, then the groups. */
export function compareWithBase(
  base: LabelledScores,
  variant: LabelledScores,
  tasks: readonly Pick<EvaluatedTask, 'task' | 'metrics'>[],
  groups: readonly Pick<EvaluatedGroup, 'group' | 'tasks'>[],
): Comparison[] {
  const pairs = base.scores.flatMap((ofBase) => {
    const ofVariant = variant.scores.find(({ task, metric }) => task === ofBase.task && metric === ofBase.metric);
    return ofVariant ? [pairItems(ofBase, ofVariant)] : [];
  });
  const labels = { base: base.label, variant: variant.label };
  const ofTasks = pairs.map((pair) => ({ ...labels, ...compare(pair) }));
  const ofGroups = groups.flatMap(({ group, tasks: members }) => {
    const ofMembers = pairs.filter(({ task }) => members.includes(task));
    const metrics = [...new Set(ofMembers.map(({ metric }) => metric))];
    return metrics
      .map((metric) => ofMembers.filter((pair) => pair.metric === metric))
      .filter((same) => same.length === members.length)
      .map((same) => ({ ...labels, ...compare(pooled(group, same)) }));
  });

  const primary = ofTasks.filter(({ task, metric, p }) => {
    const known = tasks.find((it) => it.task === task);
    return p !== null && known !== undefined && primaryMetric(known.metrics) === metric;
  });
  const fallen = holm(
    primary.map(({ p }) => p!),
    familyLevel,
  );
  const significant = new Set(primary.filter((_, i) => fallen[i]));
  return [...ofTasks, ...ofGroups].map((it) => {
    const { p: _, ...comparison } = it;
    return { ...comparison, significant: significant.has(it) };
  });
}

/** The chance of any wrong mark among the tasks of a variant. */
const familyLevel = 0.05;

interface Pair {
  readonly task: string;
  readonly metric: string;
  readonly base: readonly number[];
  readonly variant: readonly number[];
  readonly weights: readonly number[];
}

function pairItems(base: ItemScores, variant: ItemScores): Pair {
  const { task, metric } = base;
  const placeOf = new Map(variant.docIds.map((docId, i) => [docId, i]));
  const places = base.docIds.map((docId) => placeOf.get(docId));
  if (placeOf.size !== base.docIds.length || places.includes(undefined))
    throw new Error(`${task}, ${metric}: original and variant were scored on different items`);
  return {
    task,
    metric,
    base: Array.from(base.values),
    variant: places.map((i) => variant.values[i!]!),
    weights: base.weights ? Array.from(base.weights) : base.docIds.map(() => 1),
  };
}

const pooled = (group: string, pairs: readonly Pair[]): Pair => ({
  task: group,
  metric: pairs[0]!.metric,
  base: pairs.flatMap((pair) => pair.base),
  variant: pairs.flatMap((pair) => pair.variant),
  weights: pairs.flatMap((pair) => pair.weights),
});

/**
 * r = sum x / sum w, metric f(r), difference f(r_variant) - f(r_base). To first order (delta method) item i moves it by
 *   u_i = (f'(r_variant) (x_variant,i - r_variant w_i) - f'(r_base) (x_base,i - r_base w_i)) / mean w
 * so its standard error is sample std(u) / sqrt(n). For accuracies that is the plain paired error. The test of a
 * perplexity compares r itself, which is more nearly normal than its exponential.
 */
function compare({ task, metric, base, variant, weights }: Pair) {
  const { fromRatio, slopeAt, kind } = metricOf(metric);
  const n = base.length;
  const [rBase, rVariant] = [ratio(base, weights), ratio(variant, weights)];
  const meanWeight = sum(weights) / n;
  const moves = (slopeBase: number, slopeVariant: number) =>
    weights.map(
      (w, i) => (slopeVariant * (variant[i]! - rVariant * w) - slopeBase * (base[i]! - rBase * w)) / meanWeight,
    );
  const delta = fromRatio(rVariant) - fromRatio(rBase);
  const pairedStderr = n < 2 ? null : finiteOrNull(meanError(moves(slopeAt(rBase), slopeAt(rVariant))));
  const common = {
    task,
    metric,
    delta,
    pairedStderr,
    interval95: pairedStderr === null ? null : finiteInterval(delta, pairedStderr),
  };
  if (kind !== 'share') {
    const p = n < 2 ? null : pairedT(rVariant - rBase, meanError(moves(1, 1)), n);
    return { ...common, mcnemarP: null, flipped: null, p };
  }
  const count = (from: number, to: number) => base.filter((x, i) => x === from && variant[i] === to).length;
  const flipped = { toWrong: count(1, 0), toRight: count(0, 1) };
  const mcnemarP = mcnemar(flipped.toWrong, flipped.toRight);
  return { ...common, mcnemarP, flipped, p: mcnemarP };
}

/** null where it goes beyond the range of numbers. */
function finiteInterval(delta: number, stderr: number): [number, number] | null {
  const interval = interval95(delta, stderr);
  return allFinite(interval) ? interval : null;
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
const ratio = (values: readonly number[], weights: readonly number[]) => sum(values) / sum(weights);

/** Of values whose mean is zero but for rounding. */
function meanError(values: readonly number[]): number {
  const n = values.length;
  const mean = sum(values) / n;
  return Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / (n - 1) / n);
}
