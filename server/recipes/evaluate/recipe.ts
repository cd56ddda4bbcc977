// evaluate: scores models on tasks, number by number as lm-evaluation-harness does.
import * as z from 'zod';
import { compute, dropSet, nameOf, natural, path, positive } from '../../protocol/recipes';
import type { CommandLine } from '../commandLine';
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
  /** Lets every model continue a few prompts afterwards, and checks whether it repeats itself. */
  generate: z.boolean().default(false),
  /** Also write a line of JSON for every item and model to this file. */
  samples: path('outputFile').nullable().default(null),
  compute,
});
export type EvaluateRecipe = z.output<typeof schema>;

const command = {
  summary: "scores on benchmarks, with lm-evaluation-harness' numbers, variants beside the base item by item",
  arguments: [{ name: '<model...>', field: 'models', help: 'the base, and the models to compare with it' }],
  options: [
    {
      flags: '--tasks <names>',
      field: 'tasks',
      read: 'names',
      required: true,
      help: 'comma-separated, such as hellaswag,arc_easy,mmlu or mmlu_philosophy',
    },
    { flags: '--data <folder>', field: 'data', required: true, help: "the folder with the tasks' data" },
    {
      flags: '--drops <sets>',
      field: 'drops',
      read: 'dropSets',
      help: 'also the first model without these, such as "12-15;12-16;8a,9m" (a: attention, m: MLP)',
    },
    { flags: '--items <range>', field: 'items', read: 'itemRange', help: 'items A to B-1 of every task, as A:B' },
    { flags: '--limit <n>', read: 'positive', help: 'the first n items of every task' },
    {
      flags: '--fewshot <k>',
      field: 'fewShot',
      read: 'natural',
      help: "examples before each question (default: the task's own, none)",
    },
    {
      flags: '--max-tokens <n>',
      field: 'maxTokens',
      read: 'positive',
      help: "the longest input (default: the model's own)",
    },
    {
      flags: '--generate',
      field: 'generate',
      help: 'let each model continue a few prompts, and see whether it repeats itself',
    },
    { flags: '--samples <file>', field: 'samples', help: 'write a line of JSON for every item' },
  ],
} as const satisfies CommandLine;

export const evaluateKind = {
  schema,
  title: 'Evaluate',
  resumable: true,
  inFiles: true,
  planned: 'own',
  command,
} as const satisfies RecipeKind;
