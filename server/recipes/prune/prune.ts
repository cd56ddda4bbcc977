// prune: choose blocks by a rule and write the checkpoint without them.
import { withStoredCheckpoint } from '../../execution/storedWeights';
import { importanceMethod } from '../../shared/methods';
import type { Checkpoint } from '../../checkpoint/checkpoint';
import { checkStagedFile, writeStagedFile } from '../../checkpoint/stagedFile';
import { checkOutput } from '../../checkpoint/stagedFolder';
import { writeWithoutBlocks } from '../../checkpoint/surgery';
import { UserError } from '../../errors';
import { checkRule, type Choice, choose } from '../../pruning/choose';
import { ofBlocks } from '../../shared/dropSets';
import { toMergekitYaml } from '../../pruning/mergekit';
import type { NarrowerMlps } from '../../checkpoint/narrowerMlps';
import { resolvedRule } from '../../pruning/budgetRule';
import { narrowerMlps, needsText, widthAsked } from './channels';
import type { DropRule, DropSet, Dtype } from '../../protocol/recipes';
import { sizeOf, sizesOf } from '../../shared/budget';
import type { PruneRecipe, PruneReport } from './recipe';
import { type Measured, measureImportance } from '../analyze/analyze';
import { afterWriting } from '../afterWriting';
import { droppedFields, summarize } from '../modelSummary';
import { runPerplexity } from '../perplexity/perplexity';
import { peakMemoryBytes } from '../processMemory';
import { repairLinear } from '../repair';
import { noTime, nothingHeld, progress, type Run, runFacts, versions, warnOfDifferences } from '../recipeContext';
import { scoresForRule } from '../work';

export const runPrune = (recipe: PruneRecipe, run: Run): Promise<PruneReport> =>
  withStoredCheckpoint(recipe.model, recipe.compute.weights, async (checkpoint) => {
    await checkOutput(recipe.out, [checkpoint.folder]);
    warnOfDifferences(checkpoint, run);
    if (recipe.mergekit) await checkStagedFile(recipe.mergekit, recipe.out);
    const model = summarize(checkpoint);
    const sizes = sizesOf(model, recipe);
    const { rule, met } = resolvedRule(recipe.rule, () => sizes);
    const mlpWidth = widthAsked(recipe.mlpWidth, met, model.mlpWidth);
    if (mlpWidth !== null && !recipe.source) throw needsText();
    if (met?.fitting.nearest) run.emit({ kind: 'warning', text: met.fitting.nearest });
    const measured = await measure(checkpoint, rule, recipe, run);
    const choice = choose(rule, model.nBlocks, measured?.analysis ?? { methods: {} });
    refuseForMergekit(recipe, choice.drop, mlpWidth);
    const repaired = recipe.repair ? await repairLinear(checkpoint, choice.drop, recipe.repair, recipe, run) : null;
    const narrower = mlpWidth === null ? null : await narrowerMlps(checkpoint, choice.drop, mlpWidth, recipe, run);
    const decided = { rule, choice, measured, repaired, narrower };
    const before = await lossBefore(checkpoint, recipe, decided, run);
    const { written, writeMs } = await write(checkpoint, recipe, decided, run);
    const losses = before && (await withLossAfter(recipe, before, run));
    const nDropped = model.nBlocks - written.keptBlocks.length;
    const facts = repaired?.facts ?? measured?.facts ?? runFacts(recipe.compute, null, nothingHeld, noTime);
    const timing = { ...facts.timing, writeMs };
    return {
      kind: 'prune',
      model,
      out: written.folder,
      rule,
      ...droppedFields(choice.drop),
      ...(losses?.channels && { channels: losses.channels }),
      ...(met && { budget: { ...met.budget, fitting: met.fitting } }),
      repair: repaired?.report ?? null,
      keptBlocks: [...written.keptBlocks],
      removedBlocks: [...written.provenance.removedBlocks],
      nParamsBefore: model.nParameters,
      nParamsAfter: sizeOf(sizes, nDropped, mlpWidth ?? model.mlpWidth).parameters,
      sizeBytesBefore: checkpoint.sizeBytes,
      sizeBytesAfter: written.weightBytes,
      weightFiles: [...written.weightFiles],
      rounding: losses?.rounding ?? null,
      ...facts,
      timing,
      peakMemoryBytes: peakMemoryBytes(),
    };
  });

function refuseForMergekit({ mergekit }: PruneRecipe, drop: DropSet, mlpWidth: number | null): void {
  if (!mergekit) return;
  if (drop.attention.length > 0 || drop.mlp.length > 0)
    throw new UserError('usage', 'mergekit knows no sublayers; leave out --mergekit, or drop whole blocks only.');
  if (mlpWidth !== null)
    throw new UserError('usage', 'mergekit knows no channels; leave out --mergekit, or drop whole blocks only.');
}

