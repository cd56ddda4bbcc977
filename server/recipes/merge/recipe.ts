// merge: folds an adapter into the weights of its model.
import * as z from 'zod';
import { compute, outputModel, path } from '../../protocol/recipes';
import type { RunFacts, ModelSummary } from '../../protocol/reports';
import { type CommandLine, outputModelOptions } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

const schema = z.strictObject({
  kind: z.literal('merge'),
  model: path('modelFolder'),
  adapter: path('adapterFolder'),
  ...outputModel,
  compute,
});
export type MergeRecipe = z.output<typeof schema>;

export interface MergeReport extends RunFacts {
  kind: 'merge';
  model: ModelSummary;
  adapter: string;
  out: string;
  /** Weights that changed. */
  nMerged: number;
  /** Norm of what rounding to the dtype changed, over the norm of what the adapter changed. */
  roundingShare: number;
  weightFiles: string[];
  /** That the adapter is for another model, or merged already; null: nothing says so. */
  warning: string | null;
}

const command = {
  summary: 'write the model with an adapter folded into its weights',
  arguments: [
    { name: '<model>', field: 'model', help: 'the pruned model that the adapter was trained on' },
    { name: '<adapter>', field: 'adapter', help: 'folder of a LoRA adapter as heal and PEFT write it' },
  ],
  options: outputModelOptions,
} as const satisfies CommandLine;

export const mergeKind = {
  schema,
  title: 'Merge',
  resumable: true,
  inFiles: true,
  planned: 'writing',
  report: typeOf<MergeReport>(),
  command,
} as const satisfies RecipeKind;
