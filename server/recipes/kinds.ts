// Every kind of recipe by its declaration, and what follows from them for all kinds.
import * as z from 'zod';
import { analyzeKind } from './analyze/recipe';
import { cardKind } from './card/recipe';
import { evaluateKind } from './evaluate/recipe';
import { exportKind } from './export/recipe';
import { generateKind } from './generate/recipe';
import { healKind } from './heal/recipe';
import { inspectKind } from './inspect/recipe';
import { mergeKind } from './merge/recipe';
import { perplexityKind } from './perplexity/recipe';
import { pipelineKind, type PipelineRecipe } from './pipeline/recipe';
import { proveKind } from './prove/recipe';
import { pruneKind } from './prune/recipe';
import { publishKind } from './publish/recipe';
import { pullKind } from './pull/recipe';
import type { Planned } from './recipeKind';
import { sparsifyKind } from './sparsify/recipe';
import { studyKind } from './study/recipe';

export const kinds = {
  pull: pullKind,
  inspect: inspectKind,
  analyze: analyzeKind,
  prune: pruneKind,
  sparsify: sparsifyKind,
  perplexity: perplexityKind,
  generate: generateKind,
  heal: healKind,
  merge: mergeKind,
  evaluate: evaluateKind,
  export: exportKind,
  study: studyKind,
  pipeline: pipelineKind,
  prove: proveKind,
  card: cardKind,
  publish: publishKind,
} as const;

export type Kind = keyof typeof kinds;

export type RecipeOf<K extends Kind> = z.output<(typeof kinds)[K]['schema']>;

export type Recipe = { [K in Kind]: RecipeOf<K> }[Kind];

export type ReportOf<K extends Kind> = NonNullable<(typeof kinds)[K]['report']['type']>;

/** What stays of a run, of whichever kind. */
export type Report = { [K in Kind]: ReportOf<K> }[Kind];

/** The kinds that recipe files may hold, and those whose cost is planned in one of the ways. */
export type FileKind = { [K in Kind]: (typeof kinds)[K]['inFiles'] extends true ? K : never }[Kind];
export type KindPlanned<P extends Planned> = { [K in Kind]: (typeof kinds)[K]['planned'] extends P ? K : never }[Kind];

const kindNames = Object.keys(kinds) as Kind[];

export const fileKinds = kindNames.filter((kind): kind is FileKind => kinds[kind].inFiles);

type SchemaOf<K extends Kind> = (typeof kinds)[K]['schema'];
const schemasOf = <K extends Kind>(names: readonly K[]) =>
  names.map((kind) => kinds[kind].schema) as [SchemaOf<K>, ...SchemaOf<K>[]];

/** Whatever comes from outside and says that it is a recipe. */
export const recipeSchema = z.discriminatedUnion('kind', schemasOf(kindNames));
/** The same for recipe files. */
export const fileRecipeSchema = z.discriminatedUnion('kind', schemasOf(fileKinds));

/** A run of this kind that ended early may be started again. */
export const isResumable = (kind: Kind): boolean => kinds[kind].resumable;

/** How a run of a kind is called, by the name of its model. */
export const titleOf = (kind: Kind, modelName: string): string => `${kinds[kind].title} ${modelName}`;

/** Folders of the models that a recipe is about, the original first; none where it has yet to come. */
export const modelsOf = (recipe: Recipe): readonly string[] =>
  'models' in recipe ? recipe.models : 'model' in recipe ? [recipe.model] : [];

/**
 * What a run of a recipe is about: the folder of its first model, or the names of what it pulls; of a pipeline what its first
 * step is about.
 */
export function subjectOf(recipe: Recipe | PipelineRecipe['steps'][number]): string {
  if (recipe.kind === 'pipeline') return subjectOf(recipe.steps[0]!);
  if (recipe.kind === 'pull') return recipe.repository ?? inShort(recipe.tasks!);
  return 'models' in recipe ? recipe.models[0]! : recipe.model;
}

const inShort = ([a, b, c, ...more]: readonly string[]): string =>
  [a, b, c].filter((name) => name !== undefined).join(', ') + (more.length > 0 ? ` and ${more.length} more` : '');
