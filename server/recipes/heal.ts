// heal: trains a LoRA adapter on a pruned model, judges it beside the pruned and the dense one, and keeps the best.
import type { Adapter } from '../checkpoint/adapter';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { checkOutput } from '../checkpoint/stagedFolder';
import { openOrder } from '../data/itemOrder';
import type { AdapterSummary, HealRecipe, HealReport } from '../protocol';
import { type AdapterState, openAdapterState } from '../training/adapterState';
import { type CountedWindow, weightedBatches } from '../training/batches';
import { heldOutLoss } from '../training/heldOut';
import { type LoopEnd, lossPoint, type Trainee, trainLoop } from '../training/loop';
import { trainStep } from '../training/step';
import type { Model } from '../walk/model';
import { planWalk } from '../walk/memoryPlan';
import type { TrainingPlan } from '../walk/trainingPlan';
import { openControl } from './healControl';
import { denseLoss, taughtItems } from './healDense';
import { createHealFolder, type HealFolder, type Recorded, resumeHealFolder } from './healFolder';
import { begunBy } from './healIdentity';
import { checkHealing, gather, type Material } from './healMaterial';
import { type HealShape, planHealing } from './healPlan';
import { summarize } from './modelSummary';
import { peakMemoryBytes } from './processMemory';
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
} from './session';

