// The options of the loss chart: training loss faint, its average strong, held-out points as diamonds that are never
// averaged, the lines of the pruned and the original model, earlier runs in grey, and where the run is now.
import { loss } from '../../server/shared/numbers';
import type { ChartOption, Colours } from '../components/chart';
import { firstAtLeast } from './curve';
import { downsampled } from './downsample';
import { dashes, overlayName, shapes } from './legend';
import { margins, type PlotArea, plotAreaOf } from './plotArea';
import { nextEvaluation, type RunView } from './view';

type Points = [number, number][];

export function lossChartOption(view: RunView, colours: Colours, widthPx: number, heightPx: number): ChartOption {
  const area = plotAreaOf(view, widthPx, heightPx);
  const { x, y } = area;
  const text = { color: colours.quiet, fontSize: 11, fontFamily: colours.font };
  const plainAxis = { type: 'value', axisLine: { show: false }, axisTick: { show: false } };
  const at = (values: number[], place: (value: number) => number) => values.map(place);
  return {
    grid: { left: margins.left, right: margins.right, top: margins.top, bottom: margins.bottom },
    dataZoom: zoomers(area, colours),
    xAxis: {
      ...plainAxis,
      min: x.place(area.whole.from),
      max: x.place(area.whole.to),
      splitLine: { show: false },
      axisLabel: {
        ...text,
        margin: 8,
        customValues: at(area.xMarks, x.place),
        formatter: (place: number) => area.xLabel(x.value(place)),
      },
    },
    yAxis: {
      ...plainAxis,
      min: y.place(area.low),
      max: y.place(area.high),
      axisTick: { show: false, customValues: at(area.yMarks, y.place) },
      splitLine: { lineStyle: { color: colours.faint } },
      axisLabel: {
        ...text,
        margin: 6,
        customValues: at(area.yMarks, y.place),
        formatter: (place: number) => area.yLabel(y.value(place)),
      },
    },
    series: series({ view, area, colours, text }),
  };
}

const zoomers = ({ x, shown }: PlotArea, colours: Colours) => {
  const range = { startValue: x.place(shown.from), endValue: x.place(shown.to), filterMode: 'none' };
  return [
    // Without a key the wheel scrolls the page, and dragging chooses a part (interaction.ts).
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

/** What every series is drawn from. */
interface Drawing {
  readonly view: RunView;
  readonly area: PlotArea;
  readonly colours: Colours;
  readonly text: object;
}

const series = (drawing: Drawing): object[] => [
  ...referenceLines(drawing),
  ...earlierRuns(drawing),
  ...ownLines(drawing),
  ...nowLine(drawing),
  ...lastLabel(drawing),
  ...nextEvaluationMark(drawing),
];

/** The losses of the pruned and the original model, from edge to edge. */
const referenceLines = ({ area, colours, text }: Drawing) =>
  area.references.map(({ name, lossNats, shiftPx }) =>
    line(
      name,
      placed(area, [
        [area.shown.from, lossNats],
        [area.shown.to, lossNats],
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
  );

const earlierRuns = ({ view, area, colours }: Drawing) =>
  view.overlays.map((earlier, i) =>
    line(
      overlayName(earlier),
      placed(area, area.heldOut(earlier.evals, earlier.recipe)),
      3,
      { color: colours.quiet, width: 1.5, type: dashes[i % dashes.length]! },
      {
        symbol: shapes[i % shapes.length],
        symbolSize: 6,
        itemStyle: { color: colours.background, borderColor: colours.quiet, borderWidth: 1.5 },
      },
    ),
  );

function ownLines({ view, area, colours }: Drawing) {
  const { curve, x: axis } = view;
  const { predicted, measured } = colours;
  const from = Math.max(0, firstAtLeast(axis.values, curve.length, area.shown.from) - 1);
  const to = Math.min(curve.length, firstAtLeast(axis.values, curve.length, area.shown.to) + 1);
  const points = (values: Float64Array) => {
    const { xPixel: pixel, xAt: at } = area;
    return placed(area, downsampled({ x: axis.values, y: values, length: curve.length, pixel, at }, from, to));
  };
  const smoothed = curve.smoothed(view.state.host.view.smoothing);
  return [
    line('train', points(curve.column('lossNats')), 4, { color: predicted, width: 1, opacity: 0.5 }),
    line('train, smoothed', points(smoothed), 5, { color: predicted, width: 2 }),
    line(
      'held out',
      placed(area, area.heldOut(curve.evals)),
      6,
      { color: measured, width: 1, type: [2, 3] },
      diamond(colours),
    ),
  ];
}

/** Where the run is now, until it has ended. */
function nowLine({ view, area, colours }: Drawing) {
  const { nDone } = view.curve;
  const at = view.x.at(nDone);
  if (view.phase === 'done' || nDone === 0 || !isShown(area, at)) return [];
  const upright = placed(area, [
    [at, area.low],
    [at, area.high],
  ]);
  return [line('now', upright, 1, { color: colours.quiet, width: 1, type: [1, 3] })];
}

/** The newest held-out loss as a number. */
function lastLabel({ view, area, colours, text }: Drawing) {
  const heldOut = area.heldOut(view.curve.evals);
  if (heldOut.length < 2) return [];
  const [point] = placed(area, heldOut.slice(-1));
  const label = { color: colours.foreground, textBorderColor: colours.background, textBorderWidth: 4 };
  return [marked('last', point!, loss(heldOut.at(-1)![1]), { ...text, ...label })];
}

function nextEvaluationMark({ view, area, colours, text }: Drawing) {
  const next = view.phase === 'running' || view.phase === 'paused' ? nextEvaluation(view) : null;
  if (!next || !isShown(area, next.at)) return [];
  const [point] = placed(area, [[next.at, area.low]]);
  const { itemStyle, ...mark } = diamond(colours);
  return [{ ...marked('next', point!, next.label, text), ...mark, itemStyle: { ...itemStyle, opacity: 0.4 } }];
}

const placed = ({ x, y }: PlotArea, points: Points): Points => points.map(([a, b]) => [x.place(a), y.place(b)]);

const isShown = ({ shown }: PlotArea, value: number): boolean => value >= shown.from && value <= shown.to;

const diamond = (colours: Colours) => ({
  symbol: 'diamond',
  symbolSize: 11,
  itemStyle: { color: colours.background, borderColor: colours.measured, borderWidth: 2 },
});

const line = (name: string, data: Points, z: number, lineStyle: object, more: object = {}) => ({
  id: name,
  name,
  type: 'line',
  data,
  z,
  symbol: 'none',
  silent: true,
  emphasis: { disabled: true },
  lineStyle,
  ...more,
});

/** A word on a point; the point itself is drawn by others. */
const marked = (id: string, point: [number, number], formatter: string, label: object) => ({
  id,
  type: 'scatter',
  z: 7,
  silent: true,
  clip: false,
  symbolSize: 0,
  data: [point],
  label: { show: true, formatter, position: 'top', distance: 8, opacity: 1, ...label },
});

/** For a file: with a legend, without what only a mouse needs and without the marks of the moment. */
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
