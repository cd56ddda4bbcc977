// Loss and accuracy of a study's variants over what is left of the model: a line for each method, healed ones apart.
import { meanAccuracy } from '../evaluation/meanAccuracy';
import type { StudyReport, StudyVariant } from '../recipes/study/recipe';
import { intervalOf } from './figures';
import { type Axis, planeChart, type Point, type Series } from './chart';
import { baseStyle } from '../shared/styles';
import { studyLines } from './studyLines';
import type { StudyChart, StudyTopic } from './studyParts';

export function studyPlanes(report: StudyReport): StudyChart[] {
  const counts = { xOf: ({ count }: StudyVariant) => count, xAxis: countAxis(report), base: 'line' } as const;
  const loss = {
    topic: 'loss',
    yAxis: { name: 'loss, nats a token' },
    yOf: lossPoint,
    says: 'mean loss in nats a token, with the 95 % interval of its difference to the original',
  } as const;
  const accuracy = {
    topic: 'accuracy',
    yAxis: { name: 'mean accuracy, %' },
    yOf: accuracyPoint(report),
    says: 'mean accuracy in percent, with the 95 % interval of its difference to the original, paired by item',
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
  /** How the original model is drawn: as a line across the chart, or as a point. */
  base: 'line' | 'point';
}

function drawnPlane(report: StudyReport, plane: Plane): StudyChart[] {
  const { name, title, topic, says, xOf, xAxis, yAxis, yOf, base: drawnAs } = plane;
  const base = report.variants[0]!;
  const lines = studyLines(report).filter(({ variants }) => variants.some(yOf));
  const ofOriginal = yOf(base);
  if (lines.length === 0 || !ofOriginal) return [];
  // Equal or nearly equal values would cover each other, so the points of each line are shifted aside by the same step.
  const step = Math.min(0.6 / lines.length, 0.1) * leastGap(report.variants.map(xOf));
  const places = [...lines].sort((a, b) => a.nth - b.nth);
  const series = lines.map((line): Series => {
    const { name, style, variants } = line;
    const aside = (places.indexOf(line) - (lines.length - 1) / 2) * step;
    const points = variants.flatMap((variant): Point[] => {
      const value = yOf(variant);
      return value ? [{ x: xOf(variant) + aside, ...value }] : [];
    });
    return { name, ...style, points };
  });
  const ends = drawnAs === 'line' ? [xAxis.min!, xAxis.max!] : [xOf(base)];
  const { y } = ofOriginal;
  const ofBase: Series = {
    name: `${base.label}, whole`,
    ...baseStyle,
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
  return { y: loss.lossNats, ...intervalOf({ value: loss.lossNats, stderr: loss.costStandardError }) };
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
