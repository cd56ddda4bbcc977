// The recipe that the form of an evaluation stands for, and which models belong into one; pure.
import type { EvaluationSettings, EvaluationView } from '../../server/protocol/pages/evaluate';
import type { ComputeOptions } from '../../server/protocol/recipes';
import type { EvaluateRecipe } from '../../server/recipes/evaluate/recipe';
import type { FoundModel } from '../../server/protocol/server';

export const usualEvaluation: EvaluationSettings = {
  tasks: ['hellaswag', 'arc_easy', 'arc_challenge', 'boolq', 'piqa', 'winogrande', 'openbookqa', 'lambada_openai'],
  items: 100,
  fewShot: null,
  generate: false,
};

export const usualEvaluationView: EvaluationView = { sort: null, filter: '', significant: false, opened: {} };

export interface EvaluationPlaces {
  /** The base first. */
  readonly models: readonly string[];
  readonly data: string;
}

export function evaluateRecipe(
  { tasks, items, fewShot, generate }: EvaluationSettings,
  { models, data }: EvaluationPlaces,
  compute: ComputeOptions,
): EvaluateRecipe {
  return {
    kind: 'evaluate',
    models: [...models],
    drops: [],
    tasks,
    data,
    items: items === null ? null : { first: 0, end: items },
    fewShot,
    maxTokens: null,
    generate,
    samples: null,
    compute,
  };
}

/** A model with those that it was made from and those made from it in one list: the oldest is the base. */
export function baseFirst(folders: readonly string[], models: readonly FoundModel[]): string[] {
  const distinct = [...new Set(folders)];
  const depth = new Map(distinct.map((folder) => [folder, ancestorsOf(folder, models).length]));
  return distinct.sort((a, b) => depth.get(a)! - depth.get(b)!);
}

/** A variant is evaluated beside the model that it all began with, a model by itself. */
export function evaluatedWith(folder: string, models: readonly FoundModel[]): string[] {
  const oldest = ancestorsOf(folder, models).at(-1);
  return oldest === undefined ? [folder] : [oldest, folder];
}

/** What may stand beside the base: first what was made from it, then others that read the same tokens. */
export function candidatesFor(folders: readonly string[], models: readonly FoundModel[]): FoundModel[] {
  const base = models.find(({ summary }) => summary.folder === folders[0]);
  const others = models.filter(({ summary }) => !folders.includes(summary.folder));
  const isOffspring = ({ summary }: FoundModel) => ancestorsOf(summary.folder, models).includes(folders[0] ?? '');
  const alike = ({ summary }: FoundModel) =>
    base === undefined || summary.vocabularySize === base.summary.vocabularySize;
  return [...others.filter(isOffspring), ...others.filter((model) => !isOffspring(model) && alike(model))];
}

/** From the nearest to the oldest; a circle, which files may claim, ends where it closes. */
function ancestorsOf(folder: string, models: readonly FoundModel[]): string[] {
  const parents = new Map(models.map(({ summary, parentFolder }) => [summary.folder, parentFolder]));
  const found: string[] = [];
  for (let at = parents.get(folder); at && at !== folder && !found.includes(at); at = parents.get(at)) found.push(at);
  return found;
}
