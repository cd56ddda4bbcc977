// The recipe that is made from the form of a healing; pure.
import type { HealSettings, HealView } from '../../../server/protocol/pages/heal';
import type { ComputeOptions } from '../../../server/protocol/recipes';
import { defaultDistillation, defaultEvaluateEverySteps } from '../../../server/recipes/heal/trainingOptions';
import { type HealRecipe, healDefaults } from '../../../server/recipes/heal/recipe';
import type { MergeRecipe } from '../../../server/recipes/merge/recipe';

const { adapter, optimizer, loop, data, objective, resume } = healDefaults;

export const defaultSettings: HealSettings = {
  rank: adapter.rank,
  alpha: adapter.alpha,
  targets: adapter.targets,
  learningRate: optimizer.learningRate,
  schedule: optimizer.schedule,
  warmupSteps: optimizer.warmupSteps,
  steps: loop.steps,
  microBatchSequences: loop.microBatchSequences,
  tokens: data.tokens,
  objective: objective.kind,
  weights: null,
};

export const defaultView: HealView = { smoothing: 0.9, by: 'step', logX: false, logY: false, overlays: [] };

export interface HealPlaces {
  readonly model: string;
  readonly file: string;
  /** The model before pruning; null: it is not here. */
  readonly original: string | null;
  readonly out: string;
}

/** Fields that the form does not ask for have their defaults. */
export function healRecipe(settings: HealSettings, places: HealPlaces, compute: ComputeOptions): HealRecipe {
  const distils = settings.objective === 'distillation' && places.original !== null;
  const { rank, alpha, targets, learningRate, schedule, warmupSteps, steps, microBatchSequences, tokens } = settings;
  const evaluateEverySteps = defaultEvaluateEverySteps(steps);
  return {
    kind: 'heal',
    model: places.model,
    data: { ...data, files: [places.file], tokens },
    adapter: { ...adapter, rank, alpha, targets },
    objective: distils ? defaultDistillation : { kind: 'nextToken' },
    optimizer: { ...optimizer, learningRate, schedule, warmupSteps },
    loop: { ...loop, steps, microBatchSequences, evaluateEverySteps },
    dense: places.original,
    resume,
    out: places.out,
    compute,
  };
}

export const mergeRecipe = ({ model, out: adapter, compute }: HealRecipe, out: string): MergeRecipe => ({
  kind: 'merge',
  model,
  adapter,
  out,
  dtype: null,
  maxShardBytes: null,
  compute,
});
