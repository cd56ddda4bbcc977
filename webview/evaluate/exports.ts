// The table for others: as Markdown the rows that are shown, with the digits of the page; as CSV and JSON everything, in full
// precision and with the settings. Names of fields are ASCII.
import { isShare, metricOf } from '../../server/shared/metrics';
import { verdictMarks } from '../../server/shared/scores';
import { comparisonOf, scoreOf } from './cell';
import type { Column } from './columns';
import { allRows, nItemsOf, type Row } from './table';
import { type TableView, variantsOf } from './view';
import { differenceText, intervalText, valueText } from './words';

export function markdownOf(view: TableView): string {
  const variants = variantsOf(view);
  const heads = [
    ['Task', '---'],
    ['n', '--:'],
    ['Original %', '--:'],
    ...variants.flatMap(({ name }) => [
      [`${escaped(name)} %`, '--:'],
      ['Difference', '--:'],
    ]),
  ];
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  const rows = view.shown.map(({ row, depth }) => {
    const unit = isShare(row.metric) ? '' : `, ${metricOf(row.metric).label}`;
    return line([
      `${'&nbsp;&nbsp;'.repeat(depth)}${escaped(row.title)}${unit}`,
      String(nItemsOf(row) ?? ''),
      valueText(row, row.base),
      ...row.cells.flatMap(({ value, difference }) => {
        const verdict = difference.state === 'known' && difference.verdict ? verdictMarks[difference.verdict] : '';
        const said = [differenceText(row, difference, value), intervalText(row, difference), verdict];
        return [valueText(row, value), said.filter(Boolean).join(' ')];
      }),
    ]);
  });
  return [line(heads.map(([name]) => name!)), `|${heads.map(([, side]) => side).join('|')}|`, ...rows, ''].join('\n');
}

const fields = [
  'task',
  'title',
  'kind',
  'metric',
  'version',
  'shots',
  'n_items',
  'n_items_of_task',
  'first_item',
  'chance',
  'model',
  'model_name',
  'removed_blocks',
  'healed',
  'dtype',
  'max_tokens',
  'data_sha256',
  'value',
  'stderr',
  'base_value',
  'delta',
  'delta_paired_stderr',
  'delta_interval95_low',
  'delta_interval95_high',
  'mcnemar_p',
  'changed_to_wrong',
  'changed_to_right',
  'significant_holm',
  'comparable',
] as const;

/** A line for every task or group, metric and model. Shares of right answers are fractions here. */
export function csvOf(view: TableView): string {
  const lines = allRows(view.rows)
    .filter(({ kind }) => kind !== 'mean')
    .flatMap((row) => (row.task?.metrics ?? [row.metric]).map((metric) => ({ row, metric })))
    .flatMap(({ row, metric }) =>
      view.columns.flatMap((column, at) => {
        const values = valuesOf(row, metric, column, at, view.columns[0]!);
        return values ? [fields.map((field) => quoted(values[field])).join(',')] : [];
      }),
    );
  return `${[fields.join(','), ...lines].join('\n')}\n`;
}

type Line = Record<(typeof fields)[number], string | number | boolean | null | undefined>;

function valuesOf(row: Row, metric: Row['metric'], column: Column, at: number, base: Column): Line | null {
  const score = scoreOf(column, row.key, metric);
  if (!score) return null;
  const own = column.sheet.scored.tasks.find(({ task }) => task === row.key);
  const difference = row.cells[at - 1]?.difference;
  const comparable = at === 0 ? null : difference?.state !== 'differs';
  const comparison = comparable ? comparisonOf(column, row.key, metric) : null;
  const { model } = column;
  return {
    task: row.key,
    title: row.title,
    kind: row.kind,
    metric,
    version: own?.version,
    shots: own?.nFewShot,
    n_items: score.nItems,
    n_items_of_task: own?.nItemsOfTask,
    first_item: column.sheet.recipe.items?.first ?? 0,
    chance: own?.chance,
    model: model.label,
    model_name: model.name,
    removed_blocks: model.removedBlocks.join(' '),
    healed: model.healed,
    dtype: model.dtype,
    max_tokens: model.maxTokens,
    data_sha256: own?.files.map(({ sha256 }) => sha256).join(' '),
    value: score.value,
    stderr: score.stderr,
    base_value: scoreOf(base, row.key, metric)?.value,
    delta: comparison?.delta,
    delta_paired_stderr: comparison?.pairedStderr,
    delta_interval95_low: comparison?.interval95?.[0],
    delta_interval95_high: comparison?.interval95?.[1],
    mcnemar_p: comparison?.mcnemarP,
    changed_to_wrong: comparison?.flipped?.toWrong,
    changed_to_right: comparison?.flipped?.toRight,
    significant_holm: comparison?.significant,
    comparable,
  };
}

/** The reports as they are, with the recipes that made them. */
export function jsonOf({ state }: TableView): string {
  const { shown } = state.host;
  const runs = shown.kind === 'run' ? [shown.evaluation, ...shown.beside] : [];
  const evaluations = runs.map(({ run, recipe, report, scored }) => ({
    runId: run.runId,
    recipe,
    report: report ?? scored,
  }));
  return `${JSON.stringify({ evaluations }, null, 2)}\n`;
}

const quoted = (value: Line[keyof Line]): string => {
  const text = value === null || value === undefined ? '' : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Text from models must not end a cell or become markup. */
const escaped = (text: string): string =>
  text
    .replace(/[\r\n]+/g, ' ')
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replace(/[\\|*_`[\]]/g, (sign) => `\\${sign}`);
