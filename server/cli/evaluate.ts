// evaluate: scores models on tasks.
import { type Command, InvalidArgumentError } from 'commander';
import { UserError } from '../errors';
import { harnessResults } from '../evaluation/harnessResults';
import type { ItemRange } from '../recipes/evaluate/recipe';
import type { Recipe } from '../recipes/kinds';
import type { EvaluateReport } from '../protocol/reports';
import { parseDropSet } from '../shared/dropSets';
import { type ComputeFlags, computeOptions, natural, type OutputFlags, positive, withComputeOptions } from './options';
import { renderEvaluation } from './renderEvaluation';

interface EvaluateFlags extends ComputeFlags {
  tasks: string;
  data: string;
  drops?: string;
  items?: ItemRange;
  limit?: number;
  fewshot?: number;
  maxTokens?: number;
  generate?: boolean;
  samples?: string;
}

/** @param carryOut runs a recipe, shows its report and writes it, in the form that the last argument gives it, where --json says. */
export const addEvaluate = (
  program: Command,
  carryOut: (
    recipe: Recipe,
    flags: OutputFlags,
    render: (report: EvaluateReport) => string,
    written: (report: EvaluateReport) => object,
  ) => Promise<void>,
): Command =>
  withComputeOptions(program.command('evaluate').argument('<model...>', 'the base, and the models to compare with it'))
    .description("scores on benchmarks, with lm-evaluation-harness' numbers, variants beside the base item by item")
    .requiredOption('--tasks <names>', 'comma-separated, such as hellaswag,arc_easy,mmlu or mmlu_philosophy')
    .requiredOption('--data <folder>', "the folder with the tasks' data")
    .option('--drops <sets>', 'also the first model without these, such as "12-15;12-16;8a,9m" (a: attention, m: MLP)')
    .option('--items <range>', 'items A to B-1 of every task, as A:B', itemRange)
    .option('--limit <n>', 'the first n items of every task', positive)
    .option('--fewshot <k>', "examples before each question (default: the task's own, none)", natural)
    .option('--max-tokens <n>', "the longest input (default: the model's own)", positive)
    .option('--generate', 'let each model continue a few prompts, and see whether it repeats itself')
    .option('--samples <file>', 'write a line of JSON for every item')
    .action((models: string[], flags: EvaluateFlags) =>
      carryOut(
        {
          kind: 'evaluate',
          models,
          drops: flags.drops === undefined ? [] : flags.drops.split(';').map(parseDropSet),
          tasks: flags.tasks.split(',').filter((name) => name !== ''),
          data: flags.data,
          items: itemsOf(flags),
          fewShot: flags.fewshot ?? null,
          maxTokens: flags.maxTokens ?? null,
          generate: flags.generate ?? false,
          samples: flags.samples ?? null,
          compute: computeOptions(flags),
        },
        flags,
        renderEvaluation,
        (report) => harnessResults(report, Date.now()),
      ),
    );

function itemsOf({ items, limit }: EvaluateFlags): ItemRange | null {
  if (items && limit !== undefined)
    throw new UserError('usage', '--items and --limit both say which items to take; leave one out.');
  return limit === undefined ? (items ?? null) : { first: 0, end: limit };
}

function itemRange(text: string): ItemRange {
  const match = /^(\d{1,9}):(\d{1,9})$/.exec(text);
  const [first, end] = [Number(match?.[1]), Number(match?.[2])];
  if (!match || first >= end)
    throw new InvalidArgumentError('It must be A:B with A below B, such as 0:100 for the first hundred.');
  return { first, end };
}
