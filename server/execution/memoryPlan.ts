// What running a model will hold, before it starts: how many sequences go together, where weights and hidden states are,
// and what all that takes, of the host's memory and of the device's. Pure.
import { UserError } from '../errors';
import type { BatchShape } from '../model/blockInputs';
import type { ModelConfig } from '../model/config';
import { forwardInside, gradientsInside } from './insideSizes';
import type { MemoryLimits } from './memoryLimits';
import { activationBytes, lostBetweenStates, sliceRows, type WeightSizes, weightSizes } from './memorySizes';
import { blockGroup, groupSize } from './weightStore';

export interface ExecutionRequest extends MemoryLimits {
  readonly nSequences: number;
  readonly tokensPerSequence: number;
  /** All hidden states of a sequence are kept until its last block is done (angular distance needs them together). */
  readonly keepStates: boolean;
  /** Forward and backward, all sequences together, for gradients that are added up before anything is made of them. */
  readonly backward?: boolean;
  /** Paths whose losses are measured together; each has its own state on the way. */
  readonly nVariants?: number;
  /** What a cache of hidden states may hold beside it. */
  readonly cacheBytes?: number;
  /** What the host holds beside the run, such as the least squares of a repair. */
  readonly hostBytes?: number;
  readonly memory: 'auto' | 'resident' | 'streaming';
}

export interface MemoryPlan {
  readonly mode: 'resident' | 'streaming';
  /** Blocks whose weights stay on the device, and whether the head does; with streaming the rest is brought in for its turn. */
  readonly stayingBlocks: number;
  readonly headStays: boolean;
  /** Sequences that pass a block in one run. */
  readonly microBatchSequences: number;
  /** Sequences that go through the whole model together; with resident weights one micro-batch. */
  readonly groupSequences: number;
  /** Rows of the vocabulary worked at a time. */
  readonly headSliceRows: number;
  readonly nTokens: number;
  /** Of the host's memory. */
  readonly bytes: {
    readonly weights: number;
    readonly states: number;
    readonly activations: number;
    readonly processes: number;
  };
  readonly totalBytes: number;
  /** Of the device's memory; null: that is the host's. */
  readonly device: DevicePlan | null;
}

export interface DevicePlan {
  readonly bytes: { readonly weights: number; readonly states: number; readonly activations: number };
  readonly totalBytes: number;
  readonly limitBytes: number;
}

const microBatchTokens = 1024;
/** Two Node processes with the runtime, the tokenizer and a text in tokens, before the first weight. */
export const processBytes = 290e6;
/** While streaming, more hidden states than this are not kept: the weights are read again for the next group instead. */
const streamedStatesBytes = 1e9;

/**
 * The plan for a run: the fastest way that fits. Weights are resident, or as many blocks as fit stay on the device, or none do.
 * Throws UserError('cannotFit') with the numbers when even the smallest way of working does not fit.
 */
export function planExecution(config: ModelConfig, request: ExecutionRequest): MemoryPlan {
  const resident = leastFitting(config, request, 'resident');
  if (request.memory !== 'streaming' && fits(resident, request)) return resident;
  if (request.memory === 'resident') throw cannotFit(config, resident, request);

  const least = leastFitting(config, request, 'streaming');
  if (!fits(least, request)) throw cannotFit(config, least, request);
  return withStayingBlocks(config, withMoreSequences(least, request), request);
}

/** As many sequences together as there is room for their hidden states. */
function withMoreSequences(least: MemoryPlan, request: ExecutionRequest): MemoryPlan {
  if (request.backward) return least; // its states are those of all sequences already
  const { microBatchSequences } = least;
  const { states } = tensorsOf(least).bytes;
  const room = Math.min(streamedStatesBytes, roomFor(least, request) + states);
  const fitting = Math.floor((room * microBatchSequences) / states);
  const groupSequences = Math.min(
    request.nSequences,
    Math.max(microBatchSequences, fitting - (fitting % microBatchSequences)),
  );
  return {
    ...withMore(least, 'states', (states / microBatchSequences) * (groupSequences - microBatchSequences)),
    groupSequences,
  };
}

/**
 * As much stays on the device as there is room for, in blocks and the head. Only where weights are copied to it: what is
 * read again from the host's memory comes from the system's cache of files, which needs the room itself.
 */
export function withStayingBlocks<Plan extends MemoryPlan>(
  config: ModelConfig,
  plan: Plan,
  request: MemoryLimits & Pick<ExecutionRequest, 'memory'>,
): Plan {
  if (!plan.device || request.memory === 'streaming') return plan;
  const sizes = weightSizes(config, plan.headSliceRows);
  const before = sizes.withStaying(0, false);
  let [most, best] = [0, plan];
  for (const headStays of [true, false]) {
    for (let stayingBlocks = config.nBlocks; stayingBlocks >= 0; stayingBlocks--) {
      const { staying, passing } = sizes.withStaying(stayingBlocks, headStays);
      const change = staying + passing - before.staying - before.passing;
      const more = { ...withMore(plan, 'weights', change), stayingBlocks, headStays };
      if (!fits(more, request)) continue;
      if (staying > most) [most, best] = [staying, more];
      break;
    }
  }
  return best;
}

