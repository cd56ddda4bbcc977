// What every recipe that computes needs: an open model on a device with a plan that fits, and the facts of its run.
import { cpus } from 'node:os';
import type { Checkpoint } from '../checkpoint/checkpoint';
import { UserError } from '../errors';
import type { EngineEvent, Plan, RunControl } from '../protocol/engine';
import type { ComputeOptions, DeviceName, DropSet } from '../protocol/recipes';
import type { Estimate, MeasuredSpeed, RunFacts, Timing } from '../protocol/reports';
import type { Recipe, Report } from './kinds';
import type { Path } from '../model/path';
import { chosenWidth } from '../model/storage';
import { type Device, openDevice, runtimeVersion, type Scope } from '../runtime/device';
import type { ProviderName } from '../runtime/sessions';
import { measureOperationsPerSecond } from '../runtime/speed';
import { preload } from '../execution/forward';
import type { Model } from '../execution/model';
import { shapeOf, withComparison } from '../execution/comparisonPlan';
import { limitsOf } from '../execution/memoryLimits';
import { type MemoryPlan, planExecution } from '../execution/memoryPlan';
import { plannedStore } from '../execution/plannedStore';
import { ownHeadInWords, unusedTensorsInWords } from '../shared/tensorNames';
import { peakMemoryBytes } from './processMemory';
import { memoryOf } from './planMemory';
import { openComparison } from './weightsCost';
import { operationsOf, type Work } from './work';

declare const __ESPALIER_VERSION__: string;

/** How a recipe talks to whoever started it. */
export interface Run {
  readonly signal: AbortSignal;
  /** Why `auto` became the width that the recipe names, in words. */
  readonly whyWeights?: string | null;
  /** A token of the hub that a client keeps for its user; absent: what the environment says counts. */
  readonly hubToken?: string | null;
  emit(event: EngineEvent): void;
  /** For recipes whose steps are recipes: what is known of one before it starts. */
  readonly ofStep?: {
    /** Throws UserError for what its headers and files rule out, such as `cannotFit`. */
    plan(recipe: Recipe): Promise<unknown>;
    /** With the width that `auto` is, and why. */
    withChosenWeights(recipe: Recipe): Promise<{ readonly recipe: Recipe; readonly why: string | null }>;
  };
  /** Called by a recipe that stays: its report, and how to answer questions. Ends when nobody will ask any more. */
  stay?(report: Report, answers: Answers): Promise<void>;
  /** For recipes that can be paused and ended early. Actions from before the listener was there are replayed to it. */
  onControl?(listener: (action: RunControl) => void): void;
}

/** What a recipe that stays can be asked about a drop set. Each throws UserError('cancelled') after the signal. */
export interface Answers {
  /** Emits estimates of the loss without it, the last one final. */
  loss(drop: DropSet, signal: AbortSignal, onEstimate: (estimate: Estimate) => void): Promise<void>;
  speed(drop: DropSet, signal: AbortSignal): Promise<MeasuredSpeed>;
}

export const progress = (run: Run, step: string) => (fraction: number) =>
  run.emit({ kind: 'progress', step, fraction });

/** Says where files and config.json of a checkpoint differ, before anything is done with it. */
export function warnOfDifferences({ name, unusedNames, ownHeadDespiteTie }: Checkpoint, run: Run): void {
  if (ownHeadDespiteTie) run.emit({ kind: 'warning', text: ownHeadInWords(name) });
  if (unusedNames.length > 0) run.emit({ kind: 'warning', text: unusedTensorsInWords(name, unusedNames) });
}

/** Opens the device for the time of `body`. */
export async function withDevice<T>(compute: ComputeOptions, body: (device: Device) => Promise<T>): Promise<T> {
  const device = await openDevice({ provider: provider(compute.device), threads: threads(compute) });
  try {
    return await body(device);
  } finally {
    await device.close();
  }
}

/** Runs `body` with a device that multiplies in float64: the CPU, which `device` may be. */
export const withFloat64 = <T>(
  device: Device,
  compute: ComputeOptions,
  body: (host: Scope) => Promise<T>,
): Promise<T> => (device.provider === 'cpu' ? body(device) : withDevice({ ...compute, device: 'cpu' }, body));

/** How a model is held, for its report, and how long its weights took. */
export interface Loaded {
  readonly loadMs: number;
  readonly held: HeldFacts;
}

export type HeldFacts = Pick<RunFacts, 'memory' | 'weights' | 'whyWeights' | 'weightsCost'>;

/** Of work that holds no model. */
export const nothingHeld: HeldFacts = { memory: 'streaming', weights: 'f32' };

/** Plans the work, emits the plan, brings resident weights in, and holds the model for the time of `body`. */
export async function withModel<T>(
  checkpoint: Checkpoint,
  device: Device,
  compute: ComputeOptions,
  work: Work & Pick<Cost, 'sequences'>,
  run: Run,
  body: (model: Model, loaded: Loaded) => Promise<T>,
): Promise<T> {
  const { config } = checkpoint;
  const plan = planExecution(config, { ...work, memory: compute.memory, ...(await limitsOf(compute)) });
  const { nSequences, cacheBytes = 0, path, sequences } = work;
  const operations = operationsOf(config, work);
  const cost = { nSequences, cacheBytes, operations, ...(path && { path }), ...(sequences && { sequences }) };
  return withPlannedModel(checkpoint, device, compute, { plan, cost }, run, body);
}

