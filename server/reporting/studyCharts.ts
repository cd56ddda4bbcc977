// The charts of a study. One appears where its data exists.
import { meanAccuracy, normal95 } from '../evaluation/meanAccuracy';
import { restrictedEvaluation } from '../evaluation/restrictedEvaluation';
import type { StudyReport, StudyVariant } from '../protocol';
import { type Axis, planeChart, type Point, rowChart, type Series } from './chart';
import { evaluationCharts, type NamedChart } from './evaluationCharts';
import { counted } from './figures';
import { baseLook, type Look, variantLook } from './looks';
import type { StudyTopic } from './studyParts';

export interface StudyChart extends NamedChart {
  topic: StudyTopic;
}

export const studyCharts = (report: StudyReport): StudyChart[] => [
  ...planeCharts(report),
  ...recoveryCharts(report),
  ...taskCharts(report),
];

/** What is drawn over the number of blocks removed, or over the size. */
interface Plane {
  name: string;
  title: string;
  topic: StudyTopic;
  /** What the figures and their intervals are. */
  says: string;
  yAxis: Axis;
  xOf: (variant: StudyVariant) => number;
  xAxis: Axis;
  yOf: (variant: StudyVariant) => Omit<Point, 'x'> | null;
  /** How the whole model is drawn: across the chart, or where it lies. */
  base: 'line' | 'point';
}

function planeCharts(report: StudyReport): StudyChart[] {
  const counts = { xOf: ({ count }: StudyVariant) => count, xAxis: countAxis(report), base: 'line' } as const;
  const loss = {
    topic: 'loss',
    yAxis: { name: 'loss, nats a token' },
    yOf: lossPoint,
    says: 'mean loss in nats a token, with the 95 % interval of its difference to the whole model',
  } as const;
  const accuracy = {
    topic: 'accuracy',
    yAxis: { name: 'mean accuracy, %' },
    yOf: accuracyPoint(report),
    says: 'mean accuracy in percent, with the 95 % interval of its difference to the whole model, paired by item',
  } as const;
  const sizes = {
    xOf: ({ nParameters }: StudyVariant) => nParameters / 1e6,
    xAxis: { name: 'parameters, millions' },
    base: 'point',
  } as const;
  const planes: Plane[] = [
    { name: 'loss-by-count', title: 'Loss by number of blocks removed', ...loss, ...counts },
    { name: 'accuracy-by-count', title: 'Mean accuracy by number of blocks removed', ...accuracy, ...counts },
    { name: 'accuracy-by-size', title: 'Mean accuracy by size', ...accuracy, ...sizes },
  ];
  return planes.flatMap((plane) => drawnPlane(report, plane));
}

function drawnPlane(report: StudyReport, plane: Plane): StudyChart[] {
  const { name, title, topic, says, xOf, xAxis, yAxis, yOf, base: drawnAs } = plane;
  const base = report.variants[0]!;
  const lines = linesOf(report).filter(({ variants }) => variants.some(yOf));
  const whole = yOf(base);
  if (lines.length === 0 || !whole) return [];
  // Equal or nearly equal values would lie upon each other: a line's points stand a little aside, all by as much.
  const step = Math.min(0.6 / lines.length, 0.1) * leastGap(report.variants.map(xOf));
  const places = [...lines].sort((a, b) => a.nth - b.nth);
  const series = lines.map((line): Series => {
    const { name, look, variants } = line;
    const aside = (places.indexOf(line) - (lines.length - 1) / 2) * step;
    const points = variants.flatMap((variant): Point[] => {
      const value = yOf(variant);
      return value ? [{ x: xOf(variant) + aside, ...value }] : [];
    });
    return { name, ...look, points };
  });
  const ends = drawnAs === 'line' ? [xAxis.min!, xAxis.max!] : [xOf(base)];
  const { y } = whole;
  const ofBase: Series = {
    name: `${base.label}, whole`,
    ...baseLook,
    points: ends.map((x) => ({ x, y, low: null, high: null })),
  };
  const svg = planeChart({ id: name, title, series: [ofBase, ...series], xAxis, yAxis, joined: true });
  return [{ name, title, topic, caption: `${title}: ${says}. Points of one place stand side by side.`, svg }];
}

/** With room beside the outermost, and whole numbers alone. */
function countAxis({ variants }: StudyReport): Axis {
  const counts = variants.slice(1).map(({ count }) => count);
  const [min, max] = [Math.min(...counts) - 1, Math.max(...counts) + 1];
  return { name: 'blocks removed', min, max, step: Math.ceil((max - min) / 20) };
}

function leastGap(values: readonly number[]): number {
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  return Math.min(...sorted.slice(1).map((value, i) => value - sorted[i]!));
}

function lossPoint({ loss }: StudyVariant): Omit<Point, 'x'> | null {
  if (!loss || !Number.isFinite(loss.lossNats)) return null;
  return { y: loss.lossNats, ...around(loss.lossNats, loss.costStandardError) };
}

const accuracyPoint = ({ evaluation }: StudyReport) => {
  return ({ model }: StudyVariant): Omit<Point, 'x'> | null => {
    const found = evaluation && model !== null ? meanAccuracy(evaluation, model) : null;
    if (!found || !Number.isFinite(found.mean)) return null;
    const { mean, difference } = found;
    const [low, high] = difference?.interval95 ?? [null, null];
    const shifted = (end: number | null) => (end === null ? null : 100 * (mean + end - difference!.delta));
    return { y: 100 * mean, low: shifted(low), high: shifted(high) };
  };
};

