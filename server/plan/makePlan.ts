// What a run would take, from the model's headers and the sizes of files, without starting anything.
import { stat } from 'node:fs/promises';
import { cpus, freemem } from 'node:os';
import { pathsAtOnce } from '../analysis/measuring';
import { type Checkpoint, openCheckpoint } from '../checkpoint/checkpoint';
import { readTokenWindows } from '../data/tokenWindows';
import { UserError } from '../errors';
import { adaptedModules } from '../model/adapter';
import { evaluationTokens } from '../evaluation/taskSizes';
import type { ModelConfig } from '../model/config';
import { pathWithout } from '../model/path';
import type { PlanEstimate } from '../protocol/engine';
import type { EvaluateRecipe } from '../recipes/evaluate/recipe';
import type { HealRecipe } from '../recipes/heal/recipe';
import type { Recipe } from '../recipes/kinds';
import type { StudyRecipe } from '../recipes/study/recipe';
import type { TokenSource } from '../protocol/recipes';
import { checkDropSet } from '../shared/dropSets';
import { type HealShape, planHealing } from '../recipes/heal/plan';
import { summarize } from '../recipes/modelSummary';
import type { Cost } from '../recipes/recipeContext';
import { estimateStudy } from '../recipes/study/estimate';
import { analysisStep, planStudy } from '../recipes/study/steps';
import { supposedSets } from '../recipes/study/variants';
import { analysisWork, methodNames, operationsOf, scoresForRule, type Work } from '../recipes/work';
import { type MemoryPlan, planWalk, processBytes } from '../execution/memoryPlan';

/** @param operationsPerSecond what is known of a device's speed; null: nothing yet */
export async function makePlan(
  recipe: Recipe,
  operationsPerSecond: (device: string) => number | null,
): Promise<PlanEstimate> {
  if (recipe.kind === 'inspect') throw new UserError('usage', 'An inspection computes nothing, so there is no plan.');
  const { compute } = recipe;
  const device = compute.device === 'auto' ? 'cpu' : compute.device;
  const limitBytes = compute.memoryLimitBytes ?? Math.floor(0.9 * freemem());
  const speed = operationsPerSecond(device);
  const folders = 'models' in recipe ? recipe.models : [recipe.model];
  const plans: PlanEstimate[] = [];
  for (const folder of folders) {
    const checkpoint = await openCheckpoint(folder);
    try {
      const { name } = checkpoint;
      // Sets are left out of the base alone.
      const ofModel = recipe.kind === 'evaluate' && folder !== recipe.models[0] ? { ...recipe, drops: [] } : recipe;
      const planned = await plannedWork(ofModel, checkpoint, limitBytes);
      const common = { model: name, device, threads: compute.threads ?? cpus().length, limitBytes };
      if (planned === null) {
        plans.push({ ...common, ...writingOnly(checkpoint) });
        continue;
      }
      const { plan, cost } = planned;
      plans.push({
        ...common,
        memory: plan.mode,
        nWindows: cost.nWindows,
        nTokens: plan.nTokens,
        bytes: { ...plan.bytes, states: plan.bytes.states + cost.cacheBytes },
        totalBytes: plan.totalBytes,
        estimatedSeconds: speed && cost.operations / speed,
        ...(speed !== null && { operationsPerSecond: speed }),
      });
    } finally {
      await checkpoint.close();
    }
  }
  const largest = plans.reduce((most, plan) => (plan.totalBytes > most.totalBytes ? plan : most));
  const seconds = plans.map(({ estimatedSeconds }) => estimatedSeconds);
  const estimatedSeconds = seconds.every((n) => n !== null) ? seconds.reduce((sum, n) => sum + n, 0) : null;
  return { ...largest, estimatedSeconds };
}

/** null: no forward pass is needed. */
async function plannedWork(
  recipe: Exclude<Recipe, { kind: 'inspect' }>,
  checkpoint: Checkpoint,
  limitBytes: number,
): Promise<{ plan: MemoryPlan; cost: Cost } | null> {
  const { config } = checkpoint;
  if (recipe.kind === 'study') return plannedStudy(recipe, checkpoint, limitBytes);
  if (recipe.kind === 'heal') return planHealing(config, recipe, await shapeOfHealing(recipe, checkpoint), limitBytes);
  const work = await workOf(recipe, checkpoint, limitBytes);
  if (work === null) return null;
  const plan = planWalk(config, { ...work, memory: recipe.compute.memory, limitBytes });
  const { nWindows, cacheBytes = 0 } = work;
  return { plan, cost: { nWindows, cacheBytes, operations: operationsOf(config, work) } };
}

async function workOf(
  recipe: Exclude<Recipe, { kind: 'inspect' | 'heal' | 'study' }>,
  checkpoint: Checkpoint,
  limitBytes: number,
): Promise<Work | null> {
  const { config } = checkpoint;
  const plain = { keepStates: false };
  switch (recipe.kind) {
    case 'analyze': {
      const { measure, stay } = recipe;
      const wanted = { methods: methodNames(recipe.methods), measure, stay };
      return analysisWork(config, await shapeOf(recipe.source, checkpoint), wanted, limitBytes);
    }
    case 'prune': {
      if (recipe.rule.kind !== 'method' || recipe.source === null) return null;
      const wanted = { ...scoresForRule(recipe.rule), stay: false };
      return analysisWork(config, await shapeOf(recipe.source, checkpoint), wanted, limitBytes);
    }
    case 'sparsify':
      return recipe.source && { ...(await shapeOf(recipe.source, checkpoint)), ...plain };
    case 'perplexity': {
      const path = pathWithout(config, checkDropSet(recipe.drop, config.nBlocks));
      return { ...(await shapeOf(recipe.source, checkpoint)), ...plain, path };
    }
    case 'merge':
      return null;
    case 'evaluate':
      return evaluationWork(config, recipe);
    case 'generate': {
      const path = pathWithout(config, checkDropSet(recipe.drop, config.nBlocks));
      const tokensPerWindow = Math.ceil(recipe.prompt.length / bytesPerToken) + 1 + recipe.maxTokens;
      return { nWindows: 1, tokensPerWindow, ...plain, path };
    }
  }
}

