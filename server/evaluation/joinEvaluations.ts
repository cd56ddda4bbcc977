// Several evaluations of one base with different variants, put together as if they had been one. Pure.
import type { EvaluateReport } from '../protocol/reports';
import { settingsWarnings } from './settingsWarnings';
import { addedTiming, addedWork } from './spent';

export interface LabelledEvaluation {
  readonly report: EvaluateReport;
  /** What its models are called in the whole, the base first. */
  readonly labels: readonly string[];
}

/** The base of the first stands for all; where another finds other numbers for it, a warning says so. */
export function joinEvaluations(parts: readonly LabelledEvaluation[]): EvaluateReport {
  const [first, ...rest] = parts.map(relabelled);
  let whole: EvaluateReport = { ...first!, generation: null };
  for (const part of rest) {
    const nBefore = whole.models.length - 1;
    const scores = part.scores.filter(({ model }) => model > 0).map((it) => ({ ...it, model: it.model + nBefore }));
    whole = {
      ...whole,
      models: [...whole.models, ...part.models.slice(1)],
      scores: [...whole.scores, ...scores],
      comparisons: [...whole.comparisons, ...part.comparisons],
      warnings: [
        ...new Set([
          ...whole.warnings,
          ...part.warnings,
          ...settingsWarnings(first!, part),
          ...baseWarnings(first!, part),
        ]),
      ],
      work: addedWork(whole.work, part.work),
      timing: addedTiming(whole.timing, part.timing),
      peakMemoryBytes: Math.max(whole.peakMemoryBytes, part.peakMemoryBytes),
    };
  }
  return whole;
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

/** Where the same base got two values. */
function baseWarnings(one: EvaluateReport, other: EvaluateReport): string[] {
  const baseOf = ({ scores }: EvaluateReport) =>
    new Map(scores.filter(({ model }) => model === 0).map((it) => [`${it.task} ${it.metric}`, it.value]));
  const [before, after] = [baseOf(one), baseOf(other)];
  const differs = [...before].find(([key, value]) => after.has(key) && Math.abs(after.get(key)! - value) > 1e-9);
  return differs ? [`The base scored ${differs[1]} and then ${after.get(differs[0])} in ${differs[0]}.`] : [];
}
