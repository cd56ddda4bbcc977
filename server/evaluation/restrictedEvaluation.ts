// An evaluation as if only some of its models had been there. Pure.
import type { EvaluateReport } from '../recipes/evaluate/recipe';

/** @param models indices in `evaluation.models`, in the order in which they shall come; the original, 0, first */
export function restrictedEvaluation(evaluation: EvaluateReport, models: readonly number[]): EvaluateReport {
  const place = new Map(models.map((model, i) => [model, i]));
  const moved = <Of extends { model: number }>(of: readonly Of[]): Of[] =>
    of.flatMap((it) => (place.has(it.model) ? [{ ...it, model: place.get(it.model)! }] : []));
  const labels = models.map((model) => evaluation.models[model]!.label);
  return {
    ...evaluation,
    models: models.map((model) => evaluation.models[model]!),
    scores: moved(evaluation.scores),
    comparisons: evaluation.comparisons.filter(({ variant }) => labels.includes(variant)),
    generation: evaluation.generation && moved(evaluation.generation),
    ...(evaluation.notFinite ? { notFinite: moved(evaluation.notFinite) } : {}),
  };
}
