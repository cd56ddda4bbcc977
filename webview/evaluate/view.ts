// What the page keeps and everything that is shown from it, computed once a rendering.
import type { EvaluationRun, EvaluationState } from '../../server/protocol/pages/evaluate';
import type { RunSummary } from '../../server/protocol/server';
import { type Column, columnsOf } from './columns';
import { shownRows, type ShownRow } from './order';
import { type PlotScale, plotScale } from './plot';
import { type Row, rowsOf } from './table';

export interface PageState {
  readonly host: EvaluationState;
  /** The row that has the tab stop. */
  readonly current: string | null;
  /** Rows whose details are shown. */
  readonly detailed: readonly string[];
  readonly copied: boolean;
  readonly failure: string | null;
  /** What was written last. */
  readonly written: string | null;
  readonly busy: boolean;
}

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

export const isActive = ({ state }: RunSummary): boolean => ['queued', 'running', 'paused'].includes(state);
