// What a healing will take, before it starts: known exactly once its data is read, and closely from the recipe alone.
import type { ModelConfig } from '../../model/config';
import type { AdapterUse } from '../../model/lora';
import type { AdaptedModule } from '../../model/adapter';
import type { HealRecipe } from './recipe';
import type { MemoryLimits } from '../../execution/memoryLimits';
import { sequenceOperations } from '../../execution/memoryPlan';
import { planTraining, type TrainingPlan } from '../../execution/trainingPlan';
import type { Cost } from '../recipeContext';

export interface HealShape {
  /** The most tokens of a training item. */
  readonly tokensPerSequence: number;
  readonly nAdapterParameters: number;
  readonly adapters: AdapterUse;
  readonly heldOut: { readonly nSequences: number; readonly tokensPerSequence: number };
}

/** What the graphs of the block with the most adapters have. */
export function adaptersOf(modules: readonly AdaptedModule[], dropout: number): AdapterUse {
  const ofBlocks = new Map<number, AdaptedModule[]>();
  for (const module of modules) ofBlocks.set(module.block, [...(ofBlocks.get(module.block) ?? []), module]);
  const most = [...ofBlocks.values()].reduce((a, b) => (b.length > a.length ? b : a));
  return {
    layers: new Map(most.map(({ suffix, rank, scaling }) => [suffix, { rank, scaling }])),
    dropout: dropout > 0,
  };
}

/** Throws UserError('cannotFit'). */
export function planHealing(
  config: ModelConfig,
  { loop, adapter: { dropout }, compute: { memory } }: HealRecipe,
  shape: HealShape,
  limits: MemoryLimits,
): { plan: TrainingPlan; cost: Cost } {
  const plan = planTraining(config, { ...loop, ...shape, dropout, memory, ...limits });
  const nSequences = loop.steps * loop.microBatchSequences * loop.accumulate;
  return { plan, cost: { nSequences, cacheBytes: 0, operations: operationsOf(config, loop, shape, plan) } };
}

/** Steps forward and backward, and evaluations. The head goes both ways in one pass; frozen weights have no gradient. */
function operationsOf(
  config: ModelConfig,
  loop: HealRecipe['loop'],
  { tokensPerSequence, heldOut }: HealShape,
  plan: TrainingPlan,
): number {
  const each = sequenceOperations(config, tokensPerSequence);
  const passes = plan.keeps === 'keep' ? 2 : 3;
  const step = loop.microBatchSequences * loop.accumulate * (passes * config.nBlocks * each.block + 2 * each.head);
  const evaluations = 2 + Math.ceil(loop.steps / loop.evaluateEverySteps);
  const evaluated = sequenceOperations(config, Math.max(2, heldOut.tokensPerSequence));
  return loop.steps * step + evaluations * heldOut.nSequences * (config.nBlocks * evaluated.block + evaluated.head);
}
