// Several evaluations of one original with different variants, joined as if they had been one. Pure.
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import { settingsWarnings } from './settingsWarnings';
import { addedTiming, addedWork } from './spent';

export interface LabelledEvaluation {
  readonly report: EvaluateReport;
  /** What its models are called in the whole, the original first. */
  readonly labels: readonly string[];
}

/** The original of the first stands for all; where another finds other numbers for it, a warning says so. */
export function joinEvaluations(parts: readonly LabelledEvaluation[]): EvaluateReport {
  const [first, ...rest] = parts.map(relabelled);
  let joined: EvaluateReport = { ...first!, generation: null };
  for (const part of rest) {
    const nBefore = joined.models.length - 1;
    const scores = part.scores.filter(({ model }) => model > 0).map((it) => ({ ...it, model: it.model + nBefore }));
    const moved = (part.notFinite ?? []).map((it) => ({ ...it, model: it.model + nBefore }));
    const notFinite = [...(joined.notFinite ?? []), ...moved];
    joined = {
      ...joined,
      models: [...joined.models, ...part.models.slice(1)],
      scores: [...joined.scores, ...scores],
      ...(notFinite.length > 0 ? { notFinite } : {}),
      comparisons: [...joined.comparisons, ...part.comparisons],
      warnings: [
        ...new Set([
          ...joined.warnings,
          ...part.warnings,
          ...settingsWarnings(first!, part),
          ...baseWarnings(first!, part),
        ]),
      ],
      work: addedWork(joined.work, part.work),
      timing: addedTiming(joined.timing, part.timing),
      peakMemoryBytes: Math.max(joined.peakMemoryBytes, part.peakMemoryBytes),
    };
  }
  return joined;
}

function relabelled({ report, labels }: LabelledEvaluation): EvaluateReport {
  const names = new Map(report.models.map(({ label }, i) => [label, labels[i]!]));
  return {
    ...report,
    models: report.models.map((model, i) => ({ ...model, label: labels[i]! })),
    comparisons: report.comparisons.map((it) => ({
      ...it,
      base: names.get(it.base) ?? it.base,
      variant: names.get(it.variant) ?? it.variant,
    })),
  };
}

/** Where the same original got two values. */
function baseWarnings(one: EvaluateReport, other: EvaluateReport): string[] {
  const baseOf = ({ scores }: EvaluateReport) =>
    new Map(scores.filter(({ model }) => model === 0).map((it) => [`${it.task} ${it.metric}`, it.value]));
  const [before, after] = [baseOf(one), baseOf(other)];
  const differs = [...before].find(([key, value]) => after.has(key) && Math.abs(after.get(key)! - value) > 1e-9);
  return differs ? [`The original scored ${differs[1]} and then ${after.get(differs[0])} in ${differs[0]}.`] : [];
}