/** What was decided before anything is written. */
interface Decided {
  readonly rule: DropRule;
  readonly choice: Choice;
  readonly measured: Measured | null;
  readonly repaired: Awaited<ReturnType<typeof repairLinear>> | null;
  readonly narrower: NarrowerMlps | null;
}

async function write(checkpoint: Checkpoint, recipe: PruneRecipe, decided: Decided, run: Run) {
  const { rule, choice, measured, repaired, narrower } = decided;
  const writing = progress(run, 'write');
  const began = performance.now();
  const written = await writeWithoutBlocks(checkpoint, {
    drop: choice.drop,
    ...(narrower && { narrower }),
    out: recipe.out,
    dtype: recipe.dtype,
    replaced: (name) => (repaired?.weights.has(name) ? Promise.resolve(repaired.weights.get(name)!) : null),
    ...(recipe.maxShardBytes !== null && { maxShardBytes: recipe.maxShardBytes }),
    provenance: {
      rule,
      scores: choice.scores,
      order: choice.order,
      calibration: measured?.source ?? null,
      ...(repaired && { repair: repaired.report }),
      versions: versions(),
    },
    onProgress: (done, total) => writing(done / total),
    signal: run.signal,
  });
  if (recipe.mergekit) {
    const yaml = toMergekitYaml(recipe.model, checkpoint.config.nBlocks, choice.drop.blocks, recipe.dtype);
    await writeStagedFile(recipe.mergekit, yaml);
  }
  return { written, writeMs: performance.now() - began };
}

/** The scores that the rule asks for; nothing is computed for blocks given by hand or by depth. */
async function measure(
  checkpoint: Checkpoint,
  rule: DropRule,
  { source, compute }: PruneRecipe,
  run: Run,
): Promise<Measured | null> {
  const { nBlocks } = checkpoint.config;
  if (rule.kind !== 'method') {
    choose(rule, nBlocks, { methods: {} }); // refused before anything is read
    return null;
  }
  const { methods, measure } = scoresForRule(rule);
  if (!source) throw new UserError('usage', `The method ${rule.method} needs a text: add --text FILE or --ids FILE.`);
  if (methods[0]) checkRule(rule, nBlocks, importanceMethod(methods[0]).of);
  return measureImportance(checkpoint, { source, methods, measure, stay: false, compute }, run);
}

type Losses = Pick<PruneReport, 'channels'> & { readonly rounding: NonNullable<PruneReport['rounding']> | null };

/**
 * Of the model that will be written, with all channels and in float32; null where nothing is rounded and no channel goes. A loss
 * that is not finite ends it here.
 */
async function lossBefore(
  { config }: Checkpoint,
  recipe: PruneRecipe,
  { choice, repaired, narrower }: Decided,
  run: Run,
): Promise<Losses | null> {
  const dtype = recipe.dtype ?? (config.dtype.toLowerCase() as Dtype);
  const isOfSource = recipe.dtype === null || dtype === config.dtype.toLowerCase();
  const keepsAll = dtype === 'f32' || (isOfSource && (config.dtype === 'F64' || !repaired));
  if (keepsAll && !narrower) return null;
  const lossNatsBefore = repaired?.report.lossAfter ?? (await lossOf(recipe.model, choice.drop, recipe, run));
  const losses = { lossNatsBefore, lossNatsAfter: null };
  return {
    rounding: keepsAll ? null : { dtype, ...losses },
    ...(narrower && { channels: { before: config.mlpWidth, after: narrower.width, ...losses } }),
  };
}

/** What narrower weights and fewer channels cost on the text, if there is one. */
async function withLossAfter(recipe: PruneRecipe, { rounding, channels }: Losses, run: Run): Promise<Losses> {
  const after = await afterWriting(recipe.out, () => lossOf(recipe.out, ofBlocks([]), recipe, run), run);
  const found = 'reason' in after ? { notMeasured: after.reason } : { lossNatsAfter: after.value };
  return {
    rounding: rounding && { ...rounding, ...found },
    ...(channels && { channels: { ...channels, ...found } }),
  };
}

/** null without a text. */
async function lossOf(
  model: string,
  drop: DropSet,
  { source, compute }: PruneRecipe,
  run: Run,
): Promise<number | null> {
  if (source === null) return null;
  const recipe = { kind: 'perplexity' as const, models: [model], drop, source, compute };
  return (await runPerplexity(recipe, run)).models[0]!.lossNats;
}
