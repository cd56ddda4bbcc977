// study: a grid of variants of one model, chosen by every method at every count, repaired or not, healed or not, all measured
// beside the original. It is carried out in steps whose reports stay in `out`, so that it goes on where it was left: what has
// been done is not done again, as long as the recipe (but for `compute`) and the texts are the same.
import * as z from 'zod';
import {
  blocks,
  type Budget,
  budget,
  compute,
  distinct,
  dtype,
  nameOf,
  path,
  positive,
  tokenSource,
  type TokenSourceReport,
  type DropSet,
} from '../../protocol/recipes';
import type { Fitting, RunFacts, ModelSummary, MethodScores } from '../../protocol/reports';
import { type EvaluateReport, evaluation } from '../evaluate/recipe';
import { adapter } from '../heal/adapterOptions';
import type { HealReport } from '../heal/recipe';
import { loop, objective, optimizer } from '../heal/trainingOptions';
import { trainingData } from '../heal/dataOptions';
import { type RepairName, repairName } from '../prune/recipe';
import { type RecipeKind, typeOf } from '../recipeKind';

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
  methods: z.array(method).min(1, 'it names no method').max(100).refine(distinct, 'it names a method twice'),
  /** How many blocks go, or how large what stays may be: the fewest whole blocks that meet it go. */
  counts: z
    .array(z.union([count, ...budget.options]))
    .min(1, 'it names no count')
    .max(1000)
    .refine(distinct, 'it names a count twice'),
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
/** As it is asked for: budgets may stand among its counts. */
export type AskedStudy = z.output<typeof studySchema>;
/** With counts alone. */
export type StudyRecipe = Omit<AskedStudy, 'counts'> & { counts: number[] };

export interface StudyReport extends RunFacts {
  kind: 'study';
  model: ModelSummary;
  out: string;
  /** What was asked for, in full. */
  recipe: StudyRecipe;
  /** Unit and paper of the methods that score. */
  methods: Record<string, Pick<MethodScores, 'unit' | 'of' | 'paper'>>;
  calibration: TokenSourceReport;
  /** What losses were measured on. */
  perplexity: TokenSourceReport | null;
  /** The original first, then by count. */
  variants: StudyVariant[];
  /** Budgets among the counts that were asked for, and what met them; absent: there were none. */
  budgets?: { budget: Budget; fitting: Fitting }[];
  /** Base and variants together; null where nothing was evaluated. Labels are those of the variants. */
  evaluation: EvaluateReport | null;
  steps: StudyStep[];
}

export interface StudyVariant {
  /** Unique, and fit for the name of a file, such as `base` or `5-greedy-linear-healed`. */
  id: string;
  label: string;
  /** All methods that chose this set; none for the original. */
  methods: string[];
  count: number;
  drop: DropSet;
  /** The set as people write it, such as `3,12-15`; empty for the original. */
  without: string;
  repair: RepairName;
  healed: boolean;
  nParameters: number;
  /** Of its weights as the source has them. */
  sizeBytes: number;
  /** null where no text was given, or where it is not finite. */
  loss: StudyLoss | null;
  /** Why there is no such model, or none with a loss: what of it is not finite. Absent: all is. */
  notFinite?: string;
  healing: { adapter: string; steps: number; bestStep: number; stoppedBy: HealReport['stoppedBy'] } | null;
  /** Its folder, where there is one that stays. */
  folder: string | null;
  /** Index in `evaluation.models`; null: not evaluated. */
  model: number | null;
}

export interface StudyLoss {
  lossNats: number;
  /** Over sequences; null with a single sequence. */
  standardError: number | null;
  perplexity: number;
  /** Loss - the original's, and its standard error, paired by token or, for models that were written, by sequence. */
  costNats: number;
  costStandardError: number | null;
}

/** Kinds of recipes that a study is made of. */
export type StepKind = 'analyze' | 'evaluate' | 'perplexity' | 'prune' | 'heal' | 'merge';

/** A recipe that was carried out as a part of a study. */
export interface StudyStep {
  id: string;
  title: string;
  kind: StepKind;
  /** When it was carried out, be it now or before. */
  elapsedMs: number;
  /** It was there when this run of the study began. */
  doneBefore: boolean;
}

export const studyKind = {
  schema: studySchema,
  title: 'Study',
  resumable: true,
  inFiles: true,
  planned: 'own',
  report: typeOf<StudyReport>(),
  command: null,
} as const satisfies RecipeKind;
