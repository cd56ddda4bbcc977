// The charts of a study. One appears where its data exists.
import { restrictedEvaluation } from '../evaluation/restrictedEvaluation';
import type { StudyReport, StudyVariant } from '../recipes/study/recipe';
import { counted, percent } from '../shared/numbers';
import { recoveredFraction } from '../shared/recovery';
import { baseStyle } from '../shared/styles';
import { rowChart, type Series } from './chart';
import { evaluationCharts } from './evaluationCharts';
import { intervalOf } from './figures';
import { styleOfVariant } from './studyLines';
import type { StudyChart } from './studyParts';
import { studyPlanes } from './studyPlanes';

export const studyCharts = (report: StudyReport): StudyChart[] => [
  ...studyPlanes(report),
  ...recoveryCharts(report),
  ...taskCharts(report),
];

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
    const fraction = recoveredFraction({ original: 0, pruned: lost, healed: left });
    const wonBack = fraction === null ? '' : `, ${fraction > 0 ? percent(fraction, 0) : 'nothing'} won back`;
    return [
      { variant: before, note: `${lost.toFixed(3)} nats` },
      { variant: healed, note: `${left.toFixed(3)} nats${wonBack}` },
    ];
  });
  const series = bars.map(({ variant, note }, x): Series => {
    const { costNats: y, costStandardError } = variant.loss!;
    const point = { x, y, ...intervalOf({ value: y, stderr: costStandardError }), note };
    return { name: variant.label, ...styleOfVariant(report, variant), points: [point] };
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
  const styles = [baseStyle, ...shown.map((variant) => styleOfVariant(report, variant))];
  return evaluationCharts(restrictedEvaluation(evaluation, models), styles)
    .filter(({ name }) => name !== 'accuracy-by-size')
    .map((chart) => ({ ...chart, topic: 'tasks', caption: `${chart.caption} Without ${counted(count, 'block')}.` }));
}