/** Requests are packed to about as many tokens as windows of text. */
function evaluationWork(config: ModelConfig, { tasks, items, fewShot, drops }: EvaluateRecipe): Work {
  const nWindows = Math.max(1, Math.ceil(evaluationTokens(tasks, items, fewShot) / packedTokens));
  const more = { blockRuns: (drops.length * config.nBlocks) / 2, headRuns: drops.length };
  const nVariants = Math.min(drops.length, pathsAtOnce);
  return { nWindows, tokensPerWindow: packedTokens, keepStates: false, nVariants, more };
}

const packedTokens = 512;

/** The time of all its steps, and the memory of the largest that reads the base: the analysis, or the first healing. */
async function plannedStudy(
  recipe: StudyRecipe,
  checkpoint: Checkpoint,
  limitBytes: number,
): Promise<{ plan: MemoryPlan; cost: Cost }> {
  const { config } = checkpoint;
  const steps = planStudy(recipe, summarize(checkpoint), supposedSets(recipe));
  const healing = steps.steps.flatMap(({ recipe: each }) => (each.kind === 'heal' ? [each] : []))[0];
  const healed = healing && (await shapeOfHealing(healing, checkpoint));
  const shapes = {
    source: await shapeOf(recipe.source, checkpoint),
    perplexity: recipe.perplexity && (await shapeOf(recipe.perplexity, checkpoint)),
    heldOut: healed?.heldOut ?? null,
  };
  const told = estimateStudy(config, steps, shapes, 1, () => false);
  const operations = told.steps.reduce((sum, step) => sum + step.operations, 0);
  const analysis = (await plannedWork(analysisStep(recipe).recipe, checkpoint, limitBytes))!;
  const training = healing && healed ? planHealing(config, healing, healed, limitBytes).plan : null;
  const plan = training && training.totalBytes > analysis.plan.totalBytes ? training : analysis.plan;
  return { plan, cost: { ...analysis.cost, operations } };
}

/** Items of data are taken to be as long as they may be. */
async function shapeOfHealing(recipe: HealRecipe, checkpoint: Checkpoint): Promise<HealShape> {
  const { data, loop, adapter } = recipe;
  const modules = adaptedModules(checkpoint.config, adapter, checkpoint.provenance);
  const text = { kind: 'text' as const, windows: null, atMost: true, sampling: 'consecutive' as const, ...data };
  const ofData = await shapeOf(text, checkpoint);
  const share = data.order === 'sequential' ? 0 : data.heldOutFraction;
  return {
    tokensPerWindow: data.tokens,
    nAdapterParameters: modules.reduce(
      (n, { rank, inFeatures, outFeatures }) => n + rank * (inFeatures + outFeatures),
      0,
    ),
    heldOut: loop.heldOut
      ? await shapeOf(loop.heldOut, checkpoint)
      : { nWindows: Math.ceil(share * ofData.nWindows), tokensPerWindow: data.tokens },
  };
}

/** About what tokenizers make of English text. Nothing is tokenised for a plan; the run itself plans exactly. */
const bytesPerToken = 4;

async function shapeOf(
  source: TokenSource,
  { config }: Checkpoint,
): Promise<{ nWindows: number; tokensPerWindow: number }> {
  if (source.kind === 'ids') {
    const { contextLength, vocabularySize } = config;
    const { windows } = await readTokenWindows(source, null, { contextLength, vocabularySize });
    return { nWindows: windows.length, tokensPerWindow: windows[0]!.length };
  }
  let nBytes = 0;
  for (const file of source.files) {
    const stats = await stat(file).catch(() => null);
    if (!stats?.isFile()) throw new UserError('notFound', `There is no file ${file}; choose another text.`);
    nBytes += stats.size;
  }
  const there = Math.max(1, Math.floor((nBytes / bytesPerToken - source.start) / source.tokens));
  const nWindows = source.windows === null ? there : source.atMost ? Math.min(there, source.windows) : source.windows;
  return { nWindows, tokensPerWindow: source.tokens };
}

/** Writing goes weight by weight. */
function writingOnly({
  weights,
}: Checkpoint): Pick<PlanEstimate, 'memory' | 'nWindows' | 'nTokens' | 'bytes' | 'totalBytes' | 'estimatedSeconds'> {
  const largestBytes = Math.max(
    ...[...weights.values()].map(({ shape }) => 4 * shape.reduce((n, side) => n * side, 1)),
  );
  const bytes = { weights: largestBytes, states: 0, activations: 0, processes: processBytes };
  return {
    memory: 'streaming',
    nWindows: 0,
    nTokens: 0,
    bytes,
    totalBytes: bytes.weights + bytes.processes,
    estimatedSeconds: null,
  };
}
