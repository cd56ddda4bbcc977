// A cell of the table: the value of one model and one task, and its difference to the original. Shares of right answers become
// percent here, and their differences points.
import type { Comparison, EvaluatedTask } from '../../server/recipes/evaluate/recipe';
import type { Mismatch } from '../../server/shared/comparability';
import { metricOf } from '../../server/shared/metrics';
import { verdictOf } from '../../server/shared/scores';
import type { Column } from './columns';

export type Value =
  | { state: 'known'; value: number; stderr: number | null; nItems: number }
  /** The task is still being scored. */
  | { state: 'partial'; nItems: number; ofItems: number }
  | { state: 'waiting' }
  /** The model has no scores, since what it computes is not finite. */
  | { state: 'notFinite' }
  | { state: 'absent' };

export interface Cell {
  readonly value: Value;
  readonly difference: Difference;
}

export type Difference =
  | {
      state: 'known';
      /** In points; of a perplexity in its own unit. */
      delta: number;
      interval: readonly [number, number] | null;
      /** The interval does not contain zero. */
      sure: boolean;
      /** Of a task after Holm's correction, of groups and means by the interval. */
      verdict: 'worse' | 'better' | null;
      comparison: Comparison | null;
    }
  | { state: 'differs'; mismatches: readonly Mismatch[] }
  | { state: 'none' };

export function valueIn(column: Column, task: string, metric: string, of: EvaluatedTask | null): Value {
  const score = scoreOf(column, task, metric);
  if (!score) return absentIn(column);
  if (of && !column.sheet.over && score.nItems < of.nItems)
    return { state: 'partial', nItems: score.nItems, ofItems: of.nItems };
  const { factor } = metricOf(metric);
  const stderr = score.stderr === null ? null : factor * score.stderr;
  return { state: 'known', value: factor * score.value, stderr, nItems: score.nItems };
}

export const absentIn = ({ sheet, index }: Column): Value => {
  if (sheet.scored.notFinite?.some(({ model }) => model === index)) return { state: 'notFinite' };
  return { state: sheet.over ? 'absent' : 'waiting' };
};

/** The scores that are compared: of one task and metric, in the units of the page. */
export interface ComparedScores {
  readonly task: string;
  readonly metric: string;
  readonly base: Value;
  readonly value: Value;
  /** In what they were scored differently; then no difference is shown. */
  readonly mismatches: readonly Mismatch[];
}

export function differenceOf(column: Column, { task, metric, base, value, mismatches }: ComparedScores): Difference {
  if (mismatches.length > 0) return { state: 'differs', mismatches };
  if (base.state !== 'known' || value.state !== 'known') return { state: 'none' };
  const { factor } = metricOf(metric);
  const comparison = comparisonOf(column, task, metric);
  const interval = comparison?.interval95 ?? null;
  const isTask = column.sheet.scored.tasks.some((it) => it.task === task);
  return knownDifference(
    metric,
    comparison ? factor * comparison.delta : value.value - base.value,
    interval && [factor * interval[0], factor * interval[1]],
    comparison,
    isTask ? 'holm' : 'interval',
  );
}

/** `rule`: how the verdict is found where there is a comparison; without one it is found by the interval. */
function knownDifference(
  metric: string,
  delta: number,
  interval: readonly [number, number] | null,
  comparison: Comparison | null,
  rule: 'holm' | 'interval',
): Difference {
  const sure = interval !== null && (interval[0] > 0 || interval[1] < 0);
  const significant = comparison?.significant ?? false;
  const verdict = verdictOf(
    { metric, delta, significant, interval95: interval && [...interval] },
    comparison ? rule : 'interval',
  );
  return { state: 'known', delta, interval, sure, verdict: verdict === 'noise' ? null : verdict, comparison };
}

export function meanDifference(differences: readonly Difference[]): Difference {
  const mismatches = differences.flatMap(mismatchesIn);
  if (mismatches.length > 0) return { state: 'differs', mismatches };
  const known = differences.flatMap((each) => (each.state === 'known' ? [each] : []));
  if (known.length < differences.length) return { state: 'none' };
  const delta = average(known.map((each) => each.delta));
  const halves = known.map(({ interval }) => (interval ? (interval[1] - interval[0]) / 2 : null));
  const half = halves.includes(null) ? null : Math.hypot(...(halves as number[])) / known.length;
  return knownDifference('acc', delta, half === null ? null : [delta - half, delta + half], null, 'interval');
}

export const mismatchesIn = (difference: Difference) => (difference.state === 'differs' ? difference.mismatches : []);

export const comparisonOf = ({ sheet, index }: Column, task: string, metric: string): Comparison | null => {
  const { models, comparisons } = sheet.scored;
  const variant = models[index]?.label;
  return comparisons.find((it) => it.task === task && it.metric === metric && it.variant === variant) ?? null;
};

export const scoreOf = ({ index, sheet }: Column, task: string, metric: string) =>
  sheet.scored.scores.find((it) => it.model === index && it.task === task && it.metric === metric) ?? null;

export const average = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
