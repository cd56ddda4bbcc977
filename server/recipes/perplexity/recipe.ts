// perplexity: loss and perplexity of models on a text.
import * as z from 'zod';
import { compute, dropSet, path, tokenSource, type TokenSourceReport } from '../../protocol/recipes';
import type { RunFacts } from '../../protocol/reports';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

const schema = z.strictObject({
  kind: z.literal('perplexity'),
  models: z.array(path('modelFolder')).min(1).max(100),
  /** Left out of every model without writing it. */
  drop: dropSet.prefault({}),
  source: tokenSource,
  compute,
});
export type PerplexityRecipe = z.output<typeof schema>;

export interface PerplexityReport extends RunFacts {
  kind: 'perplexity';
  models: {
    name: string;
    folder: string;
    dropSet: number[];
    droppedSublayers: { attention: number[]; mlp: number[] };
    nBlocks: number;
    lossNats: number;
    lossStandardError: number | null;
    lossPerSequence: number[];
    perplexity: number;
    nTokens: number;
    /** What the number means, in words. */
    definition: string;
    source: TokenSourceReport;
  }[];
  /** Models of several whose loss is not finite, each with what it comes from. Absent: none. */
  notFinite?: { name: string; folder: string; sentence: string }[];
}

const command = {
  summary: 'loss and perplexity of models, whole or without blocks',
  arguments: [{ name: '<model...>', field: 'models' }],
  text: { sequences: null, needed: true, presets: true },
  drops: 'blocks to leave out without writing a model',
  options: [],
} as const satisfies CommandLine;

export const perplexityKind = {
  schema,
  title: 'Measure',
  resumable: false,
  inFiles: false,
  planned: 'sequences',
  report: typeOf<PerplexityReport>(),
  command,
} as const satisfies RecipeKind;
