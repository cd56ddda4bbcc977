// Runs a recipe in this process, without an engine of its own.
import type { EngineEvent } from '../../server/protocol/engine';
import type { ComputeOptions } from '../../server/protocol/recipes';
import type { MeasureOptions } from '../../server/recipes/analyze/recipe';
import type { Recipe, Report } from '../../server/recipes/kinds';
import { runRecipe } from '../../server/recipes/runRecipe';

/** Two threads, because sums in another order round differently and small machines have no more. */
export const onCpu: ComputeOptions = {
  device: 'cpu',
  memory: 'auto',
  weights: 'f32',
  threads: 2,
  memoryLimitBytes: null,
};

/** Scores alone. */
export const noLosses: MeasureOptions = { removals: 'none', greedy: null, suggestions: 0, whatIf: [] };

/** The report of a recipe; what the engine would have told meanwhile is added to `events`. */
export async function runHere<K extends Recipe['kind']>(
  recipe: Extract<Recipe, { kind: K }>,
  events: EngineEvent[] = [],
): Promise<Extract<Report, { kind: K }>> {
  const run = { signal: new AbortController().signal, emit: (event: EngineEvent) => void events.push(event) };
  return (await runRecipe(recipe as Recipe, run)) as Extract<Report, { kind: K }>;
}
