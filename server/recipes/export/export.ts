// export: a model folder as one GGUF file.
import { type Checkpoint, withCheckpoint } from '../../checkpoint/checkpoint';
import { checkStagedFile } from '../../checkpoint/stagedFile';
import { unknownWindow } from '../../gguf/refusals';
import { writeGguf } from '../../gguf/writeGguf';
import { summarize } from '../modelSummary';
import { peakMemoryBytes } from '../processMemory';
import { progress, type Run, versions, warnOfDifferences } from '../recipeContext';
import type { ExportRecipe, ExportReport } from './recipe';

export const runExport = ({ model, gguf, out }: ExportRecipe, run: Run): Promise<ExportReport> =>
  withCheckpoint(model, async (checkpoint) => {
    const began = performance.now();
    await checkStagedFile(out);
    warnOfDifferences(checkpoint, run);
    const writing = progress(run, 'write');
    const { scoresMissing, storedAsHalves, ...facts } = await writeGguf(checkpoint, {
      out,
      fileType: gguf,
      onProgress: (done, total) => writing(done / total),
      signal: run.signal,
    });
    const window = unknownWindow(checkpoint.config);
    const warnings = [
      ...(window === null
        ? []
        : [
            `llama.cpp knows no sliding window of this family: it computes texts of more than ${window} tokens in another way.`,
          ]),
      ...(scoresMissing
        ? [
            'The folder has no tokenizer.model, so that no token has a score: llama.cpp may cut texts into other tokens than this tokenizer does.',
          ]
        : []),
      ...(storedAsHalves.length > 0
        ? [`${storedAsHalves.length} matrices have rows that are not a multiple of 32 and are stored as f16.`]
        : []),
    ];
    for (const text of warnings) run.emit({ kind: 'warning', text });
    const { espalier, node } = versions();
    return {
      kind: 'export',
      model: summarize(checkpoint),
      gguf,
      out,
      ...facts,
      storedAsHalves: [...storedAsHalves],
      cut: cutOf(checkpoint),
      warnings,
      elapsedMs: performance.now() - began,
      peakMemoryBytes: peakMemoryBytes(),
      versions: { espalier, node },
    };
  });

/** Of a model that whole blocks were taken from, and nothing else was done to. */
function cutOf({ provenance }: Checkpoint): ExportReport['cut'] {
  if (!provenance || provenance.removedBlocks.length === 0) return null;
  const { attention = [], mlp = [] } = provenance.droppedSublayers ?? {};
  const isPlain = provenance.steps.every(
    ({ kind, repair, mlpWidth }) => kind === 'prune' && repair === undefined && mlpWidth === undefined,
  );
  if (!isPlain || attention.length + mlp.length > 0) return null;
  return { original: provenance.baseModel.name, removedBlocks: [...provenance.removedBlocks] };
}
