// The steps of a pipeline as recipes of their own, and what can be said against them before anything is read. Pure.
import { join } from 'node:path';
import { UserError } from '../../errors';
import type { RecipeOf } from '../kinds';
import { kinds } from '../kinds';
import { replaceMeant } from '../meanings';
import { unknownName } from '../recipeNames';
import type { Meaning, PathTarget } from '../recipeKind';
import { type PipelineRecipe, type PipelineStepKind, type PipelineStepRecipe, stepNamed } from './recipe';

export type StepRecipe = RecipeOf<PipelineStepKind>;

export interface Step {
  readonly id: string;
  readonly title: string;
  /** Its paths may still stand for what earlier steps made. */
  readonly recipe: StepRecipe;
  /** The analysis that a rule chooses by; null: none. */
  readonly scores: string | null;
  /** Steps whose results it reads. */
  readonly after: readonly string[];
}

/** By kind: what other steps can name it for, beside its report. */
export const gives: Record<PipelineStepKind, 'model' | 'adapter' | 'file' | null> = {
  pull: 'model',
  analyze: null,
  prune: 'model',
  heal: 'adapter',
  merge: 'model',
  evaluate: null,
  perplexity: null,
  prove: null,
  export: 'file',
  publish: null,
};

/** By kind: the fields that the pipeline fills in. */
const filledIn: Record<PipelineStepKind, object> = {
  pull: {},
  analyze: { stay: false },
  prune: { mergekit: null },
  heal: { resume: false },
  merge: {},
  evaluate: { samples: null },
  perplexity: {},
  prove: {},
  export: {},
  publish: {},
};

/** Where what a step makes lies. */
const placeOf = (out: string, id: string, kind: PipelineStepKind): string =>
  join(out, 'made', kind === 'export' ? `${id}.gguf` : id);

/** @throws UserError `usage` for steps that cannot follow each other */
export function stepsOf({ steps, out, compute }: PipelineRecipe): Step[] {
  const before = new Map<string, PipelineStepRecipe>();
  return steps.map((asked) => {
    if (before.has(asked.id)) refuse(asked.id, `is there twice; give one of the two another id`);
    const step = stepOf(asked, out, compute);
    for (const named of namedIn(step.recipe)) checkNamed(asked, named, before.get(named.name)?.kind);
    checkScores(step, before);
    before.set(asked.id, asked);
    return step;
  });
}

function stepOf(asked: PipelineStepRecipe, out: string, compute: PipelineRecipe['compute']): Step {
  const { id, ...fields } = asked;
  const { scores, ...rest } = fields as typeof fields & { scores?: string };
  const { shape } = kinds[asked.kind].schema;
  const whole = {
    ...filledIn[asked.kind],
    ...rest,
    ...('out' in shape && { out: placeOf(out, id, asked.kind) }),
    ...('compute' in shape && { compute }),
  };
  // Where kinds have rules beyond their fields, steps keep them, too.
  const checked = kinds[asked.kind].schema.safeParse(whole);
  if (!checked.success) refuse(id, `is not right: ${checked.error.issues[0]!.message}`);
  const recipe = whole as StepRecipe;
  const unknown = unknownName(recipe);
  if (unknown) refuse(id, `cannot be carried out: ${unknown.sentence.replace(/\.$/, '')}`);
  const named = [...namedIn(recipe).map(({ name }) => name), ...(scores === undefined ? [] : [scores])];
  return { id, title: `${asked.kind} (${id})`, recipe, scores: scores ?? null, after: [...new Set(named)] };
}

interface Named {
  readonly name: string;
  readonly to: PathTarget;
}

function namedIn(recipe: StepRecipe): Named[] {
  const found: Named[] = [];
  withPaths(recipe, (text, to) => {
    const name = stepNamed(text);
    if (name !== null) found.push({ name, to });
    return text;
  });
  return found;
}

/** The recipe with its paths replaced. */
export const withPaths = (recipe: StepRecipe, replace: (path: string, to: PathTarget) => string): StepRecipe =>
  replaceMeant(kinds[recipe.kind].schema, recipe, (value, meaning: Meaning) =>
    meaning.is === 'path' ? replace(value as string, meaning.to) : value,
  ) as StepRecipe;

/** What a path of a kind can be: every step has a report, and some have made a folder. */
const wanted: Record<PathTarget, readonly ('model' | 'adapter' | 'report')[]> = {
  modelFolder: ['model'],
  adapterFolder: ['adapter'],
  inputFile: ['report'],
  inputFolder: [],
  outputFile: [],
  outputFolder: [],
};

/** Of these a folder may be that of an adapter. */
const takeAdapters: readonly PipelineStepKind[] = ['prove', 'publish'];

function checkNamed(step: PipelineStepRecipe, { name, to }: Named, kind: PipelineStepKind | undefined): void {
  if (!kind) refuse(step.id, `names $${name}, but no step before it has that id`);
  const has = ['report', gives[kind]];
  const fits = takeAdapters.includes(step.kind) && to === 'modelFolder' ? [...wanted[to], 'adapter'] : wanted[to];
  if (!fits.some((what) => has.includes(what)))
    refuse(step.id, `names $${name} for ${inWords[to]}, but a step of kind ${kind} makes ${madeInWords(kind)}`);
}

const inWords: Record<PathTarget, string> = {
  modelFolder: 'a model',
  adapterFolder: 'an adapter',
  inputFile: 'a file',
  inputFolder: 'a folder of data',
  outputFile: 'a file to write',
  outputFolder: 'a folder to write',
};

const madeInWords = (kind: PipelineStepKind) =>
  ({ model: 'a model', adapter: 'an adapter', file: 'a file', none: 'no folder' })[gives[kind] ?? 'none'];

function checkScores({ id, scores, recipe }: Step, before: ReadonlyMap<string, PipelineStepRecipe>): void {
  if (scores === null || recipe.kind !== 'prune') return;
  const analysis = before.get(scores);
  if (analysis?.kind !== 'analyze') refuse(id, `chooses by ${scores}, which is no analysis before it`);
  if (analysis.model !== recipe.model)
    refuse(id, `prunes ${recipe.model}, but ${scores} analyzes ${analysis.model}; both have to be the same`);
  if (recipe.rule.kind !== 'method') refuse(id, `has scores, but its rule asks for none; leave one of the two out`);
}

function refuse(id: string, what: string): never {
  throw new UserError('usage', `The step ${id} ${what}.`);
}
