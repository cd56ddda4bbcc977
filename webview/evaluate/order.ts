// Which rows are shown and in what order: sorted, filtered, only the significant ones, groups opened and closed.
import type { EvaluationSort, EvaluationView } from '../../server/protocol/pages/evaluate';
import { isShare } from '../../server/shared/metrics';
import { leavesOf, type Row } from './table';

export interface ShownRow {
  readonly row: Row;
  /** How many groups it lies under. */
  readonly depth: number;
  /** Of a group whether its tasks are shown; null: it has none to show. */
  readonly open: boolean | null;
}

/** Groups of more tasks than this are closed until a person opens them. */
const mostOpened = 12;

export function shownRows(rows: readonly Row[], view: EvaluationView): ShownRow[] {
  const words = view.filter.trim().toLowerCase();
  const searching = words !== '' || view.significant;
  const fits = (row: Row) =>
    (words === '' || row.title.toLowerCase().includes(words) || row.key.toLowerCase().includes(words)) &&
    (!view.significant || isSignificant(row));
  const list = (some: readonly Row[], depth: number): ShownRow[] =>
    sorted(some, view.sort).flatMap((row): ShownRow[] => {
      if (row.children.length === 0) return fits(row) ? [{ row, depth, open: null }] : [];
      // Found rows are shown also in closed groups. The mean is not shown, since it is not that of the found rows.
      const open = searching || isOpen(row, view);
      const own = fits(row) ? [{ row, depth, open: searching ? null : open }] : [];
      return [...own, ...(open ? list(row.children, depth + 1) : [])];
    });
  return list(searching ? rows.filter(({ kind }) => kind !== 'mean') : rows, 0);
}

export const isOpen = (row: Row, { opened }: EvaluationView): boolean =>
  Object.hasOwn(opened, row.key) ? opened[row.key]! : leavesOf(row.children).length <= mostOpened;

export const isSignificant = ({ cells }: Row): boolean =>
  cells.some(({ difference }) => difference.state === 'known' && difference.verdict !== null);

/** The next order when a heading is pressed: ascending, descending, unsorted. */
export function nextSort(now: EvaluationSort | null, by: EvaluationSort['by'], variant: number): EvaluationSort | null {
  if (now?.by !== by || now.variant !== variant) return { by, variant, descending: false };
  return now.descending ? null : { by, variant, descending: true };
}

/** Only tasks are sorted; groups, the mean and perplexities keep their places. */
function sorted(rows: readonly Row[], sort: EvaluationSort | null): Row[] {
  if (!sort) return [...rows];
  const sign = sort.descending ? -1 : 1;
  const movable = rows.filter(isMovable).sort((a, b) => {
    const [x, y] = [keyOf(a, sort), keyOf(b, sort)];
    // Rows without a number come last in both directions.
    if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1;
    return typeof x === 'string' || typeof y === 'string'
      ? sign * String(x).localeCompare(String(y), 'en')
      : sign * (x - y);
  });
  let next = 0;
  return rows.map((row) => (isMovable(row) ? movable[next++]! : row));
}

const isMovable = ({ kind, metric }: Row) => kind === 'task' && isShare(metric);

function keyOf({ title, base, cells }: Row, { by, variant }: EvaluationSort): number | string | null {
  if (by === 'task') return title;
  const cell = cells[variant];
  if (by === 'difference') return cell?.difference.state === 'known' ? cell.difference.delta : null;
  const value = by === 'base' ? base : cell?.value;
  return value?.state === 'known' ? value.value : null;
}
