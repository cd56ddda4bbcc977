// Everything that the page shows of a run, computed once before a rendering.
import type { EvaluationRun } from '../../server/protocol/pages/evaluate';
import { type Column, columnsOf } from './columns';
import { type ShownRow, shownRows } from './order';
import { type PlotScale, plotScale } from './plot';
import type { PageState } from './state';
import { type Row, rowsOf } from './table';

export interface TableView {
  readonly state: PageState;
  readonly evaluation: EvaluationRun;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
  readonly shown: readonly ShownRow[];
  readonly scale: PlotScale;
}

export function tableViewOf(state: PageState): TableView | null {
  const { shown, view } = state.host;
  if (shown.kind === 'form') return null;
  const columns = columnsOf([shown.evaluation, ...shown.beside]);
  const rows = rowsOf(columns);
  return {
    state,
    evaluation: shown.evaluation,
    columns,
    rows,
    shown: shownRows(rows, view),
    scale: plotScale(rows),
  };
}

export const variantsOf = ({ columns }: TableView): readonly Column[] => columns.slice(1);