function around(value: number, error: number | null): Pick<Point, 'low' | 'high'> {
  if (error === null || !Number.isFinite(error)) return { low: null, high: null };
  return { low: value - normal95 * error, high: value + normal95 * error };
}

interface Line {
  name: string;
  /** Of its method and repair. */
  nth: number;
  look: Look;
  /** By count. What several methods chose alike lies on the line of each. */
  variants: StudyVariant[];
}

/** One for each method, repair and whether it was healed; all pruned ones first. */
function linesOf({ variants, recipe }: StudyReport): Line[] {
  return [false, true].flatMap((healed) =>
    branchesOf(recipe).flatMap(({ method, repair, nth }) => {
      const own = variants.filter((it) => it.methods.includes(method) && it.repair === repair && it.healed === healed);
      const name = `${method}${repair === 'none' ? '' : ', repaired'}${healed ? ', healed' : ''}`;
      return own.length === 0 ? [] : [{ name, nth, look: lookOf(nth, healed), variants: own }];
    }),
  );
}

/** Methods first, so that these look alike in a study with repairs and in one without. */
const branchesOf = ({ methods, repairs }: StudyReport['recipe']) =>
  repairs.flatMap((repair, i) => methods.map((method, j) => ({ method, repair, nth: i * methods.length + j })));

const lookOf = (nth: number, healed: boolean): Look => variantLook(healed ? 'healed' : 'pruned', nth);

/** As its first method's line looks. */
function lookOfVariant({ recipe }: StudyReport, { methods, repair, healed }: StudyVariant): Look {
  const branch = branchesOf(recipe).find((it) => methods.includes(it.method) && it.repair === repair);
  return branch ? lookOf(branch.nth, healed) : baseLook;
}

/** Every healed variant below the one that it began as. */
function pairsOf({ variants }: StudyReport): [StudyVariant, StudyVariant][] {
  return variants
    .filter(({ healed }) => healed)
    .flatMap((healed): [StudyVariant, StudyVariant][] => {
      const before = variants.find((it) => isBefore(it, healed));
      return before ? [[before, healed]] : [];
    });
}

const isBefore = (one: StudyVariant, healed: StudyVariant) =>
  !one.healed && one.repair === healed.repair && one.count > 0 && one.without === healed.without;

/** Bars of what leaving blocks out cost, before and after healing. */
function recoveryCharts(report: StudyReport): StudyChart[] {
  const pairs = pairsOf(report).filter((pair) =>
    pair.every(({ loss }) => loss !== null && Number.isFinite(loss.costNats)),
  );
  if (pairs.length === 0) return [];
  const bars = pairs.flatMap(([before, healed]) => {
    const [lost, left] = [before.loss!.costNats, healed.loss!.costNats];
    const share = left < lost ? `${Math.round(100 * (1 - left / lost))} %` : 'nothing';
    const wonBack = lost > 0 ? `, ${share} won back` : '';
    return [
      { variant: before, note: `${lost.toFixed(3)} nats` },
      { variant: healed, note: `${left.toFixed(3)} nats${wonBack}` },
    ];
  });
  const series = bars.map(({ variant, note }, x): Series => {
    const { costNats: y, costStandardError } = variant.loss!;
    const point = { x, y, ...around(y, costStandardError), note };
    return { name: variant.label, ...lookOfVariant(report, variant), points: [point] };
  });
  const least = Math.min(0, ...series.flatMap(({ points }) => points.map(({ y, low }) => low ?? y)));
  const title = 'What healing won back';
  const base = report.variants[0]!.label;
  const svg = rowChart({
    id: 'healing',
    title,
    rows: bars.map(({ variant }) => variant.label),
    series,
    axis: { name: `loss above that of ${base}, nats a token`, ...(least === 0 ? { min: 0 } : {}) },
    marks: 'bars',
    line: 0,
  });
  const caption = `${title}: loss above that of ${base} in nats a token, before and after healing, with its 95 % interval.`;
  return [{ name: 'healing', title, topic: 'loss', caption, svg }];
}

/** Benchmarks and subjects of the variants without as many blocks as the healed ones, or as few as there are. */
function taskCharts(report: StudyReport): StudyChart[] {
  const { evaluation, variants } = report;
  if (!evaluation) return [];
  const counts = variants.slice(1).filter(({ model }) => model !== null);
  const healedCounts = counts.filter(({ healed }) => healed);
  const count = Math.min(...(healedCounts.length > 0 ? healedCounts : counts).map((variant) => variant.count));
  const shown = counts.filter((variant) => variant.count === count);
  if (shown.length === 0) return [];
  const models = [0, ...shown.map(({ model }) => model!)];
  const looks = [baseLook, ...shown.map((variant) => lookOfVariant(report, variant))];
  return evaluationCharts(restrictedEvaluation(evaluation, models), looks)
    .filter(({ name }) => name !== 'accuracy-by-size')
    .map((chart) => ({ ...chart, topic: 'tasks', caption: `${chart.caption} Without ${counted(count, 'block')}.` }));
}
