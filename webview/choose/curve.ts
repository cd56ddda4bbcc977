// A chart of the loss added by number of blocks: of the greedy search (a line), of what methods pick (their marks) and of the
// present choice (orange, with its interval; hollow while it is only estimated).
import { html, nothing, type TemplateResult } from 'lit';
import { dropSetInWords, isEmpty, keyOf } from '../../server/shared/dropSets';
import { cost, plain } from '../../server/shared/numbers';
import { normalQuantile } from '../../server/shared/statistics';
import { type ChartOption, type Colours, chart } from '../components/chart';
import { hideTip, showTip } from '../components/tooltip';
import type { Actions } from './actions';
import { lossOf } from './measured';
import { suggestion } from './methods';
import type { View } from './view';

interface Point {
  n: number;
  costNats: number;
  shape: string;
  label: string;
  drop: View['choice']['drop'];
}

/** Of the axis of losses. */
interface Scale {
  top: number;
  step: number;
}

/** Everything that is drawn: the search, the methods' points and the present choice. */
interface Plot {
  line: readonly Point[];
  points: readonly Point[];
  present: Present | null;
  scale: Scale;
}

interface Present {
  n: number;
  loss: Extract<View['loss'], { costNats: number }>;
  name: string;
}

export function curve(view: View, act: Actions): TemplateResult | typeof nothing {
  const points = methodPoints(view);
  const { greedy, choice, loss } = view;
  if (greedy.length === 0 && points.length === 0) return nothing;
  const line = greedy.map(({ drop, costNats }) => ({
    n: nBlocksIn(drop),
    costNats,
    drop,
    label: 'Greedy search',
    shape: '',
  }));
  const name = shortName(dropSetInWords(choice.drop));
  const present = isEmpty(choice.drop) || !('costNats' in loss) ? null : { n: nBlocksIn(choice.drop), loss, name };
  const plot: Plot = { line, points, present, scale: niceScale(line, points, present?.loss.costNats ?? 0) };
  const at = (seriesId: string, index: number) => (seriesId === 'greedy' ? line[index - 1] : points[index]);
  return html`
    <section aria-labelledby="curve-title">
      <h2 id="curve-title">Loss added by number of blocks</h2>
      <figure
        id="curve" role="img" aria-label=${labelOf(plot)}
        ${chart({
          key: JSON.stringify(plot),
          option: (colours, width) => option(plot, colours, width),
          onPoint: ({ seriesId, dataIndex }) => {
            const point = at(seriesId, dataIndex);
            if (point) act.take(point.drop);
          },
          onHover: (pointed, event) => {
            const point = pointed && at(pointed.seriesId, pointed.dataIndex);
            if (!point || !event) return hideTip();
            showTip(
              `${point.label}, n = ${point.n}\n${dropSetInWords(point.drop)}\nmeasured ${cost(point.costNats)} nats`,
              event,
            );
          },
        })}
      ></figure>
    </section>`;
}

const labelOf = ({ line, present }: Plot): string =>
  [
    line.length > 0
      ? `Greedy search adds ${line.map((p) => `${plain(p.costNats, 3)} nats for ${p.n}`).join(', ')}.`
      : '',
    present ? `The present choice adds ${plain(present.loss.costNats, 3)} for ${present.n}.` : '',
  ].join(' ');

/** Blocks that it drops, a sublayer as half of one. */
const nBlocksIn = (drop: Point['drop']): number => drop.blocks.length + (drop.attention.length + drop.mlp.length) / 2;

/** A long list of blocks would cover the chart. */
const shortName = (name: string): string => (name.length <= 18 ? name : 'present choice');

/** From two blocks on: single ones are the bars themselves. */
function methodPoints({ shownMethods, choice, sets, state, mostCount, greedy }: View): Point[] {
  const most = Math.min(mostCount, Math.max(8, Math.ceil(1.5 * greedy.length)));
  const seen = new Set<string>();
  return shownMethods.flatMap((method) =>
    Array.from({ length: most - 1 }, (_, i) => i + 2).flatMap((n): Point[] => {
      const drop = suggestion(method, n, choice.protected);
      if (!drop) return [];
      const loss = lossOf(drop, state.host.analysis, sets);
      const key = `${method.name} ${keyOf(drop)}`;
      if (loss.kind !== 'measured' || seen.has(key)) return [];
      seen.add(key);
      return [{ n, costNats: loss.costNats, shape: method.shape, label: method.label, drop }];
    }),
  );
}

/** Room for the search and what lies near it; what costs much more stands at the upper edge. */
function niceScale(line: readonly Point[], points: readonly Point[], present: number): Scale {
  const search = line.at(-1)?.costNats ?? Math.min(...points.map(({ costNats }) => costNats));
  const near = [...line, ...points].map(({ costNats }) => costNats).filter((it) => it <= 2 * search);
  const most = Math.max(search, present <= 4 * search ? present : 0, ...near, 1e-3) * 1.05;
  const step = niceStep(most / 3);
  return { top: Math.ceil(most / step - 1e-9) * step, step };
}

