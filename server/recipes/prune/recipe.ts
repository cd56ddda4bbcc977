// prune: writes a model without some of its blocks, or sublayers of them.
import * as z from 'zod';
import { compute, dropRule, outputModel, path, positive, tokenSource } from '../../protocol/recipes';
import type { RecipeKind } from '../recipeKind';

const repair = z.strictObject({
  kind: z.literal('linear').default('linear'),
  /** Times the mean of the diagonal; `auto`: the one that is best on the windows held out. */
  ridge: z.union([z.number().nonnegative(), z.literal('auto')]).default('auto'),
  /** Windows after those of the source to judge the repair on. */
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

export const pruneKind = {
  schema,
  title: 'Prune',
  resumable: true,
  inFiles: true,
  planned: 'own',
} as const satisfies RecipeKind;
