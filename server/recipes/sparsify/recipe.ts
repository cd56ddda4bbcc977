// sparsify: zeroes the smallest single weights of every projection, the baseline that the field starts from.
import * as z from 'zod';
import { compute, outputModel, path, share, tokenSource } from '../../protocol/recipes';
import type { RunFacts, ModelSummary } from '../../protocol/reports';
import { type CommandLine, outputModelOptions } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

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

export interface SparsifyReport extends RunFacts {
  kind: 'sparsify';
  model: ModelSummary;
  out: string;
  ratio: number;
  nZeroed: number;
  nConsidered: number;
  matrices: { name: string; nZeroed: number; nWeights: number; threshold: number }[];
  lossBefore: number | null;
  lossAfter: number | null;
  /** Why `lossAfter` of the written model, which is complete, is not there. Absent: it is, or there was no text. */
  notMeasured?: string;
  weightFiles: string[];
}

const command = {
  summary: 'write the model with the smallest weights of every projection zeroed',
  arguments: [{ name: '<model>', field: 'model' }],
  text: { sequences: 16, needed: false },
  options: [
    {
      flags: '--ratio <share>',
      field: 'ratio',
      read: 'share',
      required: true,
      help: 'share of the weights of each matrix, such as 0.3',
    },
    ...outputModelOptions,
  ],
} as const satisfies CommandLine;

export const sparsifyKind = {
  schema,
  title: 'Sparsify',
  resumable: false,
  inFiles: false,
  planned: 'sequences',
  report: typeOf<SparsifyReport>(),
  command,
} as const satisfies RecipeKind;