/** What work takes beside its plan. */
export interface Cost {
  readonly nSequences: number;
  readonly cacheBytes: number;
  /** Floating-point operations of all of it. */
  readonly operations: number;
  /** Default: all blocks. */
  readonly path?: Path;
  /** Text of one length, on whose first sequences it is measured what narrower matrices cost. Absent: it is not. */
  readonly sequences?: readonly Int32Array[];
}

/** Work with its plan. */
export interface PlannedWork {
  readonly plan: MemoryPlan;
  readonly cost: Cost;
}

/** The same with a plan that was made before. */
export async function withPlannedModel<T>(
  checkpoint: Checkpoint,
  device: Device,
  compute: ComputeOptions,
  { plan, cost }: PlannedWork,
  run: Run,
  body: (model: Model, loaded: Loaded) => Promise<T>,
): Promise<T> {
  const limited = withLimits(checkpoint, device);
  const { config } = limited;
  const limits = await limitsOf(compute);
  const operationsPerSecond = await measureOperationsPerSecond(device);
  const shown: Plan = {
    model: checkpoint.name,
    device: device.provider,
    threads: threads(compute),
    memory: plan.mode,
    ...widthOf(compute, run),
    nSequences: cost.nSequences,
    nTokens: plan.nTokens,
    ...memoryOf(withComparison(plan, config, shapeOf(cost.sequences), limits), cost),
    limitBytes: limits.limitBytes,
    estimatedSeconds: cost.operations / operationsPerSecond,
    operationsPerSecond,
  };
  run.emit({ kind: 'plan', plan: shown });
  const comparison = await openComparison(limited, device, cost, limits, run.signal);
  using store = plannedStore(limited, device, plan);
  const model: Model = { checkpoint: limited, config, device, store, plan };
  const began = performance.now();
  await preload(model, cost.path);
  const loadMs = performance.now() - began;
  const weightsCost = await comparison?.cost(model, run.signal);
  const held = { memory: plan.mode, ...widthOf(compute, run), ...(weightsCost && { weightsCost }) };
  const result = await body(model, { loadMs, held });
  // Weights may be read until the end.
  await checkpoint.refuseChanged();
  return result;
}

/** A checkpoint whose config says how much a device takes in one tensor. */
const withLimits = (checkpoint: Checkpoint, { limits }: Device): Checkpoint =>
  limits.largestTensorBytes === undefined ? checkpoint : { ...checkpoint, config: { ...checkpoint.config, ...limits } };

const widthOf = ({ weights }: ComputeOptions, { whyWeights }: Run) => ({
  weights: chosenWidth(weights),
  ...(whyWeights && { whyWeights }),
});

/** Runs `body` and says how long it took, compilation apart. */
export async function timed<T>(
  device: Scope,
  body: () => Promise<T>,
): Promise<{ result: T; elapsedMs: number; compileMs: number }> {
  const compiledBefore = device.counts.compileMs;
  const began = performance.now();
  const result = await body();
  const compileMs = device.counts.compileMs - compiledBefore;
  return { result, elapsedMs: performance.now() - began - compileMs, compileMs };
}

export const noTime: Timing = { elapsedMs: 0, loadMs: 0, compileMs: 0, tokenizeMs: 0, writeMs: 0, tokens: 0 };

/** `device` is null for work that needs none. */
export const runFacts = (compute: ComputeOptions, device: Scope | null, held: HeldFacts, timing: Timing): RunFacts => ({
  timing,
  transfers: device && { uploadedBytes: device.counts.uploadedBytes, readBytes: { ...device.counts.readBytes } },
  peakMemoryBytes: peakMemoryBytes(),
  ...(device && { peakTensorBytes: device.counts.peakWithInsideBytes }),
  device: device?.provider ?? 'none',
  threads: threads(compute),
  ...held,
  versions: versions(),
});

export const versions = () => ({ espalier: __ESPALIER_VERSION__, onnxruntime: runtimeVersion, node: process.version });

/** How many threads to compute with. Throws UserError('usage') for a number that would only exhaust the machine. */
export function threads({ threads: wanted }: ComputeOptions): number {
  const nCores = cpus().length;
  const most = 4 * nCores;
  if (wanted !== null && wanted > most)
    throw new UserError(
      'usage',
      `${wanted} threads are too many for ${nCores} cores; give --threads at most ${most}, or leave it out.`,
    );
  return wanted ?? nCores;
}

/** What `auto` is was decided before (decidedDevice.ts). */
function provider(device: DeviceName): ProviderName {
  if (device === 'cuda')
    throw new UserError(
      'device',
      'The CUDA provider is not part of this installation; use --device cpu or --device webgpu.',
    );
  if (device === 'auto') throw new Error('the device is to be decided before it is opened');
  return device;
}
