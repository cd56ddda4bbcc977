// heal: trains a LoRA adapter on a pruned model, evaluates it beside the pruned and the original one, and keeps the best.
import { withStoredCheckpoint } from '../../execution/storedWeights';
import { type Adapter, readAdapter } from '../../checkpoint/adapter';
import { baseRecordOf } from '../../checkpoint/baseRecord';
import type { Checkpoint } from '../../checkpoint/checkpoint';
import { checkOutput } from '../../checkpoint/stagedFolder';
import { UserError } from '../../errors';
import { chosenWidth } from '../../model/storage';
import { allFinite } from '../../shared/finite';
import { limitsOf } from '../../execution/memoryLimits';
import type { TrainingPlan } from '../../execution/trainingPlan';
import type { HealReport, HealRecipe } from './recipe';
import { type AdapterState, openAdapterState } from '../../training/adapterState';
import { heldOutLoss } from '../../training/heldOut';
import { type Listener, type LoopEnd, lossPoint, trainLoop } from '../../training/loop';
import { peakMemoryBytes } from '../processMemory';
import {
  type Loaded,
  noTime,
  progress,
  type Run,
  runFacts,
  timed,
  versions,
  warnOfDifferences,
  withDevice,
  withPlannedModel,
} from '../recipeContext';
import { openControl } from './control';
import { begunIn, createHealFolder, type HealFolder, resumeHealFolder } from './folder';
import type { Recorded } from './metricsFile';
import { type Begun, begunBy } from './identity';
import { originalLoss, withTeacherTargets } from './original';
import { adaptersOf, type HealShape, planHealing } from './plan';
import { normOfB, remainingSeconds, reportOf, summaryOf, warningOf } from './report';
import { evaluationModel, type InTraining, trainerOf } from './trainer';
import { checkHealing, readTrainingInputs, type TrainingInputs } from './trainingInputs';

export async function runHeal(asked: HealRecipe, run: Run): Promise<HealReport> {
  const recipe = await withBegunWidth(asked);
  return withStoredCheckpoint(recipe.model, recipe.compute.weights, async (checkpoint) => {
    checkHealing(recipe);
    warnOfDifferences(checkpoint, run);
    if (!recipe.resume) await checkOutput(recipe.out, [checkpoint.folder]);
    const inputs = await readTrainingInputs(checkpoint, recipe);
    const planned = planHealing(
      checkpoint.config,
      recipe.resume ? asItWasBegun(recipe, await begunIn(recipe.out)) : recipe,
      shapeOf(inputs, recipe),
      await limitsOf(recipe.compute),
    );
    const { plan } = planned;
    const folder = await openFolder(checkpoint, recipe, inputs, plan);
    const { steps } = recipe.loop;
    for (const text of folder.said) run.emit({ kind: 'warning', text });
    run.emit({ kind: 'healing', adapter: summaryOf(inputs, 0), data: inputs.data.report, steps });
    return withDevice(recipe.compute, async (device) => {
      const lossOfOriginal = await originalLoss(device, recipe, inputs, folder.recorded, run);
      const training = await withTeacherTargets(device, recipe, inputs, run);
      const sequences = comparedIn(inputs);
      const compared = { plan, cost: { ...planned.cost, ...(sequences && { sequences }) } };
      return withPlannedModel(checkpoint, device, recipe.compute, compared, run, (model, loaded) => {
        const evaluated = evaluationModel(model, inputs);
        const inTraining = { model, evaluated, plan, recipe, inputs: { ...inputs, training } };
        return train(inTraining, folder, lossOfOriginal, loaded, run);
      });
    });
  });
}

/** A run that goes on in `auto` has the width that it was begun in. Folders of earlier versions do not name it. */
async function withBegunWidth(recipe: HealRecipe): Promise<HealRecipe> {
  if (!recipe.resume || recipe.compute.weights !== 'auto') return recipe;
  const { weights = 'f32' } = (await begunIn(recipe.out)).ways;
  return { ...recipe, compute: { ...recipe.compute, weights } };
}

/** Held-out sequences of the length of the first, else those to train on; null: too short. */
function comparedIn({ heldOut, data: { training } }: TrainingInputs): Int32Array[] | null {
  const of = heldOut.length > 0 ? heldOut : training;
  const tokens = of[0]?.ids.length ?? 0;
  return tokens < 2 ? null : of.map(({ ids }) => ids).filter(({ length }) => length === tokens);
}

/** What is left to choose is chosen as it was. */
const asItWasBegun = ({ loop, compute, ...rest }: HealRecipe, { ways }: Begun): HealRecipe => ({
  ...rest,
  loop: { ...loop, activations: loop.activations === 'auto' ? ways.activations : loop.activations },
  compute: { ...compute, memory: compute.memory === 'auto' ? ways.memory : compute.memory },
});

/** The folder of the run with what is known of it. */
async function openFolder(
  checkpoint: Checkpoint,
  recipe: HealRecipe,
  inputs: TrainingInputs,
  { mode, keeps }: TrainingPlan,
): Promise<HealFolder> {
  const base = await baseRecordOf(checkpoint);
  const begun = begunBy(
    recipe,
    inputs.data.report,
    { memory: mode, activations: keeps, weights: chosenWidth(recipe.compute.weights) },
    base,
    versions(),
  );
  const fresh = adapterFile(checkpoint, inputs, inputs.initial);
  return recipe.resume ? resumeHealFolder(recipe, begun, fresh) : createHealFolder(recipe, begun, fresh);
}

