// The recipe that is made from the form of an evaluation; pure.
import type { EvaluationSettings, EvaluationView } from '../../../server/protocol/pages/evaluate';
import type { ComputeOptions } from '../../../server/protocol/recipes';
import type { EvaluateRecipe } from '../../../server/recipes/evaluate/recipe';

export const defaultEvaluation: EvaluationSettings = {
  tasks: ['hellaswag', 'arc_easy', 'arc_challenge', 'boolq', 'piqa', 'winogrande', 'openbookqa', 'lambada_openai'],
  items: 100,
  fewShot: null,
  generate: false,
  weights: null,
};

export const defaultEvaluationView: EvaluationView = { sort: null, filter: '', significant: false, opened: {} };

export interface EvaluationPlaces {
  /** The original first. */
  readonly models: readonly string[];
  /** null: Hugging Face's cache. */
  readonly data: string | null;
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
