// The scores of an evaluation in the order in which people read them: tasks, then each group with what is in it, and
// beside each the variants' differences. Terminal, Markdown and HTML show these rows.
import { type Verdict, verdictOf } from '../shared/scores';
import { primaryMetric } from '../shared/metrics';
import type { Comparison, EvaluatedGroup, EvaluatedTask, EvaluateReport, Score } from '../recipes/evaluate/recipe';

export interface ScoreRow {
  /** Of a task or a group. */
  task: string;
  title: string;
  isGroup: boolean;
  /** How many groups it lies in. */
  depth: number;
  metric: string;
  /** The metric that speaks for the task. */
  isPrimary: boolean;
  nItems: number;
  /** null where the tasks of a group differ. */
  nFewShot: number | null;
  chance: number | null;
  base: Score;
  /** In the order of the models behind the first; null where one was not scored. */
  variants: (ScoreCell | null)[];
}

export interface ScoreCell {
  score: Score;
  comparison: Comparison | null;
  verdict: Verdict;
}

export function scoreRows(report: EvaluateReport): ScoreRow[] {
  const { tasks, groups } = report;
  const rowsOf = (names: Named) => metricRows(report, names);
  const ofGroup = (group: EvaluatedGroup, depth: number): ScoreRow[] => {
    const below = groups.filter(({ parent }) => parent === group.group);
    const covered = new Set(below.flatMap((it) => it.tasks));
    const members = tasks.filter(({ task }) => group.tasks.includes(task));
    const own = members.filter(({ task }) => !covered.has(task));
    return [
      ...rowsOf({ ...groupAsTask(group, members), isGroup: true, depth }),
      ...below.flatMap((it) => ofGroup(it, depth + 1)),
      ...own.flatMap((task) => rowsOf({ ...task, isGroup: false, depth: depth + 1 })),
    ];
  };
  const grouped = new Set(groups.flatMap((group) => group.tasks));
  return [
    ...tasks.filter(({ task }) => !grouped.has(task)).flatMap((task) => rowsOf({ ...task, isGroup: false, depth: 0 })),
    ...groups.filter(({ parent }) => parent === null).flatMap((group) => ofGroup(group, 0)),
  ];
}

/** A row for each task or group. */
export const primaryRows = (report: EvaluateReport): ScoreRow[] =>
  scoreRows(report).filter(({ isPrimary }) => isPrimary);

/** Of the model with this index. */
export const scoreOfModel = ({ base, variants }: ScoreRow, model: number): Score | undefined =>
  model === 0 ? base : variants[model - 1]?.score;

type Named = Pick<EvaluatedTask, 'task' | 'title' | 'metrics' | 'chance'> &
  Pick<ScoreRow, 'nFewShot' | 'isGroup' | 'depth'>;

function groupAsTask({ group, title }: EvaluatedGroup, members: readonly EvaluatedTask[]) {
  const shots = new Set(members.map(({ nFewShot }) => nFewShot));
  const chances = new Set(members.map(({ chance }) => chance));
  return {
    task: group,
    title,
    metrics: [...new Set(members.flatMap(({ metrics }) => metrics))],
    nFewShot: shots.size === 1 ? [...shots][0]! : null,
    chance: chances.size === 1 ? [...chances][0]! : null,
  };
}

function metricRows({ models, scores, comparisons }: EvaluateReport, named: Named): ScoreRow[] {
  const { task, title, metrics, chance, nFewShot, isGroup, depth } = named;
  return metrics.flatMap((metric) => {
    const [base, ...others] = models.map((_, k) =>
      scores.find((score) => score.model === k && score.task === task && score.metric === metric),
    );
    if (!base) return [];
    const variants = others.map((score, k): ScoreCell | null => {
      const { label } = models[k + 1]!;
      const found = comparisons.find((it) => it.task === task && it.metric === metric && it.variant === label);
      const verdict = found ? verdictOf(found, isGroup ? 'interval' : 'holm') : 'noise';
      return score ? { score, comparison: found ?? null, verdict } : null;
    });
    const isPrimary = primaryMetric(metrics) === metric;
    return [{ task, title, isGroup, depth, metric, isPrimary, nItems: base.nItems, nFewShot, chance, base, variants }];
  });
}
