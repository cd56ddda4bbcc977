// sparsify: magnitude pruning of single weights, the baseline that the field starts from. The model keeps its size and form.
import { withCheckpoint } from '../../checkpoint/checkpoint';
import { readFinite } from '../../checkpoint/notFiniteWeight';
import { checkOutput } from '../../checkpoint/stagedFolder';
import { writeWithoutBlocks } from '../../checkpoint/surgery';
import { UserError } from '../../errors';
import { parseBlockWeightName } from '../../model/weights';
import { ofBlocks } from '../../shared/dropSets';
import { zeroSmallest } from '../../pruning/magnitude';
import type { SparsifyRecipe, SparsifyReport } from './recipe';
import { afterWriting } from '../afterWriting';
import { summarize } from '../modelSummary';
import { runPerplexity } from '../perplexity/perplexity';
import { peakMemoryBytes } from '../processMemory';
import { noTime, nothingHeld, progress, type Run, runFacts, versions, warnOfDifferences } from '../recipeContext';

/** One matrix at a time: a block's projections, not its norms, nor the embedding and the head. */
export const runSparsify = (recipe: SparsifyRecipe, run: Run): Promise<SparsifyReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => {
    const { ratio, out, dtype, source, compute } = recipe;
    warnOfDifferences(checkpoint, run);
    if (!(ratio >= 0 && ratio < 1))
      throw new UserError(
        'usage',
        `A ratio of ${ratio} makes no sense; give --ratio a share from 0 up to 1, such as 0.3.`,
      );
    await checkOutput(out, [checkpoint.folder]);
    const lossOf = async (folder: string) => {
      if (!source) return null;
      const wanted = { models: [folder], drop: ofBlocks([]), source, compute };
      return (await runPerplexity({ kind: 'perplexity', ...wanted }, run)).models[0]!.lossNats;
    };
    const lossBefore = await lossOf(recipe.model);
    const matrices: SparsifyReport['matrices'] = [];
    const writing = progress(run, 'write');
    const began = performance.now();
    const written = await writeWithoutBlocks(checkpoint, {
      drop: ofBlocks([]),
      out,
      dtype,
      numbers: 'finite',
      ...(recipe.maxShardBytes !== null && { maxShardBytes: recipe.maxShardBytes }),
      replaced: (name) => (isProjection(name) ? sparsified(name) : null),
      provenance: { kind: 'sparsify', ratio, versions: versions() },
      onProgress: (done, total) => writing(done / total),
      signal: run.signal,
    });
    const writeMs = performance.now() - began;
    const after = await afterWriting(out, () => lossOf(out), run);
    const sum = (of: (matrix: (typeof matrices)[number]) => number) =>
      matrices.reduce((n, matrix) => n + of(matrix), 0);
    return {
      kind: 'sparsify',
      model: summarize(checkpoint),
      out: written.folder,
      ratio,
      nZeroed: sum((matrix) => matrix.nZeroed),
      nConsidered: sum((matrix) => matrix.nWeights),
      matrices,
      lossBefore,
      ...('reason' in after ? { lossAfter: null, notMeasured: after.reason } : { lossAfter: after.value }),
      weightFiles: [...written.weightFiles],
      ...runFacts(compute, null, nothingHeld, { ...noTime, writeMs }),
      peakMemoryBytes: peakMemoryBytes(),
    };

    async function sparsified(name: string): Promise<Float32Array> {
      const weights = await readFinite(checkpoint, name);
      matrices.push({ name, nWeights: weights.length, ...zeroSmallest(weights, ratio) });
      return weights;
    }
  });

const isProjection = (name: string): boolean => /_proj\.weight$/.test(parseBlockWeightName(name)?.suffix ?? '');
