// heal: trains a LoRA adapter beside the projections of a pruned model, which stays as it is.
import * as z from 'zod';
import { compute, path } from '../../protocol/recipes';
import type {
  RunFacts,
  ModelSummary,
  LossPoint,
  AdapterSummary,
  TrainingDataReport,
  HealStep,
  HealEval,
} from '../../protocol/reports';
import type { CommandLine } from '../commandLine';
import { type RecipeKind, typeOf } from '../recipeKind';
import { adapter, adapterOptions } from './adapterOptions';
import { dataOptions, trainingData } from './dataOptions';
import {
  loop,
  type Objective,
  objective,
  objectiveOptions,
  optimizer,
  type OptimizerOptions,
  trainingOptions,
} from './trainingOptions';

const schema = z.strictObject({
  kind: z.literal('heal'),
  model: path('modelFolder'),
  data: trainingData,
  adapter,
  objective,
  optimizer,
  loop,
  /** The model before pruning: a reference line, and the teacher of a distillation; null: what espalier.json names, if it is there. */
  dense: path('modelFolder').nullable().default(null),
  /** Goes on where the run in `out` was left. */
  resume: z.boolean().default(false),
  /** Becomes a PEFT folder; the state of the run lies in its `run/`. */
  out: path('outputFolder'),
  compute,
});
export type HealRecipe = z.output<typeof schema>;

/** What a healing is by default. Its paths stand for nothing. */
export const healDefaults: HealRecipe = schema.parse({ kind: 'heal', model: '-', data: { files: ['-'] }, out: '-' });

export interface HealReport extends RunFacts {
  kind: 'heal';
  model: ModelSummary;
  out: string;
  adapter: AdapterSummary;
  data: TrainingDataReport;
  objective: Objective;
  optimizer: OptimizerOptions;
  steps: HealStep[];
  evals: HealEval[];
  /** On the sequences that `evals` are of; null where no original model is known. */
  dense: LossPoint | null;
  /** Null where nothing was held out to evaluate on; the last adapter is saved then. */
  pruned: LossPoint | null;
  /** With the adapter that was saved, the best one. */
  healed: LossPoint | null;
  /** After how many steps it was what was saved. */
  bestStep: number;
  stoppedBy: 'steps' | 'patience' | 'request' | 'divergence';
  /** What a person should know, such as that the adapter did not change; null: nothing. */
  warning: string | null;
}

const command = {
  summary: 'train a LoRA adapter that brings back what pruning cost',
  arguments: [{ name: '<model>', field: 'model', help: 'a pruned model; it stays as it is' }],
  options: [
    {
      flags: '--data <file...>',
      field: 'data.files',
      required: true,
      help: 'text, or instructions or chats as JSON, JSON lines, CSV or Parquet',
    },
    {
      flags: '--out <folder>',
      field: 'out',
      required: true,
      help: 'the PEFT folder to write; with --resume one that a run has begun',
    },
    { flags: '--resume', field: 'resume', help: 'go on from the last saved state of the run in --out' },
    ...dataOptions,
    ...adapterOptions,
    ...objectiveOptions,
    { flags: '--dense <folder>', field: 'dense', help: 'the model before pruning (default: as espalier.json says)' },
    ...trainingOptions,
  ],
} as const satisfies CommandLine;

export const healKind = {
  schema,
  title: 'Heal',
  resumable: true,
  inFiles: true,
  planned: 'own',
  report: typeOf<HealReport>(),
  command,
} as const satisfies RecipeKind;
