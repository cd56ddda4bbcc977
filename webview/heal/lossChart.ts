// The curve as the chart draws it: training loss faint, its average strong, held-out points as diamonds that are never
// averaged, the lines of the pruned and the dense model, earlier runs in grey, and where the run is now.
import { loss } from '../../server/shared/numbers';
import type { ChartOption, Colours } from '../components/chart';
import { downsampled } from './downsample';
import { firstAtLeast } from './curve';
import { type PlotArea, plotAreaOf, margins } from './plotArea';
import { dashes, overlayName, shapes } from './legend';
import { nextEvaluation, type RunView } from './view';

type Points = [number, number][];

export function lossChartOption(view: RunView, colours: Colours, widthPx: number, heightPx: number): ChartOption {
  const frame = plotAreaOf(view, widthPx, heightPx);
  const { x, y } = frame;
  const text = { color: colours.quiet, fontSize: 11, fontFamily: colours.font };
  const plainAxis = { type: 'value', axisLine: { show: false }, axisTick: { show: false } };
  const at = (values: number[], place: (value: number) => number) => values.map(place);
  return {
    grid: { left: margins.left, right: margins.right, top: margins.top, bottom: margins.bottom },
    dataZoom: zoomers(frame, colours),
    xAxis: {
      ...plainAxis,
      min: x.place(frame.whole.from),
      max: x.place(frame.whole.to),
      splitLine: { show: false },
      axisLabel: {
        ...text,
        margin: 8,
        customValues: at(frame.xMarks, x.place),
        formatter: (place: number) => frame.xLabel(x.value(place)),
      },
    },
    yAxis: {
      ...plainAxis,
      min: y.place(frame.low),
      max: y.place(frame.high),
      axisTick: { show: false, customValues: at(frame.yMarks, y.place) },
      splitLine: { lineStyle: { color: colours.faint } },
      axisLabel: {
        ...text,
        margin: 6,
        customValues: at(frame.yMarks, y.place),
        formatter: (place: number) => frame.yLabel(y.value(place)),
      },
    },
    series: series(view, frame, colours, text),
  };
}

const zoomers = ({ x, shown }: PlotArea, colours: Colours) => {
  const range = { startValue: x.place(shown.from), endValue: x.place(shown.to), filterMode: 'none' };
  return [
    // Without a key the wheel scrolls the page, and dragging chooses a part (frame.ts).
    { type: 'inside', ...range, zoomOnMouseWheel: 'ctrl', moveOnMouseMove: 'shift', moveOnMouseWheel: 'shift' },
    {
      type: 'slider',
      ...range,
      left: margins.left,
      right: margins.right,
      bottom: 6,
      height: 4,
      showDetail: false,
      showDataShadow: false,
      brushSelect: false,
      borderColor: 'transparent',
      backgroundColor: colours.faint,
      fillerColor: colours.faint,
      moveHandleSize: 0,
      handleSize: 10,
      handleIcon: 'path://M0 0H3V10H0Z',
      handleStyle: { color: colours.quiet, borderColor: colours.quiet },
      emphasis: { handleStyle: { color: colours.foreground, borderColor: colours.foreground } },
    },
  ];
};

