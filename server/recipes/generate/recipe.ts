// generate: greedy text from a prompt.
import * as z from 'zod';
import { bos, compute, dropSet, path, positive } from '../../protocol/recipes';
import type { RunFacts, ModelSummary } from '../../protocol/reports';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';

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

export interface GenerateReport extends RunFacts {
  kind: 'generate';
  model: ModelSummary;
  dropSet: number[];
  droppedSublayers: { attention: number[]; mlp: number[] };
  prompt: string;
  text: string;
  nPromptTokens: number;
  nNewTokens: number;
  stoppedBy: 'endOfText' | 'maxTokens';
  tokensPerSecond: number;
}

const command = {
  summary: 'greedy text from a prompt',
  arguments: [{ name: '<model>', field: 'model' }],
  drops: 'blocks to leave out',
  options: [
    {
      flags: '--prompt <text>',
      field: 'prompt',
      default: '',
      help: 'what to continue; empty: from the beginning-of-text token',
    },
    { flags: '--max-tokens <n>', field: 'maxTokens', read: 'positive', help: 'the most tokens to add' },
    { flags: '--bos <mode>', field: 'bos', help: 'beginning-of-text token' },
    { flags: '--no-cache', field: 'cache', help: 'compute every token from the whole text, to check the cache' },
  ],
} as const satisfies CommandLine;

export const generateKind = {
  schema,
  title: 'Generate with',
  resumable: false,
  inFiles: false,
  planned: 'own',
  report: typeOf<GenerateReport>(),
  command,
} as const satisfies RecipeKind;
