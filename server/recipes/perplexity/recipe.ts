// perplexity: loss and perplexity of models on a text.
import * as z from 'zod';
import { compute, dropSet, path, tokenSource } from '../../protocol/recipes';
import type { RecipeKind } from '../recipeKind';

const schema = z.strictObject({
  kind: z.literal('perplexity'),
  models: z.array(path('modelFolder')).min(1).max(100),
  /** Left out of every model without writing it. */
  drop: dropSet.prefault({}),
  source: tokenSource,
  compute,
});
export type PerplexityRecipe = z.output<typeof schema>;

export const perplexityKind = {
  schema,
  title: 'Measure',
  resumable: false,
  inFiles: false,
  planned: 'windows',
} as const satisfies RecipeKind;
