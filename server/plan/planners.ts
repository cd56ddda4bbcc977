// The work of each kind of recipe, from the model's headers and the sizes of files. A kind that is declared as planned by a
// planner of its own has a row here.
import { stat } from 'node:fs/promises';
import { pathsAtOnce } from '../analysis/measuring';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { firstRowOfIds, readTokenSequences } from '../data/tokenSequences';
import { UserError } from '../errors';
import { evaluationTokens } from '../evaluation/taskSizes';
import { withComparison } from '../execution/comparisonPlan';
import type { MemoryLimits } from '../execution/memoryLimits';
import { type MemoryPlan, planExecution, tensorsOf } from '../execution/memoryPlan';
import { adaptedModules } from '../model/adapter';
import type { ModelConfig } from '../model/config';
import { pathWithout } from '../model/path';
import type { DropSet, TokenSource } from '../protocol/recipes';
import type { EvaluateRecipe } from '../recipes/evaluate/recipe';
import { adaptersOf, type HealShape, planHealing } from '../recipes/heal/plan';
import type { HealRecipe } from '../recipes/heal/recipe';
import { type Kind, type KindPlanned, kinds, type Recipe, type RecipeOf } from '../recipes/kinds';
import { summarize } from '../recipes/modelSummary';
import { checkStudy } from '../recipes/study/check';
import { estimateStudy } from '../recipes/study/estimate';
import { countedStudy } from '../recipes/study/counts';
import type { AskedStudy } from '../recipes/study/recipe';
import { analysisStep, planStudy } from '../recipes/study/steps';
import { supposedSets } from '../recipes/study/variants';
import type { PlannedWork } from '../recipes/recipeContext';
import { analysisWork, methodNames, operationsOf, scoresForRule, type Work } from '../recipes/work';
import { resolvedRule } from '../pruning/budgetRule';
import { sizesOf } from '../shared/budget';
import { checkDropSet } from '../shared/dropSets';
import { nullIfMissing } from '../shared/systemErrors';

/** Recipes that compute something. */
export type ComputingRecipe = Exclude<Recipe, { kind: KindPlanned<'nothing'> }>;

/** null: weights are only read and written. */
export async function plannedRun(
  recipe: ComputingRecipe,
  checkpoint: Checkpoint,
  limits: MemoryLimits,
): Promise<PlannedWork | null> {
  const { planned } = kinds[recipe.kind];
  if (planned === 'writing') return null;
  if (planned === 'sequences')
    return plannedSequences(recipe as RecipeOf<KindPlanned<'sequences'>>, checkpoint, limits);
  const planner = planners[recipe.kind as KindPlanned<'own'>] as Planner<Kind>;
  return planner(recipe, checkpoint, limits);
}

type Planner<K extends Kind> = (
  recipe: RecipeOf<K>,
  checkpoint: Checkpoint,
  limits: MemoryLimits,
) => Promise<PlannedWork | null>;

const planners: { [K in KindPlanned<'own'>]: Planner<K> } = {
  async analyze(recipe, checkpoint, limits) {
    const { measure, stay } = recipe;
    const wanted = { methods: methodNames(recipe.methods), measure, stay };
    const shape = await shapeOf(recipe.source, checkpoint);
    return plannedWork(analysisWork(checkpoint.config, shape, wanted, limits), recipe, checkpoint, limits);
  },

  /** What the rule has to measure; nothing where blocks are named. */
  async prune(recipe, checkpoint, limits) {
    const { rule } = resolvedRule(recipe.rule, () => sizesOf(summarize(checkpoint), recipe));
    if (rule.kind !== 'method' || recipe.source === null) return null;
    const wanted = { ...scoresForRule(rule), stay: false };
    const shape = await shapeOf(recipe.source, checkpoint);
    return plannedWork(analysisWork(checkpoint.config, shape, wanted, limits), recipe, checkpoint, limits);
  },

  async generate(recipe, checkpoint, limits) {
    const tokensPerSequence = Math.ceil(recipe.prompt.length / bytesPerToken) + 1 + recipe.maxTokens;
    const work = { nSequences: 1, tokensPerSequence, keepStates: false, path: pathOf(recipe.drop, checkpoint) };
    return plannedWork(work, recipe, checkpoint, limits);
  },

  async heal(recipe, checkpoint, limits) {
    const { config } = checkpoint;
    const shape = await shapeOfHealing(recipe, checkpoint);
    const { plan, cost } = planHealing(config, recipe, shape, limits);
    const compared = shape.heldOut.nSequences > 0 ? shape.heldOut : { ...shape, nSequences: cost.nSequences };
    return { plan: withComparison(plan, config, compared, limits), cost };
  },

  evaluate: async (recipe, checkpoint, limits) =>
    plannedWork(evaluationWork(checkpoint.config, recipe), recipe, checkpoint, limits),

  study: plannedStudy,

  /** Of a short text; texts of reports are planned when they are found. */
  prove: async (recipe, checkpoint, limits) =>
    plannedWork({ nSequences: 1, tokensPerSequence: 64, keepStates: false }, recipe, checkpoint, limits),
};

/** One forward pass over the sequences of a source. */
async function plannedSequences(
  recipe: RecipeOf<KindPlanned<'sequences'>>,
  checkpoint: Checkpoint,
  limits: MemoryLimits,
): Promise<PlannedWork | null> {
  if (recipe.source === null) return null;
  const shape = await shapeOf(recipe.source, checkpoint);
  const path = 'drop' in recipe ? { path: pathOf(recipe.drop, checkpoint) } : {};
  return plannedWork({ ...shape, keepStates: false, ...path }, recipe, checkpoint, limits);
}

