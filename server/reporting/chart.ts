// Charts as SVG text, drawn without a browser: the only module here that knows echarts. They are light, and dark where the
// reader's system is, by a sheet of their own; each series has a shape beside its colour; nothing in them runs or loads.
import { CustomChart } from 'echarts/charts';
import { GridComponent, LegendComponent } from 'echarts/components';
import { type EChartsCoreOption, init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';
import { escaped } from './escaped';
import { darkSheet, type Style, palette, shapePath } from '../shared/styles';
import { bar, drawnText, group, polyline, symbol, verticalLine, whisker, words } from './marks';

use([CustomChart, GridComponent, LegendComponent, SVGRenderer]);

export interface Series extends Style {
  name: string;
  points: Point[];
}

/** `y` with the ends of its interval, null where none is known; `x` is a number, or the row in a chart of rows. */
export interface Point {
  x: number;
  y: number;
  low: number | null;
  high: number | null;
  /** Drawn empty: no more than noise. */
  hollow?: boolean;
  /** Written behind a bar. */
  note?: string;
}

export interface Axis {
  name: string;
  min?: number;
  max?: number;
  /** Between two figures on the axis; absent: as it fits. */
  step?: number;
  /** No figures where it begins and ends. */
  endsAreBare?: boolean;
  /** Of the figures on the axis. */
  format?: (value: number) => string;
}

export interface RowChart {
  /** Unique on its page, of letters, digits and hyphens. */
  id: string;
  /** For readers who do not see it. */
  title: string;
  rows: readonly string[];
  series: readonly Series[];
  axis: Axis;
  /** Dots of a row stand side by side, under a legend. Bars begin at 0, one a row, which has the name of the series. */
  marks: 'dots' | 'bars';
  /** A line across all rows, such as no difference. */
  line: number | null;
  /** A short line in each row, such as what guessing would reach; null: none. */
  ticks?: { name: string; values: readonly (number | null)[] };
}

/** Rows from top to bottom. */
export function rowChart({ id, title, rows, series, axis, marks, line, ticks }: RowChart): string {
  const shown = drawable(series);
  const bars = marks === 'bars';
  const lane = bars ? 0 : 9;
  const rowHeight = bars ? 26 : Math.max(20, lane * shown.length + 8);
  const legend = bars ? [] : [...shown, ...(ticks ? [tickSeries(ticks)] : [])];
  const top = legendHeight(legend);
  const option: EChartsCoreOption = {
    ...common,
    legend: legendOf(legend),
    grid: { left: 240, right: bars ? 150 : 28, top: top + 8, bottom: 44 },
    yAxis: rowAxis(rows),
    xAxis: valueAxis(axis, 'middle', 28),
    series: [
      ...shown.map((one, k) => ({
        name: `${k}`,
        type: 'custom',
        clip: !bars,
        itemStyle: { color: palette[one.colour] },
        data: one.points.map(({ x, y, low, high }) => [x, y, low ?? y, high ?? y]),
        encode: { y: 0, x: [1, 2, 3] },
        renderItem: rowItem(one, marks, (k - (shown.length - 1) / 2) * lane),
      })),
      ...(ticks ? [tickMarks(ticks.values, `${shown.length}`, rowHeight)] : []),
      ...(line === null ? [] : [straight(line)]),
    ],
  };
  return draw(id, title, option, 760, top + 52 + rows.length * rowHeight);
}

const rowAxis = (rows: readonly string[]) => ({
  type: 'category',
  inverse: true,
  data: rows.map((row) => drawnText(shortened(row))),
  axisTick: { show: false },
  axisLine: { lineStyle: { color: palette.grid } },
  axisLabel: { color: palette.foreground, width: 195, overflow: 'truncate', interval: 0 },
  splitLine: { show: true, lineStyle: { color: palette.grid } },
});

/** Draws a point of a series: a dot, so far below the middle of its row, or a bar with its note behind it. */
function rowItem(one: Series, marks: RowChart['marks'], belowPx: number) {
  return ({ dataIndex }: Params, api: Api) => {
    const { low, high, hollow, note = '' } = one.points[dataIndex]!;
    const [at, value] = [api.value(0), api.value(1)];
    const place = (v: number) => [api.coord([v, at])[0]!, api.coord([v, at])[1]! + belowPx] as const;
    const ends = low === null || high === null ? null : ([place(low), place(high)] as const);
    if (marks === 'dots')
      return group([...(ends ? [whisker(...ends, one.colour)] : []), symbol(place(value), one, hollow)]);
    const [end] = place(Math.max(value, high ?? value));
    return group([
      bar(place(0), place(value), one.colour),
      ...(ends ? [whisker(...ends, 'foreground')] : []),
      words([end + 8, place(value)[1]], note),
    ]);
  };
}

/** A short line in each row that has a value. */
const tickMarks = (values: readonly (number | null)[], name: string, rowHeight: number) => ({
  name,
  type: 'custom',
  silent: true,
  itemStyle: { color: palette.quiet },
  data: values.flatMap((value, row) => (value === null ? [] : [[row, value]])),
  encode: { y: 0, x: 1 },
  renderItem: (_: unknown, api: Api) => {
    const [x = 0, y = 0] = api.coord([api.value(1), api.value(0)]);
    return verticalLine([x, y - rowHeight / 2 + 2], rowHeight - 4, 'dashed');
  },
});

/** A long name keeps its end as well, where variants differ. */
function shortened(name: string): string {
  const letters = [...name];
  return letters.length <= 30 ? name : `${letters.slice(0, 13).join('')}…${letters.slice(-16).join('')}`;
}

export interface PlaneChart {
  id: string;
  title: string;
  series: readonly Series[];
  xAxis: Axis;
  yAxis: Axis;
  /** Points of a series are joined in their order. */
  joined: boolean;
}

/** Points over a number. */
export function planeChart({ id, title, series, xAxis, yAxis, joined }: PlaneChart): string {
  const shown = drawable(series);
  const top = legendHeight(shown);
  const option: EChartsCoreOption = {
    ...common,
    legend: legendOf(shown),
    grid: { left: 64, right: 28, top: top + 26, bottom: 48 },
    xAxis: valueAxis(xAxis.min === undefined ? { ...spread(shown), ...xAxis } : xAxis, 'middle', 28),
    yAxis: valueAxis(yAxis, 'end', 12),
    series: shown.map((one, k) => ({
      name: `${k}`,
      type: 'custom',
      itemStyle: { color: palette[one.colour] },
      data: one.points.map(({ x, y, low, high }) => [x, y, low ?? y, high ?? y]),
      encode: { x: 0, y: [1, 2, 3] },
      renderItem: ({ dataIndex }: Params, api: Api) => {
        const { x: at, y: value, low, high, hollow } = one.points[dataIndex]!;
        const place = (v: number) => [api.coord([at, v])[0]!, api.coord([at, v])[1]!] as const;
        const drawn = low === null || high === null ? [] : [whisker(place(low), place(high), one.colour)];
        const all = one.points.map(({ x, y }) => api.coord([x, y]));
        const way = joined && dataIndex === 0 ? [polyline(all, one.colour)] : [];
        return group([...way, ...drawn, symbol(place(value), one, hollow)]);
      },
    })),
  };
  return draw(id, title, option, 760, top + 380);
}

/** Without points that are beyond numbers, and series that then have none. */
const drawable = (series: readonly Series[]): Series[] =>
  series
    .map((one) => ({ ...one, points: one.points.filter(({ y }) => Number.isFinite(y)) }))
    .filter(({ points }) => points.length > 0);

/** What echarts hands to renderItem, as far as it is used here. */
interface Params {
  dataIndex: number;
  coordSys: { y: number; height: number };
}

interface Api {
  value(dimension: number): number;
  coord(point: [number, number]): number[];
}

/** What the legend shows of ticks. */
const tickSeries = ({ name }: { name: string }): Series => ({ name, colour: 'quiet', shape: 'tick', points: [] });

const straight = (at: number) => ({
  type: 'custom',
  silent: true,
  data: [[0, at]],
  encode: { y: 0, x: 1 },
  renderItem: ({ coordSys: { y, height } }: Params, api: Api) => {
    const [x = 0] = api.coord([at, 0]);
    return verticalLine([x, y], height, 'solid');
  },
});

const common = { animation: false, backgroundColor: palette.background, textStyle: { fontFamily: 'sans-serif' } };

const legendHeight = (series: readonly Series[]) => 12 + 18 * series.length;

/** Series are numbered: names may be equal, or anything. */
const legendOf = (series: readonly Series[]) => ({
  orient: 'vertical',
  left: 8,
  top: 6,
  itemGap: 4,
  itemHeight: 10,
  itemWidth: 10,
  selectedMode: false,
  textStyle: { color: palette.foreground, width: 700, overflow: 'truncate' },
  formatter: (k: string) => drawnText(series[Number(k)]!.name),
  data: series.map(({ colour, shape }, k) => ({
    name: `${k}`,
    icon: `path://${shapePath[shape]}`,
    itemStyle: { color: palette[colour], borderColor: palette[colour], borderWidth: shape === 'cross' ? 1.5 : 0 },
  })),
});

const valueAxis = (
  { name, min, max, step, endsAreBare = false, format }: Axis,
  nameLocation: 'middle' | 'end',
  nameGap: number,
) => ({
  type: 'value',
  name: drawnText(name),
  nameLocation,
  nameGap,
  nameTextStyle: { color: palette.quiet, align: nameLocation === 'end' ? 'left' : 'center' },
  min,
  max,
  interval: step,
  scale: true,
  axisLine: { show: false },
  axisTick: { show: false },
  axisLabel: {
    color: palette.quiet,
    formatter: format,
    hideOverlap: true,
    ...(endsAreBare ? { showMinLabel: false, showMaxLabel: false } : {}),
  },
  splitLine: { lineStyle: { color: palette.grid } },
});

/** A margin beside the outermost points, which would lie on the frame. */
function spread(series: readonly Series[]): Pick<Axis, 'min' | 'max' | 'endsAreBare'> {
  const xs = series.flatMap(({ points }) => points.map(({ x }) => x));
  const [low, high] = [Math.min(...xs), Math.max(...xs)];
  const margin = (high - low || Math.abs(high) || 1) * 0.06;
  return { min: low - margin, max: high + margin, endsAreBare: true };
}

function draw(id: string, title: string, option: EChartsCoreOption, width: number, height: number): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, width, height });
  try {
    chart.setOption(option);
    return withTitle(chart.renderToSVGString(), id, title);
  } finally {
    chart.dispose();
  }
}

/** With a name and its sheet, and without what only a mouse would use, whose names echarts counts over all charts. */
function withTitle(svg: string, id: string, title: string): string {
  const own = svg
    .replaceAll(/ class="zr\d+-cls-\d+"| pointer-events="visible"| ecmeta_\w+="[^"]*"/g, '')
    .replaceAll(/<style\b[^>]*>.*?<\/style>/gs, '')
    .replaceAll(/\bzr\d+-/g, `${id}-`);
  return own.replace(/^<svg ([^>]*)>/, (_, attributes: string) => {
    const named = `role="img" ${attributes}`;
    return `<svg ${named}><title>${escaped(title)}</title><style>${darkSheet}</style>`;
  });
}
