// inspect: what a model is made of, from its headers alone.
import * as z from 'zod';
import { path } from '../../protocol/recipes';
import type { RecipeKind } from '../recipeKind';

const schema = z.strictObject({ kind: z.literal('inspect'), model: path('modelFolder') });
export type InspectRecipe = z.output<typeof schema>;

export const inspectKind = {
  schema,
  title: 'Inspect',
  resumable: false,
  inFiles: false,
  planned: 'nothing',
} as const satisfies RecipeKind;
