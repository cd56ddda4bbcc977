// prune: choose blocks by a rule and write the checkpoint without them.
import { analyze, keepsStates } from '../analysis/analyze';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { writeStagedFile } from '../checkpoint/stagedFile';
import { checkOutput } from '../checkpoint/stagedFolder';
import { writeWithoutBlocks } from '../checkpoint/surgery';
import { UserError } from '../errors';
import { type Choice, choose } from '../pruning/choose';
import { toMergekitYaml } from '../pruning/mergekit';
import type { DropRule, MethodScores, PruneRecipe, PruneReport, RunFacts, TokenSourceReport } from '../protocol';
import { methodNames } from './analyze';
import { summarize } from './modelSummary';
import {
  noTime,
  progress,
  type Run,
  runFacts,
  timed,
  versions,
  withCheckpoint,
  withDevice,
  withModel,
} from './session';
import { windowsFor } from './windows';

export const runPrune = (recipe: PruneRecipe, run: Run): Promise<PruneReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => {
    await checkOutput(recipe.out, [checkpoint.folder]);
    const measured = await measure(checkpoint, recipe, run);
    const choice = choose(recipe.rule, checkpoint.config.nBlocks, measured.methods);
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
        calibration: measured.source,
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
    const facts = runFacts(recipe.compute, measured.facts?.device ?? 'none', measured.facts?.memory ?? 'streaming', {
      ...(measured.facts?.timing ?? noTime),
      writeMs: performance.now() - began,
    });
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
    };
  });

interface Measured {
  readonly methods: Record<string, MethodScores>;
  readonly source: TokenSourceReport | null;
  readonly facts: RunFacts | null;
}

/** The scores that the rule asks for; nothing is computed for blocks given by hand or by depth. */
async function measure(checkpoint: Checkpoint, { rule, source, compute }: PruneRecipe, run: Run): Promise<Measured> {
  if (rule.kind !== 'method') {
    choose(rule, checkpoint.config.nBlocks, {}); // refused before anything is read
    return { methods: {}, source: null, facts: null };
  }
  const methods = methodNames([rule.method]);
  if (!source) throw new UserError('usage', `The method ${rule.method} needs a text: add --text FILE or --ids FILE.`);
  refuseCount(rule, checkpoint.config.nBlocks);
  return withDevice(compute, async (device) => {
    const { windows, report, tokenizeMs } = await windowsFor(checkpoint, source);
    const work = { nWindows: windows.length, tokensPerWindow: windows[0]!.length, keepStates: keepsStates(methods) };
    return withModel(checkpoint, device, compute, work, run, async (model, loadMs) => {
      const options = { signal: run.signal, onProgress: progress(run, 'analyze') };
      const { result, elapsedMs, compileMs } = await timed(device, () => analyze(model, windows, methods, options));
      const timing = { ...noTime, elapsedMs, loadMs, compileMs, tokenizeMs, tokens: model.plan.nTokens };
      return {
        methods: result.methods,
        source: report,
        facts: runFacts(compute, device.provider, model.plan.mode, timing),
      };
    });
  });
}

/** A count that no score can make possible is refused before the measuring starts. */
function refuseCount(rule: DropRule & { kind: 'method' }, nBlocks: number): Choice {
  const flat = Array.from({ length: nBlocks }, () => 0);
  const method: MethodScores = { unit: '', of: 'block', paper: '', scores: flat, standardErrors: flat };
  return choose(rule, nBlocks, { [rule.method]: method });
}
