// A model with its adapter and its data, as the loop sees it: something to make steps of, and to judge.
import { openOrder } from '../../data/itemOrder';
import type { HealRecipe } from './recipe';
import type { AdapterState } from '../../training/adapterState';
import { type CountedWindow, weightedBatches } from '../../training/batches';
import { heldOutLoss } from '../../training/heldOut';
import type { Trainee } from '../../training/loop';
import { trainStep } from '../../training/step';
import { planWalk } from '../../execution/memoryPlan';
import type { Model } from '../../execution/model';
import type { TrainingPlan } from '../../execution/trainingPlan';
import type { Material } from './trainingInputs';
import type { Run } from '../recipeContext';

export interface Ready extends Material {
  /** What the order of the run picks from; with a teacher's expectations where it distils. */
  readonly training: readonly CountedWindow[];
}

export function traineeOf(
  model: Model,
  judging: Model,
  adapter: AdapterState,
  plan: TrainingPlan,
  { data, loop, optimizer, adapter: { dropout } }: HealRecipe,
  { training, heldOut }: Ready,
  { signal }: Run,
): Trainee {
  const order = openOrder(data.order, training.length, data.seed);
  const perStep = loop.microBatchWindows * loop.accumulate;
  return {
    guessingNats: Math.log(model.config.vocabularySize),
    async step(step) {
      const items = Array.from({ length: perStep }, (_, i) => training[order.at(step * perStep + i)]!);
      const began = performance.now();
      const result = await trainStep(model, adapter, weightedBatches(items, loop.microBatchWindows), step, {
        optimizer,
        steps: loop.steps,
        seed: data.seed,
        dropout,
        activations: plan.keeps,
        batchesAtOnce: plan.batchesAtOnce,
        signal,
      });
      const nTokens = items.reduce((sum, { ids }) => sum + ids.length, 0);
      return { ...result, tokensPerSecond: nTokens / ((performance.now() - began) / 1000) };
    },
    judge: heldOut.length === 0 ? null : () => heldOutLoss(judging, heldOut, { adapters: adapter, signal }),
  };
}

/** The same model with a plan for the windows that it is judged on. */
export function judgingModel(model: Model, { heldOut }: Material): Model {
  if (heldOut.length === 0) return model;
  const tokensPerWindow = Math.max(...heldOut.map(({ ids }) => ids.length));
  const memory = model.plan.mode;
  const limitBytes = Number.POSITIVE_INFINITY;
  const request = { nWindows: heldOut.length, tokensPerWindow, keepStates: false, memory, limitBytes };
  return { ...model, plan: planWalk(model.config, request) };
}
