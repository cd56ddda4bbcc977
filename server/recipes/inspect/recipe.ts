// inspect: what a model is made of, from its headers alone.
import * as z from 'zod';
import { path } from '../../protocol/recipes';
import type { ModelSummary } from '../../protocol/reports';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

const schema = z.strictObject({ kind: z.literal('inspect'), model: path('modelFolder') });
export type InspectRecipe = z.output<typeof schema>;

export interface InspectReport {
  kind: 'inspect';
  model: ModelSummary;
}

const command = {
  summary: 'what a model is made of',
  arguments: [{ name: '<model>', field: 'model', help: 'folder of a Hugging Face checkpoint' }],
  options: [],
} as const satisfies CommandLine;

export const inspectKind = {
  schema,
  title: 'Inspect',
  resumable: false,
  inFiles: false,
  planned: 'nothing',
  report: typeOf<InspectReport>(),
  command,
} as const satisfies RecipeKind;
