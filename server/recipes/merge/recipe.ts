// merge: folds an adapter into the weights of its model.
import * as z from 'zod';
import { compute, outputModel, path } from '../../protocol/recipes';
import type { RecipeKind } from '../recipeKind';

const schema = z.strictObject({
  kind: z.literal('merge'),
  model: path('modelFolder'),
  adapter: path('adapterFolder'),
  ...outputModel,
  compute,
});
export type MergeRecipe = z.output<typeof schema>;

export const mergeKind = {
  schema,
  title: 'Merge',
  resumable: true,
  inFiles: true,
  planned: 'writing',
} as const satisfies RecipeKind;
