// perplexity: the loss of one model or several, whole or without a drop set that need not be written first.
import { withStoredCheckpoint } from '../../execution/storedWeights';
import { withCheckpoint } from '../../checkpoint/checkpoint';
import { perplexity } from '../../evaluation/perplexity';
import type { PerplexityRecipe, PerplexityReport } from './recipe';
import { isUserError, type UserError } from '../../errors';
import type { Timing } from '../../protocol/reports';
import { pathWithout } from '../../model/path';
import { checkDropSet } from '../../shared/dropSets';
import { droppedFields } from '../modelSummary';
import {
  noTime,
  nothingHeld,
  progress,
  type Run,
  runFacts,
  timed,
  warnOfDifferences,
  withDevice,
  withModel,
} from '../recipeContext';
import { sequencesFor } from '../sequences';

export const runPerplexity = (recipe: PerplexityRecipe, run: Run): Promise<PerplexityReport> =>
  withDevice(recipe.compute, async (device) => {
    const models: PerplexityReport['models'] = [];
    const lost: { name: string; folder: string; error: UserError }[] = [];
    const total: Timing = { ...noTime };
    /** Of the first model. */
    let held = nothingHeld;
    // The last model is refused before the first is measured.
    for (const folder of recipe.models)
      await withCheckpoint(folder, async ({ config }) => void checkDropSet(recipe.drop, config.nBlocks));
    for (const folder of recipe.models) {
      await withStoredCheckpoint(folder, recipe.compute.weights, async (checkpoint) => {
        warnOfDifferences(checkpoint, run);
        const { nBlocks } = checkpoint.config;
        const drop = checkDropSet(recipe.drop, nBlocks);
        const path = pathWithout(checkpoint.config, drop);
        const { sequences, report: source, tokenizeMs } = await sequencesFor(checkpoint, recipe.source);
        const work = { nSequences: sequences.length, tokensPerSequence: sequences[0]!.length, keepStates: false, path };
        const compared = { ...work, ...(models.length === 0 && { sequences }) };
        await withModel(checkpoint, device, recipe.compute, compared, run, async (model, loaded) => {
          const options = { path, signal: run.signal, onProgress: progress(run, checkpoint.name) };
          const { name, folder: place } = checkpoint;
          const measured = await timed(device, () => orNotFinite(perplexity(model, sequences, source, options)));
          const { result, elapsedMs, compileMs } = measured;
          if (isUserError(result)) return void lost.push({ name, folder: place, error: result });
          models.push({
            name,
            folder: place,
            ...droppedFields(drop),
            nBlocks: nBlocks - drop.blocks.length,
            ...result,
            source,
          });
          if (models.length === 1) held = loaded.held;
          const spent = {
            ...noTime,
            elapsedMs,
            compileMs,
            loadMs: loaded.loadMs,
            tokenizeMs,
            tokens: model.plan.nTokens,
          };
          for (const key of Object.keys(spent) as (keyof Timing)[]) total[key] += spent[key];
        });
      });
      // Programs are compiled for one model's shapes.
      await device.forgetPrograms();
    }
    if (models.length === 0) throw lost[0]!.error;
    const notFinite = lost.map(({ error, ...of }) => ({ ...of, sentence: error.message }));
    const facts = runFacts(recipe.compute, device, held, total);
    return { kind: 'perplexity', models, ...(lost.length > 0 ? { notFinite } : {}), ...facts };
  });

/** The reason where a loss is not finite, since the other models may have one. */
const orNotFinite = <T>(measuring: Promise<T>): Promise<T | UserError> =>
  measuring.catch((error: unknown) => {
    if (isUserError(error) && error.code === 'notFinite') return error;
    throw error;
  });
