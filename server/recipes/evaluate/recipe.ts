// evaluate: scores models on tasks, number by number as lm-evaluation-harness does.
import * as z from 'zod';
import { compute, dropSet, nameOf, natural, path, positive } from '../../protocol/recipes';
import type { RecipeKind } from '../recipeKind';

const itemRange = z
  .strictObject({ first: natural.default(0), end: positive })
  .refine(({ first, end }) => first < end, 'it holds no item: end must be above first');
/** Items [first, end). */
export type ItemRange = z.output<typeof itemRange>;

/** What is scored, and how; a study has it too. */
export const evaluation = {
  /** Names of tasks and groups of tasks, such as hellaswag, mmlu or mmlu_philosophy. */
  tasks: z.array(nameOf('task')).min(1, 'it names no task').max(1000),
  /** The folder with the tasks' data. */
  data: path('inputFolder'),
  /** Items of every task, stopping at its end; null: all. */
  items: itemRange.nullable().default(null),
  /** Examples before each question; null: as the task says. */
  fewShot: natural.max(100).nullable().default(null),
  /** The longest input of the model; null: as its configuration says. */
  maxTokens: positive.nullable().default(null),
};

const schema = z.strictObject({
  kind: z.literal('evaluate'),
  /** The first is the base that all others are compared with. */
  models: z.array(path('modelFolder')).min(1).max(100),
  /** More variants: the base without each of these, which need not be written. */
  drops: z.array(dropSet).max(1000).default([]),
  ...evaluation,
  /** Lets every model continue a few prompts afterwards, and judges whether it repeats itself. */
  generate: z.boolean().default(false),
  /** Also write a line of JSON for every item and model to this file. */
  samples: path('outputFile').nullable().default(null),
  compute,
});
export type EvaluateRecipe = z.output<typeof schema>;

export const evaluateKind = {
  schema,
  title: 'Evaluate',
  resumable: true,
  inFiles: true,
  planned: 'own',
} as const satisfies RecipeKind;
