// One axis for all plots of a table: differences in points around zero, wide enough for every interval.
import { isShare } from '../../server/shared/metrics';
import { roundValues } from '../heal/scale';
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