function series(view: RunView, frame: PlotArea, colours: Colours, text: object): object[] {
  const { curve, x: axis, phase } = view;
  const { x, y, shown } = frame;
  const placed = (points: Points): Points => points.map(([a, b]) => [x.place(a), y.place(b)]);
  const inside = (value: number) => value >= shown.from && value <= shown.to;
  const from = Math.max(0, firstAtLeast(axis.values, curve.length, shown.from) - 1);
  const to = Math.min(curve.length, firstAtLeast(axis.values, curve.length, shown.to) + 1);
  const bins = (values: Float64Array) =>
    placed(
      downsampled({ x: axis.values, y: values, length: curve.length, pixel: frame.xPixel, at: frame.xAt }, from, to),
    );
  const line = (id: string, data: Points, z: number, style: object, more: object = {}) => ({
    id,
    name: id,
    type: 'line',
    data,
    z,
    symbol: 'none',
    silent: true,
    emphasis: { disabled: true },
    lineStyle: style,
    ...more,
  });
  const held = frame.heldOut(view.curve.evals);
  const last = held.at(-1);
  const diamond = {
    symbol: 'diamond',
    symbolSize: 11,
    itemStyle: { color: colours.background, borderColor: colours.measured, borderWidth: 2 },
  };
  const upright = (at: number): Points => [
    [x.place(at), y.place(frame.low)],
    [x.place(at), y.place(frame.high)],
  ];
  const now = axis.at(curve.nDone);
  const next = view.phase === 'running' || view.phase === 'paused' ? nextEvaluation(view) : null;
  return [
    ...frame.references.map(({ name, lossNats, shiftPx }) =>
      line(
        name,
        placed([
          [shown.from, lossNats],
          [shown.to, lossNats],
        ]),
        2,
        { color: colours.foreground, width: 1, type: [6, 3], opacity: 0.8 },
        {
          endLabel: {
            show: true,
            formatter: `${name} ${loss(lossNats)}`,
            ...text,
            color: colours.foreground,
            distance: 6,
            offset: [0, shiftPx],
          },
        },
      ),
    ),
    ...view.overlays.map((earlier, i) =>
      line(
        overlayName(earlier),
        placed(frame.heldOut(earlier.evals, earlier.recipe)),
        3,
        { color: colours.quiet, width: 1.5, type: dashes[i % dashes.length]! },
        {
          symbol: shapes[i % shapes.length],
          symbolSize: 6,
          itemStyle: { color: colours.background, borderColor: colours.quiet, borderWidth: 1.5 },
        },
      ),
    ),
    line('train', bins(curve.column('lossNats')), 4, { color: colours.predicted, width: 1, opacity: 0.5 }),
    line('train, smoothed', bins(curve.smoothed(view.state.host.view.smoothing)), 5, {
      color: colours.predicted,
      width: 2,
    }),
    line('held out', placed(held), 6, { color: colours.measured, width: 1, type: [2, 3] }, diamond),
    ...(phase !== 'done' && curve.nDone > 0 && inside(now)
      ? [line('now', upright(now), 1, { color: colours.quiet, width: 1, type: [1, 3] })]
      : []),
    ...(last && held.length > 1
      ? [
          marked('last', [x.place(last[0]), y.place(last[1])], loss(last[1]), 'top', {
            ...text,
            color: colours.foreground,
            textBorderColor: colours.background,
            textBorderWidth: 4,
          }),
        ]
      : []),
    ...(next && inside(next.at)
      ? [
          {
            ...marked('next', [x.place(next.at), y.place(frame.low)], next.label, 'top', text),
            symbol: 'diamond',
            symbolSize: 11,
            itemStyle: { color: colours.background, borderColor: colours.measured, borderWidth: 2, opacity: 0.4 },
          },
        ]
      : []),
  ];
}

/** A word on a point; the point itself is drawn by others. */
const marked = (id: string, point: [number, number], formatter: string, position: 'top', label: object) => ({
  id,
  type: 'scatter',
  z: 7,
  silent: true,
  clip: false,
  symbolSize: 0,
  data: [point],
  label: { show: true, formatter, position, distance: 8, opacity: 1, ...label },
});

/** For a file, which has nothing around it: with a legend, without what only a mouse needs or only the moment means. */
export function pictureOption(view: RunView, colours: Colours, widthPx: number, heightPx: number): ChartOption {
  const option = lossChartOption(view, colours, widthPx, heightPx);
  const lines = ['train', 'train, smoothed'].map((name) => ({ name, itemStyle: { opacity: 0 } }));
  const marked = ['held out', ...view.overlays.map(overlayName)].map((name) => ({ name }));
  return {
    ...option,
    series: (option.series as { id: string }[]).filter(({ id }) => id !== 'now' && id !== 'next'),
    dataZoom: [],
    legend: {
      data: [...lines, ...marked],
      left: margins.left,
      bottom: 0,
      itemWidth: 22,
      itemHeight: 10,
      itemGap: 14,
      textStyle: { color: colours.foreground, fontSize: 11, fontFamily: colours.font },
    },
  };
}
