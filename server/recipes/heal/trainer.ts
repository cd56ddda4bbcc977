// A model with its adapter and its data, as the training loop uses it: steps, and evaluations.
import { openOrder } from '../../data/itemOrder';
import { planExecution } from '../../execution/memoryPlan';
import type { Model } from '../../execution/model';
import type { TrainingPlan } from '../../execution/trainingPlan';
import type { AdapterState } from '../../training/adapterState';
import { type CountedSequence, weightedBatches } from '../../training/batches';
import { heldOutLoss } from '../../training/heldOut';
import type { Trainer } from '../../training/loop';
import { trainStep } from '../../training/step';
import type { HealRecipe } from './recipe';
import type { TrainingInputs } from './trainingInputs';

export interface ReadyInputs extends TrainingInputs {
  /** What the order of the run picks from; with the teacher's targets where it distils. */
  readonly training: readonly CountedSequence[];
}

/** A model in training. */
export interface InTraining {
  readonly model: Model;
  /** The same model with a plan for the sequences that it is evaluated on. */
  readonly evaluated: Model;
  readonly plan: TrainingPlan;
  readonly recipe: HealRecipe;
  readonly inputs: ReadyInputs;
}

export function trainerOf(
  { model, evaluated, plan, recipe, inputs }: InTraining,
  adapter: AdapterState,
  signal: AbortSignal,
): Trainer {
  const { data, loop, optimizer } = recipe;
  const { training, heldOut } = inputs;
  const order = openOrder(data.order, training.length, data.seed);
  const perStep = loop.microBatchSequences * loop.accumulate;
  return {
    guessingNats: Math.log(model.config.vocabularySize),
    async step(step) {
      const items = Array.from({ length: perStep }, (_, i) => training[order.at(step * perStep + i)]!);
      const began = performance.now();
      const result = await trainStep(model, adapter, weightedBatches(items, loop.microBatchSequences), step, {
        optimizer,
        steps: loop.steps,
        seed: data.seed,
        dropout: recipe.adapter.dropout,
        activations: plan.keeps,
        segmentBlocks: plan.segmentBlocks,
        batchesAtOnce: plan.batchesAtOnce,
        signal,
      });
      const nTokens = items.reduce((sum, { ids }) => sum + ids.length, 0);
      return { ...result, tokensPerSecond: nTokens / ((performance.now() - began) / 1000) };
    },
    evaluate: heldOut.length === 0 ? null : () => heldOutLoss(evaluated, heldOut, { adapters: adapter, signal }),
  };
}

/**
 * The model with a plan for the sequences that it is evaluated on. On a device no more of them go together than the plan of the
 * training has hidden states.
 */
export function evaluationModel(model: Model, { heldOut }: TrainingInputs): Model {
  if (heldOut.length === 0) return model;
  const tokensPerSequence = Math.max(...heldOut.map(({ ids }) => ids.length));
  const memory = model.plan.mode;
  const limitBytes = Number.POSITIVE_INFINITY;
  const request = { nSequences: heldOut.length, tokensPerSequence, keepStates: false, memory, limitBytes };
  const plan = planExecution(model.config, request);
  if (!model.plan.device) return { ...model, plan };
  const { microBatchSequences: each } = plan;
  const room = Math.floor(model.plan.device.bytes.states / (4 * tokensPerSequence * model.config.width));
  const groupSequences = Math.max(each, Math.min(plan.groupSequences, room - (room % each)));
  return { ...model, plan: { ...plan, groupSequences } };
}