/**
 * The plan of a mode with the largest micro-batch that is worth it. On a device with memory of its own a smaller one is better
 * than weights that pass, which are copied to it each time.
 */
function leastFitting(config: ModelConfig, request: ExecutionRequest, mode: MemoryPlan['mode']): MemoryPlan {
  const { nSequences, tokensPerSequence } = request;
  const largest = Math.min(Math.max(1, Math.floor(microBatchTokens / tokensPerSequence)), nSequences);
  let plan = leastPlan(config, request, mode, largest);
  for (let each = largest; request.device && each > 1 && !fits(plan, request); ) {
    each = Math.floor(each / 2);
    plan = leastPlan(config, request, mode, each);
  }
  return plan;
}

/** One micro-batch goes through the model at a time. */
function leastPlan(
  config: ModelConfig,
  request: ExecutionRequest,
  mode: MemoryPlan['mode'],
  microBatchSequences: number,
): MemoryPlan {
  const { nSequences, tokensPerSequence: T } = request;
  const rows = microBatchSequences * T;
  const headSliceRows = sliceRows(config, rows);
  const sizes = weightSizes(config, headSliceRows);
  return {
    mode,
    stayingBlocks: mode === 'resident' ? config.nBlocks : 0,
    headStays: mode === 'resident',
    microBatchSequences,
    groupSequences: microBatchSequences,
    headSliceRows,
    nTokens: nSequences * T,
    ...placed(request, {
      weights: mode === 'resident' ? sizes.resident : sizes.withStaying(0, false),
      states: states(config, request, request.backward ? nSequences * T : rows),
      activations: activations(config, request, { batch: microBatchSequences, tokens: T }, headSliceRows),
      cacheBytes: request.cacheBytes ?? 0,
      hostBytes: request.hostBytes ?? 0,
      copiedBytes: 2 * rows * config.width * 4,
    }),
  };
}

/** All that are alive together, each of so many rows; on the host with what lies idle between them. */
function states(config: ModelConfig, request: ExecutionRequest, rows: number): number {
  const each = rows * config.width * 4;
  const bytes = each * statesAtOnce(config, request);
  if (request.device) return bytes;
  const nKept = Math.max(request.keepStates || request.backward ? config.nBlocks : 0, request.nVariants ?? 0);
  return bytes + lostBetweenStates(config, nKept, each);
}

/**
 * What graphs take, with the matrices that they widen. On the host, where the system's allocator adds its own, the plan is on the
 * safe side.
 */
function activations(
  config: ModelConfig,
  { device, backward = false, nSequences }: ExecutionRequest,
  batch: BatchShape,
  headSliceRows: number,
): number {
  const onHost = (backward ? 3 : 1) * activationBytes(config, batch.batch, batch.tokens, headSliceRows);
  // Nothing is widened or merged: the graph, which takes a while to make, would tell less than is planned.
  if (!device && !backward && !config.storage) return onHost;
  const inside = backward
    ? gradientsInside(config, batch, headSliceRows, Math.ceil(nSequences / batch.batch))
    : forwardInside(config, batch, headSliceRows);
  return device ? inside : Math.max(inside, onHost);
}

/** What a run takes, wherever that lies. */
export interface Needs {
  readonly weights: WeightSizes;
  readonly states: number;
  readonly activations: number;
  readonly cacheBytes: number;
  /** Of what is on its way to a device with memory of its own, beside weights. */
  readonly copiedBytes: number;
  /** Of the host beside all that; default: none. */
  readonly hostBytes?: number;
}

/** Weights that pass lie in two buffers of the host, which the CPU computes with as they are. */
export function placed(
  { device }: MemoryLimits,
  { weights, states, activations, cacheBytes, copiedBytes, hostBytes = 0 }: Needs,
): Pick<MemoryPlan, 'bytes' | 'totalBytes' | 'device'> {
  if (!device) {
    const bytes = {
      weights: weights.staying + 2 * weights.passing,
      states,
      activations: activations + hostBytes,
      processes: processBytes,
    };
    return { bytes, totalBytes: total(bytes) + cacheBytes, device: null };
  }
  const onDevice = { weights: weights.staying + weights.passing, states, activations };
  const bytes = {
    weights: 2 * weights.largest,
    states: 0,
    activations: copiedBytes + hostBytes,
    processes: processBytes,
  };
  return {
    bytes,
    totalBytes: total(bytes),
    device: { bytes: onDevice, totalBytes: total(onDevice) + cacheBytes, limitBytes: device.limitBytes },
  };
}

/** What tensors take: of the device's memory, or of the host's where that is the device's. */
export const tensorsOf = (plan: MemoryPlan): Pick<DevicePlan, 'bytes' | 'totalBytes'> => plan.device ?? plan;

