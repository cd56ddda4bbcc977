// heal: trains a LoRA adapter on a pruned model, judges it beside the pruned and the dense one, and keeps the best.
import { type Adapter, readAdapter } from '../../checkpoint/adapter';
import type { Checkpoint } from '../../checkpoint/checkpoint';
import { checkOutput } from '../../checkpoint/stagedFolder';
import type { HealRecipe } from './recipe';
import type { HealReport } from '../../protocol/reports';
import { openAdapterState } from '../../training/adapterState';
import { heldOutLoss } from '../../training/heldOut';
import { lossPoint, trainLoop } from '../../training/loop';
import type { Model } from '../../execution/model';
import type { TrainingPlan } from '../../execution/trainingPlan';
import { openControl } from './control';

import { denseLoss, taughtItems } from './original';
import { createHealFolder, type HealFolder, type Recorded, resumeHealFolder, begunIn } from './folder';
import { type Begun, begunBy } from './identity';
import { checkHealing, gather, type Material } from './trainingInputs';
import { type HealShape, planHealing } from './plan';
import { normOfB, remainingSeconds, reportOf, summaryOf, warningOf } from './report';
import { judgingModel, type Ready, traineeOf } from './trainer';
import { peakMemoryBytes } from '../processMemory';
import {
  limitOf,
  noTime,
  progress,
  type Run,
  runFacts,
  timed,
  versions,
  withCheckpoint,
  withDevice,
  withPlannedModel,
} from '../recipeContext';

export const runHeal = (recipe: HealRecipe, run: Run): Promise<HealReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => {
    checkHealing(recipe);
    if (!recipe.resume) await checkOutput(recipe.out, [checkpoint.folder]);
    const material = await gather(checkpoint, recipe);
    const { plan, cost } = planHealing(
      checkpoint.config,
      recipe.resume ? inTheSameWay(recipe, await begunIn(recipe.out)) : recipe,
      shapeOf(material),
      limitOf(recipe.compute),
    );
    const folder = await openFolder(checkpoint, recipe, material, plan);
    run.emit({
      kind: 'healing',
      adapter: summaryOf(material, 0),
      data: material.data.report,
      steps: recipe.loop.steps,
    });
    return withDevice(recipe.compute, async (device) => {
      const dense = await denseLoss(device, recipe, material, folder.recorded, run);
      const training = await taughtItems(device, recipe, material, run);
      return withPlannedModel(checkpoint, device, recipe.compute, plan, cost, run, (model, loadMs) =>
        healOpen(model, plan, recipe, { ...material, training }, folder, dense, loadMs, run),
      );
    });
  });

/** What is left to choose is chosen as it was. */
const inTheSameWay = ({ loop, compute, ...rest }: HealRecipe, { ways }: Begun): HealRecipe => ({
  ...rest,
  loop: { ...loop, activations: loop.activations === 'auto' ? ways.activations : loop.activations },
  compute: { ...compute, memory: compute.memory === 'auto' ? ways.memory : compute.memory },
});

/** The folder of the run with what is known of it. */
function openFolder(
  checkpoint: Checkpoint,
  recipe: HealRecipe,
  material: Material,
  { mode, keeps }: TrainingPlan,
): Promise<HealFolder> {
  const begun = begunBy(recipe, material.data.report, { memory: mode, activations: keeps }, versions());
  if (recipe.resume) return resumeHealFolder(recipe, begun);
  return createHealFolder(recipe, begun, adapterFile(checkpoint, material, material.initial));
}

async function healOpen(
  model: Model,
  plan: TrainingPlan,
  recipe: HealRecipe,
  material: Ready,
  folder: HealFolder,
  dense: number | null,
  loadMs: number,
  run: Run,
): Promise<HealReport> {
  const { device, checkpoint } = model;
  using adapter = await openAdapterState(device, material.modules, material.initial);
  if (folder.tensors) await adapter.load(folder.tensors);
  const steps = [...folder.recorded.steps];
  const evals = [...folder.recorded.evals];
  const judging = judgingModel(model, material);
  const pruned =
    folder.recorded.references?.pruned?.lossNats ??
    (material.heldOut.length > 0 ? await heldOutLoss(judging, material.heldOut, { signal: run.signal }) : null);
  const references = {
    dense: dense === null ? null : lossPoint(dense),
    pruned: pruned === null ? null : lossPoint(pruned),
  };
  if (!folder.recorded.references) await folder.record({ references });
  run.emit({ kind: 'references', ...references });
  replay(folder.recorded, recipe, run);

  const control = openControl(run);
  const publish = async () => folder.publish(adapterFile(checkpoint, material, await adapter.matrices()));
  const { result, elapsedMs, compileMs } = await timed(device, () =>
    trainLoop(
      traineeOf(model, judging, adapter, plan, recipe, material, run),
      recipe.loop,
      { dense, pruned },
      folder.recorded.progress,
      {
        async stepped(step) {
          steps.push(step);
          await folder.record({ step });
          const seconds = remainingSeconds(recipe, material, step.step, step.tokensPerSecond);
          run.emit({ kind: 'step', step, remainingSeconds: seconds, memoryBytes: process.memoryUsage().rss });
          progress(run, 'train')((step.step + 1) / recipe.loop.steps);
        },
        async judged(evaluation) {
          evals.push(evaluation);
          await folder.record({ evaluation });
          run.emit({ kind: 'evaluation', evaluation });
        },
        best: publish,
        save: async (at) => folder.save(at, await adapter.save()),
        stops: control.stops,
      },
    ),
  );
  if (result.progress.best === null) await publish();
  const tokens = steps.length * plan.nTokens;
  const facts = runFacts(recipe.compute, device, plan.mode, { ...noTime, elapsedMs, loadMs, compileMs, tokens });
  const kept = await readAdapter(recipe.out, checkpoint.config);
  const lastNormOfB = normOfB((await adapter.matrices()).values());
  return {
    ...reportOf(checkpoint, recipe, material, result),
    adapter: summaryOf(material, normOfB(kept.tensors.values())),
    steps,
    evals,
    ...references,
    ...facts,
    warning: warningOf(result, lastNormOfB),
    peakMemoryBytes: peakMemoryBytes(),
  };
}

const adapterFile = (checkpoint: Checkpoint, { form, modules }: Material, tensors: Adapter['tensors']): Adapter => ({
  options: form,
  modules,
  tensors,
  nBlocks: checkpoint.config.nBlocks,
  baseModelNameOrPath: checkpoint.folder,
});

const shapeOf = ({ tokensPerWindow, nParameters, heldOut }: Material): HealShape => ({
  tokensPerWindow,
  nAdapterParameters: nParameters,
  heldOut: { nWindows: heldOut.length, tokensPerWindow: Math.max(0, ...heldOut.map(({ ids }) => ids.length)) },
});

/** What a resumed run knows already is told again, so that whoever listens has all of it. */
function replay({ steps, evals }: Recorded, recipe: HealRecipe, run: Run): void {
  for (const evaluation of evals) run.emit({ kind: 'evaluation', evaluation });
  for (const step of steps)
    run.emit({ kind: 'step', step, remainingSeconds: 0, memoryBytes: process.memoryUsage().rss });
  if (steps.length > 0) progress(run, 'train')(steps.length / recipe.loop.steps);
}
