// The analysis that the panel of a model shows all of.
import { type AnalyzeRecipe, type MeasureOptions, noMeasure } from '../../server/recipes/analyze/recipe';
import type { ComputeOptions, TokenSource } from '../../server/protocol/recipes';
import type { ModelSummary } from '../../server/protocol/reports';

/** The engine stays afterwards, to answer what a choice costs. */
export const analyzeRecipe = (
  { folder }: ModelSummary,
  source: TokenSource,
  measure: MeasureOptions,
  compute: ComputeOptions,
): AnalyzeRecipe => ({ kind: 'analyze', model: folder, source, methods: ['all'], measure, stay: true, compute });

const mostSearched = 8;

/** Single removals, and a search and suggestions as far as half of the model. */
export function fullMeasure({ nBlocks }: ModelSummary): MeasureOptions {
  if (nBlocks < 2) return noMeasure;
  const count = Math.min(mostSearched, Math.floor(nBlocks / 2));
  const greedy = { count, of: 'blocks' as const, racingConfidence: 0.95, protected: [] };
  return { removals: 'sublayers', greedy, suggestions: count, whatIf: [] };
}