/** The plan with so many bytes more. */
export function withMore<Plan extends MemoryPlan>(plan: Plan, part: keyof DevicePlan['bytes'], nBytes: number): Plan {
  const grown = <P extends Pick<DevicePlan, 'totalBytes'> & { readonly bytes: Readonly<Record<string, number>> }>(
    of: P,
  ): P => ({
    ...of,
    bytes: { ...of.bytes, [part]: of.bytes[part]! + nBytes },
    totalBytes: of.totalBytes + nBytes,
  });
  return plan.device ? { ...plan, device: grown(plan.device) } : grown(plan);
}

/** Bytes of tensors that may come beside a plan. */
export function roomFor({ totalBytes, device }: MemoryPlan, limits: MemoryLimits): number {
  if (!device) return limits.limitBytes - totalBytes;
  const ofHost = limits.limitBytes - totalBytes - device.totalBytes;
  return Math.min(device.limitBytes - device.totalBytes, limits.device?.ofHost ? ofHost : Number.POSITIVE_INFINITY);
}

export const fits = (plan: MemoryPlan, limits: MemoryLimits): boolean =>
  plan.totalBytes <= limits.limitBytes && roomFor(plan, limits) >= 0;

/**
 * Hidden states of one sequence that are alive at the same time, at most. A variant's last one is normed beside it. Of a device
 * those that a block or the head makes are counted in their graphs.
 */
function statesAtOnce(
  config: ModelConfig,
  { keepStates, backward = false, nVariants = 0, device }: ExecutionRequest,
): number {
  const made = device ? 0 : 3;
  return Math.max(keepStates || backward ? config.nBlocks + (device ? 1 : 3) : 1 + made, 2 * nVariants + made);
}

/** Floating-point operations of a forward pass over one sequence: 2 a weight and token, 4 H T E a token for attention. */
export function sequenceOperations(config: ModelConfig, tokens: number): { block: number; head: number } {
  const attention = 4 * config.nHeads * tokens * tokens * config.headWidth;
  return {
    block: 2 * groupSize(blockGroup(config, 0)) * tokens + attention,
    head: 2 * config.vocabularySize * config.width * tokens,
  };
}

const total = (bytes: Readonly<Record<string, number>>) => Object.values(bytes).reduce((sum, n) => sum + n, 0);

function cannotFit(config: ModelConfig, plan: MemoryPlan, request: ExecutionRequest): UserError {
  return new UserError('cannotFit', `This needs ${shortage(plan, request)}: ${remedy(config, request)}.`);
}

/** What a plan that does not fit takes, and what there is: of the device where that is too small, else of the host. */
export function shortage(plan: MemoryPlan, limits: MemoryLimits): string {
  const parts = ({ weights, states, activations }: DevicePlan['bytes']) =>
    `weights ${megabytes(weights)}, hidden states ${megabytes(states)}, activations ${megabytes(activations)}`;
  const { device, mode } = plan;
  if (device && roomFor(plan, limits) < 0)
    return (
      `${megabytes(device.totalBytes)} on the device (${parts(device.bytes)}) with weights ${mode}` +
      `${limits.device?.ofHost ? `, whose memory is the host's, and ${megabytes(plan.totalBytes)} beside that` : ''}, ` +
      `but only ${megabytes(limits.device?.ofHost ? limits.limitBytes : device.limitBytes)} may be used`
    );
  return (
    `${megabytes(plan.totalBytes)} (${parts(plan.bytes)}, the processes ${megabytes(plan.bytes.processes)}) ` +
    `with weights ${mode}, but only ${megabytes(limits.limitBytes)} may be used`
  );
}

/** The least change of the request that does fit; what is advised was planned. */
function remedy(config: ModelConfig, request: ExecutionRequest): string {
  const least = (change: Partial<ExecutionRequest>) => leastFitting(config, { ...request, ...change }, 'streaming');
  const isEnough = (change: Partial<ExecutionRequest>) => fits(least(change), request);
  const streaming = request.memory === 'resident' ? '--memory streaming' : '';
  const use = (...options: string[]) => `use ${[streaming, ...options].filter((option) => option !== '').join(' ')}`;
  if (streaming && isEnough({})) return use();
  const shorter: number[] = [];
  for (let tokens = request.tokensPerSequence; tokens >= 32; tokens = Math.floor(tokens / 2)) shorter.push(tokens);
  const tokens = shorter.find((tokensPerSequence) => isEnough({ tokensPerSequence }));
  if (tokens !== undefined) return use(`--tokens ${tokens}`);
  const alone = shorter.find((tokensPerSequence) => isEnough({ nSequences: 1, tokensPerSequence }));
  if (alone !== undefined) return use('--sequences 1', `--tokens ${alone}`);
  const smallest = least({ nSequences: 1, tokensPerSequence: shorter.at(-1) ?? request.tokensPerSequence });
  if (smallest.device)
    return `no choice of sequences takes less than ${megabytes(smallest.device.totalBytes)} there, so use --device cpu or a device with more memory`;
  return (
    `no choice of sequences takes less than ${megabytes(smallest.totalBytes)}, ` +
    'so allow at least that or use a machine with more memory'
  );
}

/** Rounded up: for sentences. */
export const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
