// prune: writes a model without some of its blocks, or sublayers of them.
import * as z from 'zod';
import { compute, dropRule, outputModel, path, positive, tokenSource } from '../../protocol/recipes';
import { type CommandLine, outputModelOptions } from '../commandLine';
import type { RecipeKind } from '../recipeKind';

const repair = z.strictObject({
  kind: z.literal('linear').default('linear'),
  /** Times the mean of the diagonal; `auto`: the one that is best on the windows held out. */
  ridge: z.union([z.number().nonnegative(), z.literal('auto')]).default('auto'),
  /** Windows after those of the source to evaluate the repair on. */
  heldOutWindows: positive.nullable().default(null),
});
/** Least squares folded into the output projection before each gap (ReplaceMe, arXiv:2505.02819). */
export type RepairOptions = z.output<typeof repair>;

export const repairName = z.enum(['none', 'linear']);
export type RepairName = z.output<typeof repairName>;

const schema = z.strictObject({
  kind: z.literal('prune'),
  model: path('modelFolder'),
  rule: dropRule,
  /** Needed by rules whose method looks at text, and by repair. */
  source: tokenSource.nullable().default(null),
  repair: repair.nullable().default(null),
  ...outputModel,
  /** Also write the drop set as a mergekit recipe to this file. */
  mergekit: path('outputFile').nullable().default(null),
  compute,
});
export type PruneRecipe = z.output<typeof schema>;

const command = {
  summary: 'write the model without some of its blocks, or sublayers of them',
  arguments: [{ name: '<model>', field: 'model' }],
  text: { windows: 16, needed: false },
  drops: 'blocks to drop',
  options: [
    { flags: '--method <name>', help: 'let a method choose (with --count); removal, greedy or deepest, too' },
    { flags: '--count <n>', read: 'positive', help: 'how many blocks the method chooses' },
    { flags: '--protect <blocks>', read: 'blocks', help: 'blocks that the method must not choose' },
    ...outputModelOptions,
    {
      flags: '--repair <how>',
      choices: repairName.options,
      default: 'none',
      help: 'make up for what goes by a map in the weights before it (needs --text)',
    },
    {
      flags: '--ridge <r>',
      field: 'repair.ridge',
      read: 'ridge',
      help: 'how strongly the map is held back; auto: as is best on windows held out',
    },
    {
      flags: '--held-out <windows>',
      field: 'repair.heldOutWindows',
      read: 'positive',
      help: 'windows behind the text used, to evaluate a repair on (default: half as many)',
    },
    { flags: '--mergekit <file>', field: 'mergekit', help: 'also write the drop set as a mergekit recipe' },
  ],
} as const satisfies CommandLine;

export const pruneKind = {
  schema,
  title: 'Prune',
  resumable: true,
  inFiles: true,
  planned: 'own',
  command,
} as const satisfies RecipeKind;
