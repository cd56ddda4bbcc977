// The recipe that a healing's form stands for, and the curve that a run has told so far; pure.
import type { HealPoints, HealSettings, HealView } from '../../server/protocol/pages/heal';
import type { ComputeOptions } from '../../server/protocol/recipes';
import type { HealRecipe } from '../../server/recipes/heal/recipe';
import type { MergeRecipe } from '../../server/recipes/merge/recipe';
import type { RunEvent } from '../../server/protocol/server';

export const usualSettings: HealSettings = {
  rank: 8,
  alpha: 16,
  targets: ['all-linear'],
  learningRate: 5e-4,
  schedule: 'linear',
  warmupSteps: 10,
  steps: 100,
  microBatchWindows: 4,
  tokens: 256,
  objective: 'nextToken',
};

export const usualView: HealView = { smoothing: 0.9, by: 'step', logX: false, logY: false, overlays: [] };

export interface HealPlaces {
  readonly model: string;
  readonly file: string;
  readonly dense: string | null;
  readonly out: string;
}

/** Judged and saved four times on the way, and not more often than every ten steps. */
export function healRecipe(settings: HealSettings, places: HealPlaces, compute: ComputeOptions): HealRecipe {
  const every = Math.max(10, Math.min(500, Math.ceil(settings.steps / 4)));
  const distils = settings.objective === 'distillation' && places.dense !== null;
  return {
    kind: 'heal',
    model: places.model,
    data: {
      files: [places.file],
      field: null,
      format: 'auto',
      tokens: settings.tokens,
      start: 0,
      bos: 'none',
      order: 'shuffled',
      heldOutFraction: 0.05,
      seed: 0,
    },
    adapter: {
      rank: settings.rank,
      alpha: settings.alpha,
      targets: settings.targets,
      blocks: 'all',
      rankPattern: {},
      alphaPattern: {},
      rsLora: false,
      dropout: 0,
      init: null,
    },
    objective: distils ? { kind: 'distillation', topK: 64, temperature: 1 } : { kind: 'nextToken' },
    optimizer: {
      learningRate: settings.learningRate,
      schedule: settings.schedule,
      warmupSteps: settings.warmupSteps,
      beta1: 0.9,
      beta2: 0.999,
      epsilon: 1e-8,
      weightDecay: 0,
      clipNorm: 1,
    },
    loop: {
      steps: settings.steps,
      microBatchWindows: settings.microBatchWindows,
      accumulate: 1,
      evaluateEverySteps: every,
      heldOut: null,
      patience: null,
      saveEverySteps: every,
      activations: 'auto',
    },
    dense: places.dense,
    resume: false,
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