/** From the references to the report, with the adapter on the device for as long. */
async function train(
  inTraining: InTraining,
  folder: HealFolder,
  lossOfOriginal: number | null,
  { loadMs, held }: Loaded,
  run: Run,
): Promise<HealReport> {
  const { model, plan, recipe, inputs } = inTraining;
  const { device, checkpoint } = model;
  using adapter = await openAdapterState(device, inputs.modules, inputs.initial);
  if (folder.tensors) await adapter.load(folder.tensors);
  const lossOfPruned = await prunedLoss(inTraining, folder.recorded, run);
  const references = { dense: pointOrNull(lossOfOriginal), pruned: pointOrNull(lossOfPruned) };
  if (!folder.recorded.references) await folder.record({ references });
  run.emit({ kind: 'references', ...references });
  replay(folder.recorded, recipe, run);

  const [steps, evals] = [[...folder.recorded.steps], [...folder.recorded.evals]];
  const listener = recording(inTraining, adapter, folder, { steps, evals }, run);
  if (folder.lacksAdapter) await listener.best();
  const { result, elapsedMs, compileMs } = await timed(device, () =>
    trainLoop(
      trainerOf(inTraining, adapter, run.signal),
      recipe.loop,
      { dense: lossOfOriginal, pruned: lossOfPruned },
      folder.recorded.progress,
      listener,
    ),
  );
  if (result.progress.best === null) await listener.best();
  const tokens = steps.length * plan.nTokens;
  const facts = runFacts(recipe.compute, device, held, { ...noTime, elapsedMs, loadMs, compileMs, tokens });
  const kept = await readAdapter(recipe.out, checkpoint.config);
  return {
    ...reportOf(checkpoint, recipe, inputs, result),
    adapter: summaryOf(inputs, normOfB(kept.tensors.values())),
    steps,
    evals,
    ...references,
    ...facts,
    warning: warningsOf(inputs.initWarning, ...folder.said, await warningAfter(result, adapter)),
    peakMemoryBytes: peakMemoryBytes(),
  };
}

const pointOrNull = (lossNats: number | null) => (lossNats === null ? null : lossPoint(lossNats));

/** Of the pruned model without the adapter; null where nothing is held out. */
async function prunedLoss({ evaluated, inputs: { heldOut } }: InTraining, { references }: Recorded, run: Run) {
  const known = references?.pruned?.lossNats;
  if (known !== undefined) return known;
  return heldOut.length > 0 ? heldOutLoss(evaluated, heldOut, { signal: run.signal }) : null;
}

const warningsOf = (...warnings: (string | null)[]): string | null =>
  warnings.filter((warning) => warning !== null).join(' ') || null;

const warningAfter = async (end: LoopEnd, adapter: AdapterState) =>
  warningOf(end, normOfB((await adapter.matrices()).values()));

/** Writes down what the loop does, and emits it. */
function recording(
  { model, recipe, inputs }: InTraining,
  adapter: AdapterState,
  folder: HealFolder,
  { steps, evals }: Pick<Recorded, 'steps' | 'evals'>,
  run: Run,
): Listener {
  return {
    async onStep(step) {
      steps.push(step);
      await folder.record({ step });
      const seconds = remainingSeconds(recipe, inputs, step.step, step.tokensPerSecond);
      run.emit({ kind: 'step', step, remainingSeconds: seconds, memoryBytes: process.memoryUsage().rss });
      progress(run, 'train')((step.step + 1) / recipe.loop.steps);
    },
    async onEvaluated(evaluation) {
      evals.push(evaluation);
      await folder.record({ evaluation });
      run.emit({ kind: 'evaluation', evaluation });
    },
    async best() {
      const matrices = await adapter.matrices();
      refuseLostAdapter(matrices);
      await model.checkpoint.refuseChanged();
      await folder.publish(adapterFile(model.checkpoint, inputs, matrices));
    },
    async snapshot(at) {
      const tensors = await adapter.save();
      return async () => {
        await model.checkpoint.refuseChanged();
        await folder.save(at, tensors);
      };
    },
    stops: openControl(run).stops,
  };
}

/** Of the last step, after which nothing was computed with it. */
function refuseLostAdapter(matrices: Adapter['tensors']): void {
  for (const [name, { a, b }] of matrices)
    if (!allFinite(a) || !allFinite(b))
      throw new UserError(
        'notFinite',
        `The adapter of ${name} is not finite after the last step, so that it is not kept; begin again with a smaller --lr, or a longer --warmup.`,
      );
}

const adapterFile = (
  checkpoint: Checkpoint,
  { form, modules }: TrainingInputs,
  tensors: Adapter['tensors'],
): Adapter => ({
  options: form,
  modules,
  tensors,
  nBlocks: checkpoint.config.nBlocks,
  baseModelNameOrPath: checkpoint.folder,
});

const shapeOf = (
  { tokensPerSequence, nParameters, modules, heldOut }: TrainingInputs,
  { adapter: { dropout } }: HealRecipe,
): HealShape => ({
  tokensPerSequence,
  nAdapterParameters: nParameters,
  adapters: adaptersOf(modules, dropout),
  heldOut: { nSequences: heldOut.length, tokensPerSequence: Math.max(0, ...heldOut.map(({ ids }) => ids.length)) },
});

/** What a resumed run knows already is emitted again, so that a listener has all of it. */
function replay({ steps, evals }: Recorded, recipe: HealRecipe, run: Run): void {
  for (const evaluation of evals) run.emit({ kind: 'evaluation', evaluation });
  for (const step of steps)
    run.emit({ kind: 'step', step, remainingSeconds: 0, memoryBytes: process.memoryUsage().rss });
  if (steps.length > 0) progress(run, 'train')(steps.length / recipe.loop.steps);
}
