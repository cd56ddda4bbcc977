// The plot area of the loss chart: which part of the curve is shown, between which losses, and which pixel is which step.
// The chart, the crosshair and the mouse use the same one.
import type { HealEval } from '../../server/protocol/reports';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import { clock, plain } from '../../server/shared/numbers';
import { linear, logarithmic, type Scale } from '../components/axisScale';
import { firstAtLeast } from './curve';
import { scientific, tokensPerStep } from './settings';
import type { RunView } from './view';

/** Around the plot, in pixels: on the right for the names of lines, below for the marks and the slider. */
export const margins = { left: 40, right: 84, top: 10, bottom: 40 };

export interface Range {
  readonly from: number;
  readonly to: number;
}

export interface PlotArea {
  readonly x: Scale;
  readonly y: Scale;
  readonly whole: Range;
  readonly shown: Range;
  /** Losses at the lower and upper edge. */
  readonly low: number;
  readonly high: number;
  readonly xMarks: number[];
  readonly yMarks: number[];
  xLabel(value: number): string;
  yLabel(lossNats: number): string;
  /** From a value of the horizontal axis to a pixel from the left edge of the chart, and back. */
  xPixel(value: number): number;
  xAt(pixel: number): number;
  readonly references: { name: string; lossNats: number; shiftPx: number }[];
  /** Evaluations as points; those that the axis cannot show are left out. */
  heldOut(evals: readonly HealEval[], recipe?: HealRecipe): [number, number][];
}

export function plotAreaOf(view: RunView, widthPx: number, heightPx: number): PlotArea {
  const { logX, logY, by } = view.state.host.view;
  const [x, y] = [logX ? logarithmic : linear, logY ? logarithmic : linear];
  const end = Math.max(view.x.end, view.x.at(view.curve.nDone));
  const whole = { from: logX ? Math.min(view.x.at(1), end / 2) : 0, to: end };
  const shown = within(view.state.zoom, whole);
  const plotPx = Math.max(1, widthPx - margins.left - margins.right);
  const [left, right] = [x.place(shown.from), x.place(shown.to)];
  const perPx = (right - left) / plotPx;
  const heldOut = (evals: readonly HealEval[], recipe = view.healing.recipe) =>
    evals.flatMap(({ step, lossNats }): [number, number][] => {
      // Steps of another run may have another size: except on an axis of steps they are compared by their tokens.
      const at = view.x.at(by === 'step' ? step : (step * tokensPerStep(recipe)) / tokensPerStep(view.healing.recipe));
      return Number.isFinite(lossNats) && at >= whole.from && (!logY || lossNats > 0) ? [[at, lossNats]] : [];
    });
  const { low, high } = lossRange(view, shown, y, heldOut);
  const yMarks = y.marks(low, high, Math.max(3, Math.min(8, Math.floor(heightPx / 45))));
  const gap = yMarks.length > 1 ? yMarks[1]! - yMarks[0]! : 0.1;
  const digits = Math.max(1, Math.min(6, Math.ceil(-Math.log10(gap) - 1e-9)));
  const plotHeight = Math.max(1, heightPx - margins.top - margins.bottom);
  return {
    x,
    y,
    whole,
    shown,
    low,
    high,
    xMarks: x.marks(shown.from, shown.to, plotPx > 400 ? 5 : 4),
    yMarks,
    xLabel: (value) => (by === 'seconds' ? clock(value) : shortCount(value, end)),
    yLabel: (lossNats) => plain(lossNats, digits),
    xPixel: (value) => margins.left + (x.place(value) - left) / perPx,
    xAt: (pixel) => x.value(left + (pixel - margins.left) * perPx),
    references: apart(view, (nats) => (plotHeight * (y.place(nats) - y.place(low))) / (y.place(high) - y.place(low))),
    heldOut,
  };
}

function within(zoom: Range | null, whole: Range): Range {
  if (!zoom) return whole;
  const from = Math.max(whole.from, Math.min(zoom.from, whole.to));
  const to = Math.min(whole.to, Math.max(zoom.to, from));
  return to > from ? { from, to } : whole;
}

/** The range of all that is shown, except single spikes of the training loss. Its last steps are always in it. */
function lossRange(view: RunView, shown: Range, y: Scale, heldOut: PlotArea['heldOut']): { low: number; high: number } {
  const { curve, x, overlays, original, pruned } = view;
  const from = firstAtLeast(x.values, curve.length, shown.from);
  const to = firstAtLeast(x.values, curve.length, shown.to + 1e-9);
  const raw = curve.column('lossNats');
  const stride = Math.max(1, Math.floor((to - from) / 2000));
  const sample: number[] = [];
  for (let i = from; i < to; i += stride) if (Number.isFinite(raw[i])) sample.push(raw[i]!);
  sample.sort((a, b) => a - b);
  const cut = Math.floor(sample.length / 200);
  const latest = Array.from(raw.subarray(Math.max(from, to - 5), to)).filter(Number.isFinite);
  const evaluated = [heldOut(curve.evals), ...overlays.map(({ evals, recipe }) => heldOut(evals, recipe))].flat();
  const points = evaluated.flatMap(([at, nats]) => (at >= shown.from && at <= shown.to ? [nats] : []));
  const lines = [original, pruned].flatMap((line) => (line ? [line.lossNats] : []));
  const all = [...sample.slice(cut, sample.length - cut), ...latest, ...points, ...lines].filter(
    (nats) => y === linear || nats > 0,
  );
  if (all.length === 0) return { low: y === linear ? 0 : 1, high: 10 };
  const [least, most] = [Math.min(...all), Math.max(...all)].map(y.place) as [number, number];
  const room = Math.max(most - least, 1e-3 * Math.abs(most), 1e-9) * 0.08;
  return { low: y.value(least - room), high: y.value(most + room) };
}

/** Names of lines that lie close are moved apart. */
function apart({ original, pruned, state }: RunView, pixel: (nats: number) => number): PlotArea['references'] {
  const gap = original && pruned ? Math.abs(pixel(pruned.lossNats) - pixel(original.lossNats)) : 99;
  const shift = Math.max(0, (13 - gap) / 2);
  const prunedAbove = !original || !pruned || pruned.lossNats >= original.lossNats;
  return [
    ...(pruned
      ? [
          {
            name: state.host.model.prunedFrom ? 'pruned' : 'before',
            lossNats: pruned.lossNats,
            shiftPx: prunedAbove ? -shift : shift,
          },
        ]
      : []),
    ...(original ? [{ name: 'original', lossNats: original.lossNats, shiftPx: prunedAbove ? shift : -shift }] : []),
  ];
}

/** `75`, `10 k`, `1.2 M`; with the units that go with the end of the axis. */
function shortCount(value: number, end: number): string {
  if (value >= 1e9) return scientific(value);
  const [unit, name] = value >= 1e6 ? [1e6, ' M'] : value >= 1e3 && end >= 1e4 ? [1e3, ' k'] : [1, ''];
  return `${Number((value / unit).toPrecision(4))}${name}`;
}
