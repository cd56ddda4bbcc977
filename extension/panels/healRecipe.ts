// The recipe that a healing's form stands for, and the curve that a run has told so far; pure.
import type { HealPoints, HealSettings, HealView } from '../../server/protocol/pages/heal';
import type { ComputeOptions } from '../../server/protocol/recipes';
import {
  defaultDistillation,
  defaultEvaluateEverySteps,
  type HealRecipe,
  healDefaults,
} from '../../server/recipes/heal/recipe';
import type { MergeRecipe } from '../../server/recipes/merge/recipe';
import type { RunEvent } from '../../server/protocol/server';

const { adapter, optimizer, loop, data, objective, resume } = healDefaults;

export const usualSettings: HealSettings = {
  rank: adapter.rank,
  alpha: adapter.alpha,
  targets: adapter.targets,
  learningRate: optimizer.learningRate,
  schedule: optimizer.schedule,
  warmupSteps: optimizer.warmupSteps,
  steps: loop.steps,
  microBatchWindows: loop.microBatchWindows,
  tokens: data.tokens,
  objective: objective.kind,
};

export const usualView: HealView = { smoothing: 0.9, by: 'step', logX: false, logY: false, overlays: [] };

export interface HealPlaces {
  readonly model: string;
  readonly file: string;
  readonly dense: string | null;
  readonly out: string;
}

/** What the form does not ask for is as it is by default. */
export function healRecipe(settings: HealSettings, places: HealPlaces, compute: ComputeOptions): HealRecipe {
  const distils = settings.objective === 'distillation' && places.dense !== null;
  const { rank, alpha, targets, learningRate, schedule, warmupSteps, steps, microBatchWindows, tokens } = settings;
  const evaluateEverySteps = defaultEvaluateEverySteps(steps);
  return {
    kind: 'heal',
    model: places.model,
    data: { ...data, files: [places.file], tokens },
    adapter: { ...adapter, rank, alpha, targets },
    objective: distils ? defaultDistillation : { kind: 'nextToken' },
    optimizer: { ...optimizer, learningRate, schedule, warmupSteps },
    loop: { ...loop, steps, microBatchWindows, evaluateEverySteps },
    dense: places.dense,
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

/** Points in the order in which they were told, handed on in pieces of a fair size. */
export function openPoints() {
  const steps: Extract<RunEvent['event'], { kind: 'step' }>[] = [];
  const evals: HealPoints['evals'] = [];
  let sent = { steps: 0, evals: 0 };
  return {
    hear({ event }: RunEvent): void {
      if (event.kind === 'step') steps.push(event);
      if (event.kind === 'evaluation') evals.push(event.evaluation);
    },
    /** A page that opens has nothing yet. */
    rewind(): void {
      sent = { steps: 0, evals: 0 };
    },
    /** What has not been handed on yet; null: nothing. */
    next(): HealPoints | null {
      if (sent.steps === steps.length && sent.evals === evals.length) return null;
      const part = steps.slice(sent.steps, sent.steps + mostAtOnce);
      const isLast = sent.steps + part.length === steps.length;
      const judged = isLast ? evals.slice(sent.evals) : [];
      sent = { steps: sent.steps + part.length, evals: sent.evals + judged.length };
      const column = (name: 'lossNats' | 'gradNorm' | 'learningRate' | 'tokensPerSecond') =>
        part.map(({ step }) => step[name]);
      return {
        step: part.map(({ step }) => step.step),
        lossNats: column('lossNats'),
        gradNorm: column('gradNorm'),
        learningRate: column('learningRate'),
        tokensPerSecond: column('tokensPerSecond'),
        memoryBytes: part.map(({ memoryBytes }) => memoryBytes),
        evals: judged,
      };
    },
  };
}

const mostAtOnce = 10_000;
