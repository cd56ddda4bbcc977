// merge: folds a LoRA adapter into the weights that it is for, so that every program can load the result.
import { basename, resolve } from 'node:path';
import { withCheckpoint } from '../../checkpoint/checkpoint';
import { isPartOfAdapter, readAdapter } from '../../checkpoint/adapter';
import { adapterSha256, baseWarning } from '../../checkpoint/adapterBase';
import type { LowRank } from '../../checkpoint/adapterTensors';
import { narrowInto, widenInto } from '../../checkpoint/dtype';
import { readFinite } from '../../checkpoint/notFiniteWeight';
import { checkOutput } from '../../checkpoint/stagedFolder';
import { writeWithoutBlocks } from '../../checkpoint/surgery';
import { sourceIdentityOf } from '../../checkpoint/sourceIdentity';
import { type AdaptedModule, moduleKey } from '../../model/adapter';
import type { WeightDtype } from '../../model/config';
import type { MergeRecipe, MergeReport } from './recipe';
import { ofBlocks } from '../../shared/dropSets';
import { summarize } from '../modelSummary';
import { peakMemoryBytes } from '../processMemory';
import { noTime, nothingHeld, progress, type Run, runFacts, versions, warnOfDifferences } from '../recipeContext';

/** One weight at a time; the adapter is held whole. */
export const runMerge = (recipe: MergeRecipe, run: Run): Promise<MergeReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => {
    const { out, dtype, compute } = recipe;
    warnOfDifferences(checkpoint, run);
    const adapterFolder = resolve(recipe.adapter);
    const adapterFiles = await sourceIdentityOf(adapterFolder, isPartOfAdapter);
    const adapter = await readAdapter(adapterFolder, checkpoint.config);
    await checkOutput(out, [checkpoint.folder, adapterFolder]);
    const warning = await baseWarning(adapterFolder, adapter.baseModelNameOrPath, checkpoint);
    const modules = new Map(adapter.modules.map((module) => [`${moduleKey(module)}.weight`, module]));
    const merged: { squaredChange: number; squaredRounding: number }[] = [];
    const writing = progress(run, 'write');
    const began = performance.now();
    const written = await writeWithoutBlocks(checkpoint, {
      drop: ofBlocks([]),
      out,
      dtype,
      numbers: 'finite',
      ...(recipe.maxShardBytes !== null && { maxShardBytes: recipe.maxShardBytes }),
      replaced: (name) => (modules.has(name) ? mergedWeight(name, modules.get(name)!) : null),
      provenance: {
        kind: 'merge',
        adapter: basename(adapterFolder),
        adapterSha256: await adapterSha256(adapterFolder),
        options: adapter.options,
        versions: versions(),
      },
      onProgress: (done, total) => writing(done / total),
      signal: run.signal,
      others: [adapterFiles],
    });
    const writeMs = performance.now() - began;
    const changed = merged.filter(({ squaredChange }) => squaredChange > 0);
    const norm = (of: (weight: (typeof merged)[number]) => number) =>
      Math.sqrt(changed.reduce((sum, weight) => sum + of(weight), 0));
    return {
      kind: 'merge',
      model: summarize(checkpoint),
      adapter: adapterFolder,
      out: written.folder,
      nMerged: changed.length,
      roundingShare: changed.length === 0 ? 0 : norm((it) => it.squaredRounding) / norm((it) => it.squaredChange),
      weightFiles: [...written.weightFiles],
      warning,
      ...runFacts(compute, null, nothingHeld, { ...noTime, writeMs }),
      peakMemoryBytes: peakMemoryBytes(),
    };

    async function mergedWeight(name: string, module: AdaptedModule): Promise<Float32Array> {
      const weight = await readFinite(checkpoint, name);
      const squaredChange = addLowRank(weight, module, adapter.tensors.get(moduleKey(module))!);
      const to = dtype === null ? checkpoint.weights.get(name)!.dtype : (dtype.toUpperCase() as WeightDtype);
      merged.push({ squaredChange, squaredRounding: squaredRounding(weight, to) });
      return weight;
    }
  });

/**
 * W += scaling B A in place, row by row; W [out, in], B [out, R], A [R, in]. Each row is summed in float64.
 * PEFT: src/peft/tuners/lora/layer.py, get_delta_weight.
 * @returns the squared L2 norm of scaling B A
 */
export function addLowRank(weight: Float32Array, module: AdaptedModule, { a, b }: LowRank): number {
  const { rank: R, inFeatures, outFeatures, scaling } = module;
  const row = new Float64Array(inFeatures);
  let squaredChange = 0;
  for (let o = 0; o < outFeatures; o++) {
    row.fill(0);
    for (let r = 0; r < R; r++) {
      const factor = scaling * b[o * R + r]!;
      const from = r * inFeatures;
      if (factor !== 0) for (let i = 0; i < inFeatures; i++) row[i]! += factor * a[from + i]!;
    }
    const at = o * inFeatures;
    for (let i = 0; i < inFeatures; i++) {
      const change = row[i]!;
      squaredChange += change * change;
      weight[at + i]! += change;
    }
  }
  return squaredChange;
}

/** The squared L2 norm of what narrowing to a dtype changes. */
function squaredRounding(weight: Float32Array, dtype: WeightDtype): number {
  if (dtype === 'F32' || dtype === 'F64') return 0;
  const chunk = 2 ** 16;
  const [halves, back] = [new Uint16Array(chunk), new Float32Array(chunk)];
  let sum = 0;
  for (let start = 0; start < weight.length; start += chunk) {
    const exact = weight.subarray(start, start + chunk);
    narrowInto(dtype, exact, halves);
    widenInto(dtype, halves, back);
    for (let i = 0; i < exact.length; i++) sum += (back[i]! - exact[i]!) ** 2;
  }
  return sum;
}