const pathOf = (drop: DropSet, { config }: Checkpoint) => pathWithout(config, checkDropSet(drop, config.nBlocks));

function plannedWork(
  work: Work,
  { kind, compute }: ComputingRecipe,
  { config }: Checkpoint,
  limits: MemoryLimits,
): PlannedWork {
  const planned = planExecution(config, { ...work, memory: compute.memory, ...limits });
  // There is no text to compare on where one is to be written.
  const plan = kind === 'generate' ? planned : withComparison(planned, config, work, limits);
  const { nSequences, cacheBytes = 0 } = work;
  return { plan, cost: { nSequences, cacheBytes, operations: operationsOf(config, work) } };
}

/** Requests are packed to about as many tokens as sequences of text. */
function evaluationWork(config: ModelConfig, { tasks, items, fewShot, drops }: EvaluateRecipe): Work {
  const nSequences = Math.max(1, Math.ceil(evaluationTokens(tasks, items, fewShot) / packedTokens));
  const more = { blockRuns: (drops.length * config.nBlocks) / 2, headRuns: drops.length };
  const nVariants = Math.min(drops.length, pathsAtOnce);
  return { nSequences, tokensPerSequence: packedTokens, keepStates: false, nVariants, more };
}

const packedTokens = 512;

/** The time of all its steps, and the memory of the largest that reads the original: the analysis, or the first healing. */
async function plannedStudy(asked: AskedStudy, checkpoint: Checkpoint, limits: MemoryLimits): Promise<PlannedWork> {
  const { config } = checkpoint;
  const model = summarize(checkpoint);
  const { recipe } = countedStudy(asked, model);
  checkStudy(recipe, config.nBlocks);
  const steps = planStudy(recipe, model, supposedSets(recipe));
  const healing = steps.steps.flatMap(({ recipe: each }) => (each.kind === 'heal' ? [each] : []))[0];
  const healed = healing && (await shapeOfHealing(healing, checkpoint));
  const shapes = {
    source: await shapeOf(recipe.source, checkpoint),
    perplexity: recipe.perplexity && (await shapeOf(recipe.perplexity, checkpoint)),
    heldOut: healed?.heldOut ?? null,
  };
  const estimated = estimateStudy(config, steps, shapes, 1, () => false);
  const operations = estimated.steps.reduce((sum, step) => sum + step.operations, 0);
  const analysis = (await planners.analyze(analysisStep(recipe).recipe, checkpoint, limits))!;
  const training = healing && healed ? planHealing(config, healing, healed, limits).plan : null;
  const larger = (a: MemoryPlan, b: MemoryPlan) => tensorsOf(a).totalBytes > tensorsOf(b).totalBytes;
  const plan = training && larger(training, analysis.plan) ? training : analysis.plan;
  return { plan, cost: { ...analysis.cost, operations } };
}

/** Items of data are taken to be as long as they may be. */
async function shapeOfHealing(recipe: HealRecipe, checkpoint: Checkpoint): Promise<HealShape> {
  const { data, loop, adapter } = recipe;
  const modules = adaptedModules(checkpoint.config, adapter, checkpoint.provenance);
  const text = { kind: 'text' as const, sequences: null, atMost: true, sampling: 'consecutive' as const, ...data };
  const ofData = await shapeOf(text, checkpoint);
  const share = data.order === 'sequential' ? 0 : data.heldOutFraction;
  return {
    tokensPerSequence: data.tokens,
    nAdapterParameters: modules.reduce(
      (n, { rank, inFeatures, outFeatures }) => n + rank * (inFeatures + outFeatures),
      0,
    ),
    adapters: adaptersOf(modules, adapter.dropout),
    heldOut: loop.heldOut
      ? await shapeOf(loop.heldOut, checkpoint)
      : { nSequences: Math.ceil(share * ofData.nSequences), tokensPerSequence: data.tokens },
  };
}

/** Large files are not read for a plan: their rows are taken to be as long as the first one. */
const mostIdBytes = 8e6;

async function shapeOfIds(
  source: Extract<TokenSource, { kind: 'ids' }>,
  { contextLength, vocabularySize }: ModelConfig,
): Promise<{ nSequences: number; tokensPerSequence: number }> {
  const stats = await stat(source.file).catch(() => null);
  const first = stats && stats.size > mostIdBytes ? await firstRowOfIds(source.file, mostIdBytes / 8) : null;
  if (stats && first) {
    const there = Math.max(1, Math.floor(stats.size / first.nBytes));
    return { nSequences: Math.min(there, source.sequences ?? there), tokensPerSequence: first.nIds };
  }
  const { sequences } = await readTokenSequences(source, null, { contextLength, vocabularySize });
  return { nSequences: sequences.length, tokensPerSequence: sequences[0]!.length };
}

/** About what tokenizers make of English text. Nothing is tokenised for a plan; the run itself plans exactly. */
const bytesPerToken = 4;

async function shapeOf(
  source: TokenSource,
  { config }: Checkpoint,
): Promise<{ nSequences: number; tokensPerSequence: number }> {
  if (source.kind === 'ids') return shapeOfIds(source, config);
  let nBytes = 0;
  for (const file of source.files) {
    const stats = await stat(file).catch(nullIfMissing);
    if (!stats?.isFile()) throw new UserError('notFound', `There is no file ${file}; choose another text.`);
    nBytes += stats.size;
  }
  const there = Math.max(1, Math.floor((nBytes / bytesPerToken - source.start) / source.tokens));
  const nSequences =
    source.sequences === null ? there : source.atMost ? Math.min(there, source.sequences) : source.sequences;
  return { nSequences, tokensPerSequence: source.tokens };
}
