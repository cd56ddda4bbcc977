// The Markdown table that lm-evaluation-harness prints of a model's results, to the letter: people hold one beside the
// other. Its writer (pytablewriter) reads numbers back from text, so a column has as many decimals as its longest number
// needs, and one with `N/A` in it is a column of text.
import { rowOf } from '../shared/rowOf';
import type { HarnessResults, TaskResults } from './harnessResults';

/** What the table is made of. */
export type TableSource = Pick<HarnessResults, 'group_subtasks' | 'versions' | 'n-shot' | 'higher_is_better'> & {
  models: Pick<HarnessResults['models'][number], 'results' | 'groups'>[];
};

/** The table of tasks and groups, and that of the groups alone where there are any. */
export function harnessTable(results: TableSource, model = 0): string {
  const { results: tasks, groups } = results.models[model]!;
  const both = table('Tasks', { ...tasks, ...groups }, results);
  return Object.keys(groups).length > 0 ? `${both}\n\n${table('Groups', groups, results)}` : both;
}

function table(what: 'Tasks' | 'Groups', found: Record<string, TaskResults>, results: TableSource): string {
  const rows = inTreeOrder(results.group_subtasks, Object.keys(found)).flatMap(({ name, depth }) =>
    metricRows(name, depth, found[name]!, results),
  );
  const columns = [what, 'Version', 'Filter', 'n-shot', 'Metric', '', 'Value', '', 'Stderr'].map((header, i) =>
    column(
      header,
      rows.map((row) => row[i]!),
    ),
  );
  return [0, 1, ...rows.map((_, i) => i + 2)]
    .map((line) => `|${columns.map((cells) => cells[line]).join('|')}|`)
    .join('\n');
}

/** Groups with what is below them, by name, then what is in no group, by name. */
function inTreeOrder(members: Record<string, string[]>, present: readonly string[]): { name: string; depth: number }[] {
  const below = new Set(Object.values(members).flat());
  const visit = (name: string, depth: number): { name: string; depth: number }[] => [
    { name, depth },
    ...(rowOf(members, name) ?? []).toSorted(byCode).flatMap((member) => visit(member, depth + 1)),
  ];
  const tree = Object.keys(members)
    .filter((name) => !below.has(name))
    .sort(byCode)
    .flatMap((name) => visit(name, 0));
  const inTree = new Set(tree.map(({ name }) => name));
  const alone = present.filter((name) => !inTree.has(name)).toSorted(byCode);
  return [...tree.filter(({ name }) => present.includes(name)), ...alone.map((name) => ({ name, depth: 0 }))];
}

const byCode = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

function metricRows(name: string, depth: number, found: TaskResults, results: TableSource): string[][] {
  const alias = `${depth > 0 ? `${' '.repeat(depth)}- ` : ''}${found.alias ?? name}`;
  const shots = rowOf(results['n-shot'], name);
  const keys = Object.keys(found).filter((key) => key.includes(',') && !key.includes('_stderr,'));
  return keys.sort(byCode).map((key, i) => {
    const [metric = '', filter = ''] = key.split(',');
    const higherIsBetter = rowOf(rowOf(results.higher_is_better, name) ?? {}, metric);
    const arrow = higherIsBetter === undefined ? '' : higherIsBetter ? '↑' : '↓';
    const stderr = found[`${metric}_stderr,${filter}`];
    return [
      i === 0 ? alias : '',
      i === 0 ? `${rowOf(results.versions, name) ?? '    N/A'}` : '',
      filter,
      `${shots ?? ' '}`,
      metric,
      arrow,
      fixed(found[key]),
      '±',
      typeof stderr === 'number' ? stderr.toFixed(4) : '   N/A',
    ];
  });
}

const fixed = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value.toFixed(4) : 'Infinity');

/** Header, rule and cells, all of one width. A column that begins with `N/A` is text from there on. */
function column(header: string, cells: readonly string[]): string[] {
  const isText = (cell: string) => !isNumber(cell) && cell !== '' && cell !== 'Infinity';
  const asText = isText(cells[0]!);
  const mixed = cells.some(isText);
  const numbers = cells.filter(isNumber);
  const nDecimals = Math.max(0, ...numbers.map(decimalsOf));
  const shown = cells.map((cell) => {
    if (asText || !isNumber(cell)) return cell;
    return Number(cell).toFixed(mixed && decimalsOf(cell) === 0 ? 0 : nDecimals);
  });
  const width = Math.max(3, header.length, ...shown.map((cell) => [...cell].length));
  const left = Math.floor((width - header.length) / 2);
  return [
    `${' '.repeat(left)}${header}`.padEnd(width),
    mixed || numbers.length === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
    ...shown.map((cell, i) => (asText || isText(cells[i]!) ? cell.padEnd(width) : cell.padStart(width))),
  ];
}

const isNumber = (cell: string) => /^\d+(\.\d+)?$/.test(cell);
const decimalsOf = (cell: string) => cell.replace(/^\d+\.?/, '').replace(/0+$/, '').length;
