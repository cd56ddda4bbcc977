// The dense model's part in a healing: the loss that is to be reached, and what it expects where a run distils. It is open only
// for that, before the pruned model is.
import { openOrder } from '../../data/itemOrder';
import type { HealRecipe } from './recipe';
import type { Device } from '../../runtime/device';
import type { CountedWindow } from '../../training/batches';
import { heldOutLoss } from '../../training/heldOut';
import { taught } from '../../training/teacher';
import type { Model } from '../../execution/model';
import type { Recorded } from './folder';
import type { Material } from './trainingInputs';
import { progress, type Run, withCheckpoint, withModel } from '../recipeContext';

/** On the windows that the healed model will be judged on; null where no dense model is known, or nothing is held out. */
export async function denseLoss(
  device: Device,
  recipe: HealRecipe,
  { dense, heldOut }: Material,
  { references }: Recorded,
  run: Run,
): Promise<number | null> {
  if (references) return references.dense?.lossNats ?? null;
  if (dense === null || heldOut.length === 0) return null;
  return withDense(device, recipe, dense, heldOut, run, (model) =>
    heldOutLoss(model, heldOut, { signal: run.signal, onProgress: progress(run, 'dense model') }),
  );
}

/** The training items; those that the run will come to with the teacher's expectations, where it distils. */
export async function taughtItems(
  device: Device,
  recipe: HealRecipe,
  { dense, data: { training } }: Material,
  run: Run,
): Promise<readonly CountedWindow[]> {
  const { objective, loop, data } = recipe;
  if (objective.kind !== 'distillation' || dense === null) return training;
  const order = openOrder(data.order, training.length, data.seed);
  const nTaken = loop.steps * loop.microBatchWindows * loop.accumulate;
  const places = [...new Set(Array.from({ length: nTaken }, (_, position) => order.at(position)))];
  const items: CountedWindow[] = [...training];
  const chosen = places.map((place) => training[place]!);
  const { topK, temperature } = objective;
  const options = { topK, temperature, signal: run.signal, onProgress: progress(run, 'teacher') };
  const learned = await withDense(device, recipe, dense, chosen, run, (model) => taught(model, chosen, options));
  for (const [i, place] of places.entries()) items[place] = learned[i]!;
  return items;
}

async function withDense<T>(
  device: Device,
  { compute }: HealRecipe,
  folder: string,
  items: readonly CountedWindow[],
  run: Run,
  body: (model: Model) => Promise<T>,
): Promise<T> {
  const tokensPerWindow = Math.max(...items.map(({ ids }) => ids.length));
  const work = { nWindows: items.length, tokensPerWindow, keepStates: false };
  const result = await withCheckpoint(folder, (checkpoint) =>
    withModel(checkpoint, device, compute, work, run, (model) => body(model)),
  );
  // Programs are compiled for one model's shapes.
  await device.forgetPrograms();
  return result;
}
