// What a run would take, from the model's headers and the sizes of files, without starting anything.
import { cpus } from 'node:os';
import { type Checkpoint, withCheckpoint } from '../checkpoint/checkpoint';
import { UserError } from '../errors';
import { limitsOf, type MemoryLimits } from '../execution/memoryLimits';
import { processBytes } from '../execution/memoryPlan';
import { chosenWidth, configHeldAs } from '../model/storage';
import type { PlanEstimate } from '../protocol/engine';
import type { PlannedDevice } from '../protocol/reader';
import { memoryOf } from '../recipes/planMemory';
import type { MemoryMode, WeightWidth } from '../protocol/recipes';
import { kinds, modelsOf, type Recipe } from '../recipes/kinds';
import { type ComputingRecipe, plannedRun } from './planners';
import { widestThatFits } from './widestThatFits';

export async function makePlan(recipe: Recipe, on: PlannedDevice): Promise<PlanEstimate> {
  if (!computes(recipe))
    throw new UserError('usage', `${kinds[recipe.kind].title} computes nothing, so there is no plan.`);
  const { device, reason, operationsPerSecond: speed } = on;
  const compute = { ...recipe.compute, device };
  const limits = await limitsOf(compute);
  const common = {
    device,
    ...(reason !== null && { deviceReason: reason }),
    threads: compute.threads ?? cpus().length,
    speed,
  };
  const planAs = (weights: WeightWidth, memory: MemoryMode, within: MemoryLimits) =>
    planOfModels({ ...recipe, compute: { ...compute, weights, memory } }, within, common);
  const { plan, why } = await widestThatFits(compute, limits, planAs);
  return { ...plan, ...(why !== null && plan.weights && { whyWeights: why }) };
}

type Common = Pick<PlanEstimate, 'device' | 'deviceReason' | 'threads'> & { readonly speed: number | null };

/** The plan of the model that takes most, with the time of all. */
async function planOfModels(recipe: ComputingRecipe, limits: MemoryLimits, common: Common): Promise<PlanEstimate> {
  const plans: PlanEstimate[] = [];
  for (const [i, folder] of modelsOf(recipe).entries()) {
    // Sets are left out of the original alone.
    const ofModel = 'drops' in recipe && i > 0 ? { ...recipe, drops: [] } : recipe;
    plans.push(await withCheckpoint(folder, (checkpoint) => planOfModel(ofModel, checkpoint, limits, common)));
  }
  const largest = plans.reduce((most, plan) => (plan.totalBytes > most.totalBytes ? plan : most));
  const seconds = plans.map(({ estimatedSeconds }) => estimatedSeconds);
  const estimatedSeconds = seconds.every((n) => n !== null) ? seconds.reduce((sum, n) => sum + n, 0) : null;
  return { ...largest, estimatedSeconds };
}

async function planOfModel(
  recipe: ComputingRecipe,
  checkpoint: Checkpoint,
  limits: MemoryLimits,
  { speed, ...common }: Common,
): Promise<PlanEstimate> {
  const ofModel = { model: checkpoint.name, ...common, limitBytes: limits.limitBytes };
  const weights = chosenWidth(recipe.compute.weights);
  const held = { ...checkpoint, config: configHeldAs(checkpoint.config, weights) };
  const planned = await plannedRun(recipe, held, limits);
  if (planned === null) return { ...ofModel, ...writingOnly(checkpoint) };
  const { plan, cost } = planned;
  return {
    ...ofModel,
    memory: plan.mode,
    weights,
    nSequences: cost.nSequences,
    nTokens: plan.nTokens,
    ...memoryOf(plan, cost),
    estimatedSeconds: speed && cost.operations / speed,
    ...(speed !== null && { operationsPerSecond: speed }),
  };
}

const computes = (recipe: Recipe): recipe is ComputingRecipe => kinds[recipe.kind].planned !== 'nothing';

/** Writing goes weight by weight. */
function writingOnly({
  weights,
}: Checkpoint): Pick<PlanEstimate, 'memory' | 'nSequences' | 'nTokens' | 'bytes' | 'totalBytes' | 'estimatedSeconds'> {
  const largestBytes = Math.max(
    ...[...weights.values()].map(({ shape }) => 4 * shape.reduce((n, side) => n * side, 1)),
  );
  const bytes = { weights: largestBytes, states: 0, activations: 0, processes: processBytes };
  return {
    memory: 'streaming',
    nSequences: 0,
    nTokens: 0,
    bytes,
    totalBytes: bytes.weights + bytes.processes,
    estimatedSeconds: null,
  };
}
