// The original model's part in a healing: its held-out loss, which is the line to reach, and its predictions where a run
// distils. It is open only for that, before the pruned model is.
import { withStoredCheckpoint } from '../../execution/storedWeights';
import { openOrder } from '../../data/itemOrder';
import type { HealRecipe } from './recipe';
import type { Device } from '../../runtime/device';
import type { CountedSequence } from '../../training/batches';
import { heldOutLoss } from '../../training/heldOut';
import { withTargets } from '../../training/teacher';
import type { Model } from '../../execution/model';
import type { Recorded } from './metricsFile';
import type { TrainingInputs } from './trainingInputs';
import { progress, type Run, withModel } from '../recipeContext';

/** On the sequences that the healed model will be evaluated on; null where no original is known, or nothing is held out. */
export async function originalLoss(
  device: Device,
  recipe: HealRecipe,
  { original, heldOut }: TrainingInputs,
  { references }: Recorded,
  run: Run,
): Promise<number | null> {
  if (references) return references.dense?.lossNats ?? null;
  if (original === null || heldOut.length === 0) return null;
  return withOriginal(device, recipe, original, heldOut, run, (model) =>
    heldOutLoss(model, heldOut, { signal: run.signal, onProgress: progress(run, 'original model') }),
  );
}

/** The training items; where the run distils, those that it will come to have the teacher's targets. */
export async function withTeacherTargets(
  device: Device,
  recipe: HealRecipe,
  { original, data: { training } }: TrainingInputs,
  run: Run,
): Promise<readonly CountedSequence[]> {
  const { objective, loop, data } = recipe;
  if (objective.kind !== 'distillation' || original === null) return training;
  const order = openOrder(data.order, training.length, data.seed);
  const nTaken = loop.steps * loop.microBatchSequences * loop.accumulate;
  const places = [...new Set(Array.from({ length: nTaken }, (_, position) => order.at(position)))];
  const items: CountedSequence[] = [...training];
  const chosen = places.map((place) => training[place]!);
  const { topK, temperature } = objective;
  const options = { topK, temperature, signal: run.signal, onProgress: progress(run, 'teacher') };
  const found = await withOriginal(device, recipe, original, chosen, run, (model) =>
    withTargets(model, chosen, options),
  );
  for (const [i, place] of places.entries()) items[place] = found[i]!;
  return items;
}

async function withOriginal<T>(
  device: Device,
  { compute }: HealRecipe,
  folder: string,
  items: readonly CountedSequence[],
  run: Run,
  body: (model: Model) => Promise<T>,
): Promise<T> {
  const tokensPerSequence = Math.max(...items.map(({ ids }) => ids.length));
  const work = { nSequences: items.length, tokensPerSequence, keepStates: false };
  const result = await withStoredCheckpoint(folder, compute.weights, (checkpoint) =>
    withModel(checkpoint, device, compute, work, run, (model) => body(model)),
  );
  // Programs are compiled for one model's shapes.
  await device.forgetPrograms();
  return result;
}
