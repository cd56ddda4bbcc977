// The rows of the table: a task with the value of each model and its difference to the original, groups with their tasks under
// them, and the mean.
import type { EvaluatedGroup, EvaluatedTask } from '../../server/recipes/evaluate/recipe';
import { isShare, primaryMetric } from '../../server/shared/metrics';
import { absentIn, average, type Cell, differenceOf, meanDifference, mismatchesIn, type Value, valueIn } from './cell';
import type { Column } from './columns';
import { differencesBetween } from './mismatch';

export interface Row {
  /** The name of a task or group, or `mean`. */
  readonly key: string;
  readonly title: string;
  readonly kind: 'task' | 'group' | 'mean';
  readonly metric: string;
  readonly task: EvaluatedTask | null;
  /** In percent; null where there is none. */
  readonly chance: number | null;
  readonly nFewShot: number | null;
  readonly base: Value;
  /** One for each variant. */
  readonly cells: readonly Cell[];
  readonly children: readonly Row[];
}

/** Tasks, then groups, then the mean of the tasks, then tasks without a share of right answers. */
export function rowsOf(columns: readonly Column[]): Row[] {
  const [base] = columns;
  if (!base) return [];
  const { tasks, groups } = base.sheet.scored;
  const rowOf = (task: EvaluatedTask) => taskRow(task, columns);
  const grouped = (group: EvaluatedGroup): Row =>
    groupRow(
      group,
      [
        ...groups.filter(({ parent }) => parent === group.group).map(grouped),
        ...tasks.filter((task) => task.group === group.group).map(rowOf),
      ],
      columns,
    );
  const known = new Set(groups.map(({ group }) => group));
  const single = tasks.filter(({ group }) => group === null || !known.has(group)).map(rowOf);
  const right = single.filter(({ metric }) => isShare(metric));
  const others = single.filter(({ metric }) => !isShare(metric));
  const tops = groups.filter(({ parent }) => parent === null || !known.has(parent)).map(grouped);
  const mean = right.length > 1 ? [meanRow(right)] : [];
  return [...right, ...tops, ...mean, ...others];
}

function taskRow(task: EvaluatedTask, columns: readonly Column[]): Row {
  const metric = primaryMetric(task.metrics);
  const [base, ...variants] = columns;
  const baseValue = valueIn(base!, task.task, metric, task);
  return {
    key: task.task,
    title: task.title,
    kind: 'task',
    metric,
    task,
    chance: task.chance === null ? null : 100 * task.chance,
    nFewShot: task.nFewShot,
    base: baseValue,
    cells: variants.map((column) => {
      const own = column.sheet.scored.tasks.find((it) => it.task === task.task);
      const value = own ? valueIn(column, task.task, metric, own) : absentIn(column);
      const mismatches = own && value.state === 'known' ? differencesBetween(base!, column, task, own) : [];
      return {
        value,
        difference: differenceOf(column, { task: task.task, metric, base: baseValue, value, mismatches }),
      };
    }),
    children: [],
  };
}

function groupRow(group: EvaluatedGroup, children: Row[], columns: readonly Column[]): Row {
  const [base, ...variants] = columns;
  const metric = children[0]?.metric ?? 'acc';
  const leaves = leavesOf(children);
  const shots = new Set(leaves.map(({ nFewShot }) => nFewShot));
  const chances = new Set(leaves.map(({ chance }) => chance));
  const baseValue = valueIn(base!, group.group, metric, null);
  return {
    key: group.group,
    title: group.title,
    kind: 'group',
    metric,
    task: null,
    chance: chances.size === 1 ? [...chances][0]! : null,
    nFewShot: shots.size === 1 ? [...shots][0]! : null,
    base: baseValue,
    cells: variants.map((column, i) => {
      const value = valueIn(column, group.group, metric, null);
      // One subject that cannot be compared makes the whole incomparable.
      const mismatches = leaves.flatMap(({ cells }) => mismatchesIn(cells[i]!.difference));
      return {
        value,
        difference: differenceOf(column, { task: group.group, metric, base: baseValue, value, mismatches }),
      };
    }),
    children,
  };
}

/** Only once all tasks are known. Their questions are independent samples, so their errors add up as squares. */
function meanRow(rows: readonly Row[]): Row {
  const meanOf = (values: readonly Value[]): Value => {
    const known = values.flatMap((value) => (value.state === 'known' ? [value] : []));
    const missing = values.find((value) => value.state === 'notFinite') ?? values.find(isAbsent);
    if (known.length < values.length) return missing ?? { state: 'waiting' };
    const errors = known.map(({ stderr }) => stderr);
    return {
      state: 'known',
      value: average(known.map(({ value }) => value)),
      stderr: errors.includes(null) ? null : Math.hypot(...(errors as number[])) / known.length,
      nItems: known.reduce((sum, { nItems }) => sum + nItems, 0),
    };
  };
  const nVariants = rows[0]!.cells.length;
  return {
    key: 'mean',
    title: `Mean of ${rows.length} tasks`,
    kind: 'mean',
    metric: 'acc',
    task: null,
    chance: null,
    nFewShot: null,
    base: meanOf(rows.map(({ base }) => base)),
    cells: Array.from({ length: nVariants }, (_, i) => ({
      value: meanOf(rows.map(({ cells }) => cells[i]!.value)),
      difference: meanDifference(rows.map(({ cells }) => cells[i]!.difference)),
    })),
    children: [],
  };
}

const isAbsent = ({ state }: Value) => state === 'absent';

export const leavesOf = (rows: readonly Row[]): Row[] =>
  rows.flatMap((row) => (row.children.length > 0 ? leavesOf(row.children) : [row]));

/** Every row, also those under others. */
export const allRows = (rows: readonly Row[]): Row[] => rows.flatMap((row) => [row, ...allRows(row.children)]);

/** How many items of a task or group the original was scored on; of the whole task while that is not known. */
export const nItemsOf = ({ base, task }: Row): number | null =>
  base.state === 'known' ? base.nItems : (task?.nItems ?? null);
