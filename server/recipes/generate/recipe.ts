// generate: greedy text from a prompt.
import * as z from 'zod';
import { bos, compute, dropSet, path, positive } from '../../protocol/recipes';
import type { RecipeKind } from '../recipeKind';

const schema = z.strictObject({
  kind: z.literal('generate'),
  model: path('modelFolder'),
  prompt: z.string().max(1_000_000),
  maxTokens: positive.max(1_000_000).default(100),
  drop: dropSet.prefault({}),
  bos: bos.default('tokenizer'),
  /** false: every token is computed from the whole text again. */
  cache: z.boolean().default(true),
  compute,
});
export type GenerateRecipe = z.output<typeof schema>;

export const generateKind = {
  schema,
  title: 'Generate with',
  resumable: false,
  inFiles: false,
  planned: 'own',
} as const satisfies RecipeKind;
