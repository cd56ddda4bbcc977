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
import type { DropSet, Dtype } from '../../protocol/recipes';
import type { PruneRecipe, PruneReport, RepairReport } from './recipe';
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
    const measured = await measure(checkpoint, recipe, run);
    const choice = choose(recipe.rule, checkpoint.config.nBlocks, measured?.analysis ?? { methods: {} });
    if (recipe.mergekit && (choice.drop.attention.length > 0 || choice.drop.mlp.length > 0))
      throw new UserError('usage', 'mergekit knows no sublayers; leave out --mergekit, or drop whole blocks only.');
    const repaired = recipe.repair ? await repairLinear(checkpoint, choice.drop, recipe.repair, recipe, run) : null;
    const unrounded = await lossBeforeRounding(checkpoint, recipe, choice.drop, repaired?.report ?? null, run);
    const { written, writeMs } = await write(checkpoint, recipe, { choice, measured, repaired }, run);
    const rounding = unrounded && (await withLossAfter(recipe, unrounded, run));
    const model = summarize(checkpoint);
    const nParamsAfter = model.nParameters - (model.nBlocks - written.keptBlocks.length) * model.nParametersPerBlock;
    const facts = repaired?.facts ?? measured?.facts ?? runFacts(recipe.compute, null, nothingHeld, noTime);
    const timing = { ...facts.timing, writeMs };
    return {
      kind: 'prune',
      model,
      out: written.folder,
      rule: recipe.rule,
      ...droppedFields(choice.drop),
      repair: repaired?.report ?? null,
      keptBlocks: [...written.keptBlocks],
      removedBlocks: [...written.provenance.removedBlocks],
      nParamsBefore: model.nParameters,
      nParamsAfter,
      sizeBytesBefore: checkpoint.sizeBytes,
      sizeBytesAfter: written.weightBytes,
      weightFiles: [...written.weightFiles],
      rounding,
      ...facts,
      timing,
      peakMemoryBytes: peakMemoryBytes(),
    };
  });

/** What was decided before anything is written. */
interface Decided {
  readonly choice: Choice;
  readonly measured: Measured | null;
  readonly repaired: Awaited<ReturnType<typeof repairLinear>> | null;
}

async function write(checkpoint: Checkpoint, recipe: PruneRecipe, { choice, measured, repaired }: Decided, run: Run) {
  const writing = progress(run, 'write');
  const began = performance.now();
  const written = await writeWithoutBlocks(checkpoint, {
    drop: choice.drop,
    out: recipe.out,
    dtype: recipe.dtype,
    replaced: (name) => (repaired?.weights.has(name) ? Promise.resolve(repaired.weights.get(name)!) : null),
    ...(recipe.maxShardBytes !== null && { maxShardBytes: recipe.maxShardBytes }),
    provenance: {
      rule: recipe.rule,
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
  { rule, source, compute }: PruneRecipe,
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

type Rounding = NonNullable<PruneReport['rounding']>;

/** Of the model that will be written, in float32; null where nothing is rounded. A loss that is not finite ends it here. */
async function lossBeforeRounding(
  { config }: Checkpoint,
  recipe: PruneRecipe,
  drop: DropSet,
  repair: RepairReport | null,
  run: Run,
): Promise<Rounding | null> {
  if (config.dtype === 'F64' && recipe.dtype === null) return null;
  const dtype = recipe.dtype ?? (config.dtype.toLowerCase() as Dtype);
  if (dtype === 'f32' || (dtype === config.dtype.toLowerCase() && !repair)) return null;
  const lossNatsBefore = repair?.lossAfter ?? (await lossOf(recipe.model, drop, recipe, run));
  return { dtype, lossNatsBefore, lossNatsAfter: null };
}

/** What narrower weights cost on the text, if there is one. */
async function withLossAfter(recipe: PruneRecipe, before: Rounding, run: Run): Promise<Rounding> {
  const after = await afterWriting(recipe.out, () => lossOf(recipe.out, ofBlocks([]), recipe, run), run);
  if ('reason' in after) return { ...before, notMeasured: after.reason };
  return { ...before, lossNatsAfter: after.value };
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
