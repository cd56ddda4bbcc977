// The recipe of the analysis whose results the choose-blocks panel shows.
import { type AnalyzeRecipe, type MeasureOptions, noMeasure } from '../../server/recipes/analyze/recipe';
import type { ComputeOptions, TokenSource } from '../../server/protocol/recipes';
import type { ModelSummary } from '../../server/protocol/reports';

/** The engine stays afterwards to answer what a drop set costs. */
export const analyzeRecipe = (
  { folder }: ModelSummary,
  source: TokenSource,
  measure: MeasureOptions,
  compute: ComputeOptions,
): AnalyzeRecipe => ({ kind: 'analyze', model: folder, source, methods: ['all'], measure, stay: true, compute });

const mostSearched = 8;

/** The removal of each sublayer, and a greedy search and suggestions up to half of the blocks. */
export function fullMeasure({ nBlocks }: ModelSummary): MeasureOptions {
  if (nBlocks < 2) return noMeasure;
  const count = Math.min(mostSearched, Math.floor(nBlocks / 2));
  const greedy = { count, of: 'blocks' as const, racingConfidence: 0.95, protected: [] };
  return { removals: 'sublayers', greedy, suggestions: count, whatIf: [] };
}
