// study: a grid of variants of one model, chosen by every method at every count, repaired or not, healed or not, all measured
// beside the base. It is carried out in steps whose reports stay in `out`, so that it goes on where it was left: what has
// been done is not done again, as long as the recipe (but for `compute`) and the texts are the same.
import * as z from 'zod';
import { blocks, compute, distinct, dtype, nameOf, path, positive, tokenSource } from '../../protocol/recipes';
import { evaluation } from '../evaluate/recipe';
import { adapter, loop, objective, optimizer, trainingData } from '../heal/recipe';
import { repairName } from '../prune/recipe';
import type { RecipeKind } from '../recipeKind';

const method = nameOf('choosingMethod');
const count = positive.max(100_000);

const healing = z.strictObject({
  /** A drop set is healed if one of these methods chose it at one of these counts. */
  methods: z.union([z.literal('all'), z.array(method).min(1, 'it names no method')]).default('all'),
  counts: z.union([z.literal('all'), z.array(count).min(1, 'it names no count')]).default('all'),
  repairs: z.union([z.literal('all'), z.array(repairName).min(1, 'it names no repair')]).default('all'),
  data: trainingData,
  adapter,
  objective,
  optimizer,
  loop,
});
/** Which variants are healed, and how: as in a HealRecipe. */
export type StudyHealing = z.output<typeof healing>;

const evaluationOfStudy = z.strictObject(evaluation);
/** As in an EvaluateRecipe. */
export type StudyEvaluation = z.output<typeof evaluationOfStudy>;

export const studySchema = z.strictObject({
  kind: z.literal('study'),
  model: path('modelFolder'),
  /** The text that methods look at, and that repairs are fitted on. */
  source: tokenSource,
  /** Names of the tables in shared/methods.ts. */
  methods: z.array(method).min(1, 'it names no method').refine(distinct, 'it names a method twice'),
  /** How many blocks go. */
  counts: z.array(count).min(1, 'it names no count').max(1000).refine(distinct, 'it names a count twice'),
  /** Blocks that no method may choose. */
  protected: blocks.default([]),
  repairs: z
    .array(repairName)
    .min(1, 'it names no repair; without one, it is [none]')
    .refine(distinct, 'it names a repair twice')
    .default(['none']),
  healing: healing.nullable().default(null),
  evaluate: evaluationOfStudy.nullable().default(null),
  /** Text to measure the loss of every variant on; null: no losses. */
  perplexity: tokenSource.nullable().default(null),
  /** Of repaired and of healed models; null: as the source. Weights that are only left out are written as they are. */
  dtype: dtype.nullable().default('f32'),
  /** Which models stay in `out` once they are measured. Adapters always stay. */
  keepModels: z.enum(['none', 'healed', 'all']).default('none'),
  /** Models are made, measured and removed in batches of about so many bytes, at least one variant at a time. */
  batchBytes: positive.default(20e9),
  out: path('outputFolder'),
  compute,
});
export type StudyRecipe = z.output<typeof studySchema>;

export const studyKind = {
  schema: studySchema,
  title: 'Study',
  resumable: true,
  inFiles: true,
  planned: 'own',
  command: null,
} as const satisfies RecipeKind;