export const runHeal = (recipe: HealRecipe, run: Run): Promise<HealReport> =>
  withCheckpoint(recipe.model, async (checkpoint) => {
    checkHealing(recipe);
    if (!recipe.resume) await checkOutput(recipe.out, [checkpoint.folder]);
    const material = await gather(checkpoint, recipe);
    const { plan, cost } = planHealing(checkpoint.config, recipe, shapeOf(material), limitOf(recipe.compute));
    const folder = await openFolder(checkpoint, recipe, material);
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

/** The folder of the run with what is known of it. */
function openFolder(checkpoint: Checkpoint, recipe: HealRecipe, material: Material): Promise<HealFolder> {
  const begun = begunBy(recipe, material.data.report, versions());
  if (recipe.resume) return resumeHealFolder(recipe, begun);
  return createHealFolder(recipe, begun, adapterFile(checkpoint, material, material.initial));
}

interface Ready extends Material {
  /** What the order of the run picks from; with a teacher's expectations where it distils. */
  readonly training: readonly CountedWindow[];
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
  const adapter = await openAdapterState(device, material.modules, material.initial);
  try {
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
            const remainingSeconds = remaining(recipe, material, step.step, step.tokensPerSecond);
            run.emit({ kind: 'step', step, remainingSeconds, memoryBytes: process.memoryUsage().rss });
            progress(run, 'heal')((step.step + 1) / recipe.loop.steps);
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
    const summary = summaryOf(material, await normB(adapter));
    return {
      ...reportOf(checkpoint, recipe, material, result),
      adapter: summary,
      steps,
      evals,
      ...references,
      ...facts,
      warning: warningOf(result, summary),
      peakMemoryBytes: peakMemoryBytes(),
    };
  } finally {
    adapter.dispose();
  }
}

const reportOf = (
  checkpoint: Checkpoint,
  { out, objective, optimizer }: HealRecipe,
  { data }: Material,
  { progress: { best, step }, stoppedBy }: LoopEnd,
) => ({
  kind: 'heal' as const,
  model: summarize(checkpoint),
  out,
  data: data.report,
  objective,
  optimizer,
  healed: best && lossPoint(best.lossNats),
  bestStep: best?.step ?? step,
  stoppedBy,
});

function warningOf({ stoppedBy, progress: { best, step } }: LoopEnd, adapter: AdapterSummary): string | null {
  if (stoppedBy === 'divergence')
    return `The loss was lost after ${step} steps: it was no number, or worse than guessing. The adapter of step ${best?.step ?? step} is kept; begin again with a smaller --lr, or a longer --warmup.`;
  if (adapter.normB === 0)
    return 'The adapter did not change, so that the healed model is the pruned one; take more steps, or a larger --lr.';
  if (best?.step === 0 && step > 0)
    return 'No step made the held-out loss better, so that the adapter is the one that it began with; try a smaller --lr, or other data.';
  return null;
}

function traineeOf(
  model: Model,
  judging: Model,
  adapter: AdapterState,
  plan: TrainingPlan,
  { data, loop, optimizer, adapter: { dropout } }: HealRecipe,
  { training, heldOut }: Ready,
  { signal }: Run,
): Trainee {
  const order = openOrder(data.order, training.length, data.seed);
  const perStep = loop.microBatchWindows * loop.accumulate;
  return {
    guessingNats: Math.log(model.config.vocabularySize),
    async step(step) {
      const items = Array.from({ length: perStep }, (_, i) => training[order.at(step * perStep + i)]!);
      const began = performance.now();
      const result = await trainStep(model, adapter, weightedBatches(items, loop.microBatchWindows), step, {
        optimizer,
        steps: loop.steps,
        seed: data.seed,
        dropout,
        activations: plan.keeps,
        batchesAtOnce: plan.batchesAtOnce,
        signal,
      });
      const nTokens = items.reduce((sum, { ids }) => sum + ids.length, 0);
      return { ...result, tokensPerSecond: nTokens / ((performance.now() - began) / 1000) };
    },
    judge: heldOut.length === 0 ? null : () => heldOutLoss(judging, heldOut, { adapters: adapter, signal }),
  };
}

/** The same model with a plan for the windows that it is judged on. */
function judgingModel(model: Model, { heldOut }: Material): Model {
  if (heldOut.length === 0) return model;
  const tokensPerWindow = Math.max(...heldOut.map(({ ids }) => ids.length));
  const memory = model.plan.mode;
  const limitBytes = Number.POSITIVE_INFINITY;
  const request = { nWindows: heldOut.length, tokensPerWindow, keepStates: false, memory, limitBytes };
  return { ...model, plan: planWalk(model.config, request) };
}

/** What a resumed run knows already is told again, so that whoever listens has all of it. */
function replay({ steps, evals }: Recorded, recipe: HealRecipe, run: Run): void {
  for (const evaluation of evals) run.emit({ kind: 'evaluation', evaluation });
  for (const step of steps)
    run.emit({ kind: 'step', step, remainingSeconds: 0, memoryBytes: process.memoryUsage().rss });
  if (steps.length > 0) progress(run, 'heal')(steps.length / recipe.loop.steps);
}

const shapeOf = ({ tokensPerWindow, nParameters, heldOut }: Material): HealShape => ({
  tokensPerWindow,
  nAdapterParameters: nParameters,
  heldOut: { nWindows: heldOut.length, tokensPerWindow: Math.max(0, ...heldOut.map(({ ids }) => ids.length)) },
});

function remaining({ loop }: HealRecipe, { meanTokens }: Material, step: number, tokensPerSecond: number): number {
  const tokens = (loop.steps - step - 1) * loop.microBatchWindows * loop.accumulate * meanTokens;
  return tokens / tokensPerSecond;
}

const summaryOf = ({ modules, form, nParameters }: Material, norm: number): AdapterSummary => ({
  nParameters,
  rank: form.rank,
  alpha: form.alpha,
  targets: [...new Set(modules.map(({ target }) => target))],
  blocks: [...new Set(modules.map(({ block }) => block))],
  normB: norm,
});

async function normB(adapter: AdapterState): Promise<number> {
  let squares = 0;
  for (const { b } of (await adapter.matrices()).values()) for (const x of b) squares += x * x;
  return Math.sqrt(squares);
}

const adapterFile = (checkpoint: Checkpoint, { form, modules }: Material, tensors: Adapter['tensors']): Adapter => ({
  options: form,
  modules,
  tensors,
  nBlocks: checkpoint.config.nBlocks,
  baseModelNameOrPath: checkpoint.folder,
});
