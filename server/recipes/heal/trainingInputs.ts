// What a healing works with, read and checked before anything is computed: data, held-out data, and the adapter.
import { type Adapter, isPartOfAdapter, readAdapter } from '../../checkpoint/adapter';
import { baseWarning } from '../../checkpoint/adapterBase';
import type { Checkpoint } from '../../checkpoint/checkpoint';
import { sourceIdentityOf } from '../../checkpoint/sourceIdentity';
import { readTrainingData, type TrainingSet } from '../../data/trainingData';
import { UserError } from '../../errors';
import type { ModelConfig } from '../../model/config';
import { type AdaptedModule, type AdapterForm, adaptedModules } from '../../model/adapter';
import type { HealRecipe } from './recipe';
import { openTokenizer } from '../../tokenizer/tokenizer';
import { freshMatrices, type Matrices } from '../../training/adapterState';
import type { CountedSequence } from '../../training/batches';
import { findOriginal } from './findOriginal';
import { sequencesFor } from '../sequences';

export interface TrainingInputs {
  readonly data: TrainingSet;
  readonly heldOut: readonly CountedSequence[];
  readonly form: AdapterForm;
  readonly modules: readonly AdaptedModule[];
  /** What training begins with, by moduleKey. */
  readonly initial: ReadonlyMap<string, Matrices>;
  readonly nParameters: number;
  /** The most tokens of a training item, and the mean. */
  readonly tokensPerSequence: number;
  readonly meanTokens: number;
  /** Folder of the model before pruning; null where it is not known. */
  readonly original: string | null;
  /** That the adapter that training begins with is for another model; null: nothing says so. */
  readonly initWarning: string | null;
}

/** Throws UserError with a sentence for whatever is not as it has to be. */
export async function readTrainingInputs(checkpoint: Checkpoint, recipe: HealRecipe): Promise<TrainingInputs> {
  const { config, folder, provenance } = checkpoint;
  const init = recipe.adapter.init === null ? null : await readUnchanged(recipe.adapter.init, config);
  const form = init ? { ...init.options, dropout: recipe.adapter.dropout } : recipe.adapter;
  const modules = init?.modules ?? adaptedModules(config, recipe.adapter, provenance);
  const original = await findOriginal(checkpoint, recipe.dense);
  if (recipe.objective.kind === 'distillation' && original === null)
    throw new UserError('usage', 'Distillation learns from the original model: say where it is by --dense FOLDER.');
  const { contextLength, vocabularySize } = config;
  const data = await readTrainingData(recipe.data, await openTokenizer(folder), { contextLength, vocabularySize });
  const lengths = data.training.map(({ ids }) => ids.length);
  return {
    data,
    heldOut: recipe.loop.heldOut ? await countedSequences(checkpoint, recipe.loop.heldOut) : data.heldOut,
    form,
    modules,
    initial: init?.tensors ?? freshMatrices(modules, recipe.data.seed),
    nParameters: modules.reduce((n, { rank, inFeatures, outFeatures }) => n + rank * (inFeatures + outFeatures), 0),
    tokensPerSequence: Math.max(...lengths),
    meanTokens: lengths.reduce((sum, n) => sum + n, 0) / lengths.length,
    original,
    initWarning: init && (await baseWarning(recipe.adapter.init!, init.baseModelNameOrPath, checkpoint)),
  };
}

/** Both of its files are of one adapter. */
async function readUnchanged(folder: string, config: ModelConfig): Promise<Adapter> {
  const files = await sourceIdentityOf(folder, isPartOfAdapter);
  const adapter = await readAdapter(folder, config);
  await files.refuseChanged();
  return adapter;
}

async function countedSequences(
  checkpoint: Checkpoint,
  source: NonNullable<HealRecipe['loop']['heldOut']>,
): Promise<CountedSequence[]> {
  const { sequences } = await sequencesFor(checkpoint, source);
  return sequences.map((ids) => ({ ids, counted: new Uint8Array(ids.length).fill(1) }));
}

/** Numbers that make no sense are refused before anything is read. */
export function checkHealing({ optimizer, loop, objective }: HealRecipe): void {
  const whole = (name: string, value: number, least: number) =>
    refuseUnless(Number.isInteger(value) && value >= least, name, value, `a whole number of at least ${least}`);
  const within = (name: string, value: number, low: number, high: number) =>
    refuseUnless(value >= low && value < high, name, value, `a number from ${low} up to ${high}`);
  whole('--steps', loop.steps, 1);
  whole('--micro-batch', loop.microBatchSequences, 1);
  whole('--accumulate', loop.accumulate, 1);
  whole('--evaluate-every', loop.evaluateEverySteps, 1);
  whole('--save-every', loop.saveEverySteps, 1);
  whole('--warmup', optimizer.warmupSteps, 0);
  if (loop.patience !== null) whole('--patience', loop.patience, 1);
  within('--lr', optimizer.learningRate, 0, 10);
  within('--weight-decay', optimizer.weightDecay, 0, 1);
  within('--beta1', optimizer.beta1, 0, 1);
  within('--beta2', optimizer.beta2, 0, 1);
  refuseUnless(optimizer.epsilon > 0, '--epsilon', optimizer.epsilon, 'a number above 0');
  if (optimizer.clipNorm !== null)
    refuseUnless(optimizer.clipNorm > 0, '--clip', optimizer.clipNorm, 'a number above 0');
  if (objective.kind === 'distillation') {
    whole('--top-k', objective.topK, 1);
    refuseUnless(objective.temperature > 0, '--temperature', objective.temperature, 'a number above 0');
  }
}

function refuseUnless(good: boolean, name: string, value: number, wanted: string): void {
  if (!good) throw new UserError('usage', `${name} ${value} makes no sense; give ${wanted}.`);
}
