// Differences drawn: each variant is a dot with its interval around a line for zero, hollow while zero is inside. All rows
// of a table share one axis, in points, that is wide enough for every interval.
import { html, nothing, type SVGTemplateResult, svg, type TemplateResult } from 'lit';
import { isShare } from '../../server/shared/metrics';
import { signed } from '../../server/shared/numbers';
import { shapePath } from '../../server/shared/styles';
import { roundValues } from '../components/axisScale';
import type { Column } from './columns';
import { allRows, type Row } from './table';

export interface PlotScale {
  /** The axis goes from -reach to reach, in points. */
  readonly reach: number;
  readonly marks: readonly number[];
  /** A share of the width, as an attribute takes it. What lies beyond the axis is drawn at its end. */
  place(points: number): string;
}

export function plotScale(rows: readonly Row[]): PlotScale {
  const ends = allRows(rows)
    .filter(({ metric }) => isShare(metric))
    .flatMap(({ cells }) =>
      cells.flatMap(({ difference }) =>
        difference.state === 'known' ? (difference.interval ?? [difference.delta]).map(Math.abs) : [],
      ),
    )
    .filter(Number.isFinite);
  const reach = Math.min(110, Math.max(2, 1.06 * Math.max(0, ...ends)));
  return {
    reach,
    marks: roundValues(-reach, reach, 4),
    place: (points) => `${(50 * (1 + Math.max(-reach, Math.min(reach, points)) / reach)).toFixed(2)}%`,
  };
}

/** Between the dots of two variants. */
const gapPx = 10;
export const rowHeightPx = (nVariants: number): number => Math.max(28, gapPx * nVariants + 8);

/** `columns`: the variants, in the order of the row's cells. */
export function plot(row: Row, columns: readonly Column[], scale: PlotScale): TemplateResult {
  const height = rowHeightPx(columns.length);
  const top = (height - gapPx * (columns.length - 1)) / 2;
  const zero = scale.place(0);
  return html`
    <svg class="dots" width="100%" height=${height} aria-hidden="true">
      ${scale.marks.filter((mark) => mark !== 0).map((mark) => svg`<line class="grid" x1=${scale.place(mark)} x2=${scale.place(mark)} y2=${height}></line>`)}
      <line class="zero" x1=${zero} x2=${zero} y2=${height}></line>
      ${isShare(row.metric) ? columns.map((column, i) => dot(row, column, i, top + i * gapPx, scale)) : nothing}
    </svg>`;
}

function dot(row: Row, column: Column, i: number, y: number, scale: PlotScale): SVGTemplateResult | typeof nothing {
  const difference = row.cells[i]?.difference;
  if (difference?.state !== 'known') return nothing;
  const { interval, delta, sure } = difference;
  const style = `${column.kind} ${sure ? '' : 'unsure'}`;
  return svg`
    ${interval ? svg`<line class="interval ${style}" x1=${scale.place(interval[0])} x2=${scale.place(interval[1])} y1=${y} y2=${y}></line>` : nothing}
    <svg x=${scale.place(delta)} y=${y} overflow="visible"><path class=${style} d=${shapePath[column.shape]}></path></svg>`;
}

export const axis = (scale: PlotScale): TemplateResult => html`
  <svg class="marks" width="100%" height="14" aria-hidden="true">${scale.marks.map(
    (mark) =>
      svg`<text x=${scale.place(mark)} y="11" text-anchor="middle">${signed(mark, scale.reach < 4 ? 1 : 0)}</text>`,
  )}</svg>`;

/** What stands for a variant in headings. */
export const sign = ({ shape, kind }: Column): TemplateResult => html`
  <svg class="sign" width="10" height="10" viewBox="-5 -5 10 10" aria-hidden="true"
    ><path class=${kind} d=${shapePath[shape]}></path></svg>`;
