// What a study will take, before it starts: floating-point operations of every step from sizes alone. Pure.
import { evaluationTokens } from '../../evaluation/taskSizes';
import { noAdapters } from '../../model/blockInputs';
import type { ModelConfig } from '../../model/config';
import type { StudyPlan } from '../../protocol/engine';
import type { HealRecipe } from '../heal/recipe';
import { noLimits } from '../../execution/memoryLimits';
import { sequenceOperations } from '../../execution/memoryPlan';
import { planHealing } from '../heal/plan';
import type { Step, StudySteps } from './steps';
import { analysisWork, methodNames, operationsOf, type Work } from '../work';

type Shape = Pick<Work, 'nSequences' | 'tokensPerSequence'>;

/** Sequences of the texts that a study reads. */
export interface StudyShapes {
  readonly source: Shape;
  readonly perplexity: Shape | null;
  /** What healed models are evaluated on. */
  readonly heldOut: Shape | null;
}

/** All steps with what they take; `done` says which of them need not be done any more. */
export function estimateStudy(
  config: ModelConfig,
  { steps, variants }: StudySteps,
  shapes: StudyShapes,
  operationsPerSecond: number,
  done: (step: Step) => boolean,
): StudyPlan {
  const estimated = steps.map((step) => {
    const operations = operationsOfStep(config, step, shapes, blocksWritten(config, { variants }));
    const { id, title, recipe } = step;
    const estimatedSeconds = operations / operationsPerSecond;
    return { id, title, kind: recipe.kind, operations, estimatedSeconds, done: done(step) };
  });
  const left = estimated.filter((step) => !step.done);
  return {
    steps: estimated,
    estimatedSeconds: left.reduce((sum, step) => sum + step.estimatedSeconds, 0),
    nVariants: variants.length,
    operationsPerSecond,
  };
}

/** How many blocks a folder's model has; the original's where it is none of the study's. */
function blocksWritten({ nBlocks }: ModelConfig, { variants }: Pick<StudySteps, 'variants'>) {
  const left = new Map(variants.map(({ folder, set }) => [folder, nBlocks - set.count]));
  return (folder: string) => left.get(folder) ?? nBlocks;
}

/** Writing and merging read and write disks, and count as nothing. */
function operationsOfStep(
  config: ModelConfig,
  { id, recipe }: Step,
  { source, perplexity, heldOut }: StudyShapes,
  blocksOf: (folder: string) => number,
): number {
  switch (recipe.kind) {
    case 'analyze': {
      const { measure, stay } = recipe;
      const wanted = { methods: methodNames(recipe.methods), measure, stay };
      const shape = id === 'losses' ? perplexity! : source;
      return operationsOf(config, analysisWork(config, shape, wanted, noLimits));
    }
    case 'evaluate': {
      const each = sequenceOperations(config, scoredSequence);
      const sequences = evaluationTokens(recipe.tasks, recipe.items, recipe.fewShot) / scoredSequence;
      // A set shares what comes before its first block with the original: of one that nobody knows yet, half.
      const sharing = recipe.drops.map((drop) => (config.nBlocks - drop.blocks.length) / 2);
      const blocks = [...recipe.models.map(blocksOf), ...sharing].reduce((sum, n) => sum + n, 0);
      const nModels = recipe.models.length + recipe.drops.length;
      return sequences * (blocks * each.block + nModels * scoredShare * each.head);
    }
    case 'perplexity': {
      const each = sequenceOperations(config, perplexity!.tokensPerSequence);
      const blocks = recipe.models.map(blocksOf).reduce((sum, n) => sum + n, 0);
      return perplexity!.nSequences * (blocks * each.block + recipe.models.length * each.head);
    }
    case 'prune':
      return recipe.repair ? repairOperations(config, source) : 0;
    case 'heal':
      return healingOperations(config, recipe, heldOut!);
    default:
      return 0;
  }
}

/** Questions are short: about so many tokens attend to each other, and logits are needed of about so many of them. */
const scoredSequence = 128;
const scoredShare = 0.25;

/** A pass over calibration and held-out sequences, and one for each ridge that is tried, before and after. */
function repairOperations(config: ModelConfig, { nSequences, tokensPerSequence }: Shape): number {
  const passes = 10;
  const each = sequenceOperations(config, tokensPerSequence);
  return 1.5 * nSequences * passes * (config.nBlocks * each.block + each.head);
}

/** As if the model still had all its blocks: an upper bound, and not by much. The original model is evaluated once, too. */
function healingOperations(config: ModelConfig, recipe: HealRecipe, heldOut: Shape): number {
  const shape = { tokensPerSequence: recipe.data.tokens, nAdapterParameters: 0, adapters: noAdapters, heldOut };
  return planHealing(config, recipe, shape, noLimits).cost.operations;
}
