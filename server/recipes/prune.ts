// prune: choose blocks by a rule and write the checkpoint without them.
import { type ImportanceMethodName, importanceMethod } from '../analysis/importance';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { checkStagedFile, writeStagedFile } from '../checkpoint/stagedFile';
import { checkOutput } from '../checkpoint/stagedFolder';
import { writeWithoutBlocks } from '../checkpoint/surgery';
import { UserError } from '../errors';
import { choose } from '../pruning/choose';
import { toMergekitYaml } from '../pruning/mergekit';
import type { DropRule, PruneRecipe, PruneReport } from '../protocol';
import { type Measured, measureImportance, methodNames } from './analyze';
import { summarize } from './modelSummary';
import { peakMemoryBytes } from './processMemory';
import { noTime, progress, type Run, runFacts, versions, withCheckpoint } from './session';

export const runPrune = (recipe: PruneRecipe, run: Run): Promise<PruneReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => {
    await checkOutput(recipe.out, [checkpoint.folder]);
    if (recipe.mergekit) await checkStagedFile(recipe.mergekit, recipe.out);
    const measured = await measure(checkpoint, recipe, run);
    const choice = choose(recipe.rule, checkpoint.config.nBlocks, measured?.analysis.methods ?? {});
    const writing = progress(run, 'write');
    const began = performance.now();
    const written = await writeWithoutBlocks(checkpoint, {
      dropSet: choice.dropSet,
      out: recipe.out,
      dtype: recipe.dtype,
      ...(recipe.maxShardBytes !== null && { maxShardBytes: recipe.maxShardBytes }),
      provenance: {
        rule: recipe.rule,
        scores: choice.scores,
        order: choice.order,
        calibration: measured?.source ?? null,
        versions: versions(),
      },
      onProgress: (done, total) => writing(done / total),
      signal: run.signal,
    });
    if (recipe.mergekit) {
      const yaml = toMergekitYaml(recipe.model, checkpoint.config.nBlocks, choice.dropSet, recipe.dtype);
      await writeStagedFile(recipe.mergekit, yaml);
    }
    const model = summarize(checkpoint);
    const nParamsAfter = model.nParameters - choice.dropSet.length * model.nParametersPerBlock;
    const facts = measured?.facts ?? runFacts(recipe.compute, null, 'streaming', noTime);
    const timing = { ...facts.timing, writeMs: performance.now() - began };
    return {
      kind: 'prune',
      model,
      out: written.folder,
      rule: recipe.rule,
      dropSet: choice.dropSet,
      keptBlocks: [...written.keptBlocks],
      removedBlocks: [...written.provenance.removedBlocks],
      nParamsBefore: model.nParameters,
      nParamsAfter,
      sizeBytesBefore: checkpoint.sizeBytes,
      sizeBytesAfter: written.weightBytes,
      weightFiles: [...written.weightFiles],
      ...facts,
      timing,
      peakMemoryBytes: peakMemoryBytes(),
    };
  });

/** The scores that the rule asks for; nothing is computed for blocks given by hand or by depth. */
async function measure(
  checkpoint: Checkpoint,
  { rule, source, compute }: PruneRecipe,
  run: Run,
): Promise<Measured | null> {
  const { nBlocks } = checkpoint.config;
  if (rule.kind !== 'method') {
    choose(rule, nBlocks, {}); // refused before anything is read
    return null;
  }
  const methods = methodNames([rule.method]);
  if (!source) throw new UserError('usage', `The method ${rule.method} needs a text: add --text FILE or --ids FILE.`);
  refuseCount(rule, methods[0]!, nBlocks);
  return measureImportance(checkpoint, { source, methods, compute }, run);
}

/** A count that no score can make possible is refused before the measuring starts. */
function refuseCount(rule: DropRule & { kind: 'method' }, name: ImportanceMethodName, nBlocks: number): void {
  const { of } = importanceMethod(name);
  const zeros = (n: number) => Array.from({ length: n }, () => 0);
  const scores = of === 'span' ? zeros(nBlocks).map((_, n) => zeros(nBlocks - n)) : zeros(nBlocks);
  choose(rule, nBlocks, { [name]: { unit: '', of, paper: '', scores, standardErrors: scores } });
}
