// sparsify: zeroes the smallest single weights of every projection, the baseline that the field starts from.
import * as z from 'zod';
import { compute, outputModel, path, share, tokenSource } from '../../protocol/recipes';
import type { RecipeKind } from '../recipeKind';

const schema = z.strictObject({
  kind: z.literal('sparsify'),
  model: path('modelFolder'),
  /** Share of the weights of each matrix that become zero. */
  ratio: share,
  /** Text to measure what it costs on. */
  source: tokenSource.nullable().default(null),
  ...outputModel,
  compute,
});
export type SparsifyRecipe = z.output<typeof schema>;

export const sparsifyKind = {
  schema,
  title: 'Sparsify',
  resumable: false,
  inFiles: false,
  planned: 'windows',
} as const satisfies RecipeKind;