function niceStep(rough: number): number {
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ([1, 2, 4, 5].find((factor) => factor * power >= rough * 0.999) ?? 10);
}

function option(plot: Plot, colours: Colours, width: number): ChartOption {
  const { line, points, present, scale } = plot;
  const most = Math.max(2, ...line.map(({ n }) => n), ...points.map(({ n }) => n), present?.n ?? 0);
  const xTop = Math.ceil((most + 1) / 2) * 2;
  const text = { color: colours.quiet, fontSize: 11, fontFamily: colours.font };
  return {
    grid: { left: 24, right: 74, top: 8, bottom: 18 },
    ...axes(xTop, scale, colours, text),
    series: [
      searchSeries(line, colours, text),
      methodSeries(points, scale, colours),
      ...(present
        ? [
            intervalSeries(present, scale, colours),
            // Names stay clear of the line: on the left where there is room for one.
            presentSeries(present, scale, colours, width, (present.n / xTop) * (width - 94)),
          ]
        : []),
    ],
  };
}

function axes(xTop: number, { top, step }: Scale, colours: Colours, text: object) {
  const plainAxis = { type: 'value', min: 0, axisLine: { show: false }, axisTick: { show: false } };
  return {
    xAxis: {
      ...plainAxis,
      max: xTop,
      interval: xTop > 16 ? Math.ceil(xTop / 16) * 2 : 2,
      splitLine: { show: false },
      axisLabel: { ...text, margin: 6 },
    },
    yAxis: {
      ...plainAxis,
      max: top,
      interval: step,
      axisLabel: { ...text, margin: 5, formatter: (nats: number) => plain(nats, top < 0.3 ? 2 : 1) },
      splitLine: { lineStyle: { color: colours.faint } },
    },
  };
}

const searchSeries = (line: readonly Point[], colours: Colours, text: object) => ({
  id: 'greedy',
  type: 'line',
  data: line.length > 0 ? [[0, 0], ...line.map((p) => [p.n, p.costNats])] : [],
  symbol: 'circle',
  symbolSize: (_: unknown, { dataIndex }: { dataIndex: number }) => (dataIndex === 0 ? 0 : 4),
  lineStyle: { color: colours.quiet, width: 1.5 },
  itemStyle: { color: colours.quiet },
  emphasis: { disabled: true },
  clip: false,
  triggerLineEvent: false,
  endLabel: { show: line.length > 0, formatter: 'greedy search', ...text, distance: 6 },
});

const clipped = (nats: number, { top }: Scale): number => Math.max(0, Math.min(nats, top));

const methodSeries = (points: readonly Point[], scale: Scale, colours: Colours) => ({
  id: 'methods',
  // Above the line, which would take the pointer away.
  z: 3,
  type: 'scatter',
  cursor: 'pointer',
  clip: false,
  emphasis: { disabled: true },
  data: points.map((p) => ({
    value: [p.n, clipped(p.costNats, scale)],
    symbol: `path://${p.shape}`,
    itemStyle: {
      color: colours.background,
      borderColor: colours.quiet,
      borderWidth: 1,
      opacity: p.costNats > scale.top ? 0.5 : 1,
    },
  })),
  symbolSize: 7,
});

function intervalSeries({ n, loss }: Present, scale: Scale, colours: Colours) {
  const reach = loss.kind === 'measured' ? normalQuantile * loss.costStandardError : 0;
  const at = clipped(loss.costNats, scale);
  const ends = [clipped(at - reach, scale), clipped(at + reach, scale)];
  return {
    id: 'interval',
    z: 4,
    type: 'line',
    silent: true,
    symbol: 'none',
    clip: true,
    lineStyle: { color: colours.measured, width: 2 },
    data: reach > 0 ? ends.map((end) => [n, end]) : [],
  };
}

/** `roomPx`: between the left edge and the point. */
function presentSeries({ n, loss, name }: Present, scale: Scale, colours: Colours, width: number, roomPx: number) {
  return {
    id: 'present',
    z: 5,
    type: 'scatter',
    silent: true,
    clip: false,
    symbolSize: 9,
    data: [[n, clipped(loss.costNats, scale)]],
    itemStyle: {
      color: loss.kind === 'measured' ? colours.measured : colours.background,
      borderColor: colours.measured,
      borderWidth: 1.5,
      opacity: 1,
    },
    label: {
      show: true,
      formatter: loss.costNats > scale.top ? `${name}: ${cost(loss.costNats)}` : name,
      color: colours.foreground,
      fontSize: 11,
      fontFamily: colours.font,
      position: roomPx > 12 + 6 * name.length ? 'left' : 'top',
      distance: 5,
      width: Math.max(60, width / 2.5),
      overflow: 'truncate',
      textBorderColor: colours.background,
      textBorderWidth: 3,
    },
  };
}
