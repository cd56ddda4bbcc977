// What running a model will hold, before it starts: how many sequences go together, where weights and hidden states are,
// and what all that takes. Pure.
import { UserError } from '../errors';
import type { ModelConfig } from '../model/config';
import { blockGroup, groupBytes, groupSize, headGroups } from './weightStore';

export interface ExecutionRequest {
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
  readonly memory: 'auto' | 'resident' | 'streaming';
  /** The most that all our processes together may use. */
  readonly limitBytes: number;
}

export interface MemoryPlan {
  readonly mode: 'resident' | 'streaming';
  /** Sequences that pass a block in one run. */
  readonly microBatchSequences: number;
  /** Sequences that go through the whole model together; with resident weights one micro-batch. */
  readonly groupSequences: number;
  /** Rows of the vocabulary worked at a time. */
  readonly headSliceRows: number;
  readonly nTokens: number;
  readonly bytes: {
    readonly weights: number;
    readonly states: number;
    readonly activations: number;
    readonly processes: number;
  };
  readonly totalBytes: number;
}

// Sizes found by measurement on two cores, see ARCHITECTURE.md: activations of about a thousand tokens stay in cache.
const microBatchTokens = 1024;
const logitsBytes = 16e6;
const largestStreamedSliceBytes = 64e6;
/** Two Node processes with the runtime loaded, before the first weight. */
export const processBytes = 220e6;
/** While streaming, more hidden states than this are not kept: the weights are read again for the next group instead. */
const streamedStatesBytes = 1e9;

/** The plan for a run. Throws UserError('cannotFit') with the numbers when even the smallest way of working does not fit. */
export function planExecution(config: ModelConfig, request: ExecutionRequest): MemoryPlan {
  const resident = leastPlan(config, request, 'resident');
  if (request.memory !== 'streaming' && resident.totalBytes <= request.limitBytes) return resident;
  if (request.memory === 'resident') throw cannotFit(config, resident, request);

  const least = leastPlan(config, request, 'streaming');
  if (least.totalBytes > request.limitBytes) throw cannotFit(config, least, request);
  if (request.backward) return least; // its states are those of all sequences already
  const { microBatchSequences } = least;
  const room = Math.min(streamedStatesBytes, request.limitBytes - (least.totalBytes - least.bytes.states));
  const fitting = Math.floor((room * microBatchSequences) / least.bytes.states);
  const groupSequences = Math.min(
    request.nSequences,
    Math.max(microBatchSequences, fitting - (fitting % microBatchSequences)),
  );
  const states = (least.bytes.states / microBatchSequences) * groupSequences;
  const totalBytes = least.totalBytes - least.bytes.states + states;
  return { ...least, groupSequences, bytes: { ...least.bytes, states }, totalBytes };
}

/** The smallest plan of a mode: one micro-batch goes through the model at a time. */
function leastPlan(config: ModelConfig, request: ExecutionRequest, mode: MemoryPlan['mode']): MemoryPlan {
  const { nSequences, tokensPerSequence: T } = request;
  const microBatchSequences = Math.min(Math.max(1, Math.floor(microBatchTokens / T)), nSequences);
  const rows = microBatchSequences * T;
  const headSliceRows = sliceRows(config, rows);
  const bytes = {
    weights: weightBytes(config, mode, headSliceRows),
    states: (request.backward ? nSequences * T : rows) * config.width * 4 * statesAtOnce(config, request),
    activations: (request.backward ? 3 : 1) * activationBytes(config, microBatchSequences, T, headSliceRows),
    processes: processBytes,
  };
  const totalBytes = Object.values(bytes).reduce((sum, n) => sum + n, 0) + (request.cacheBytes ?? 0);
  return {
    mode,
    microBatchSequences,
    groupSequences: microBatchSequences,
    headSliceRows,
    nTokens: nSequences * T,
    bytes,
    totalBytes,
  };
}

/** Hidden states of one sequence that are alive at the same time, at most. A variant's last one is normed beside it. */
const statesAtOnce = (config: ModelConfig, { keepStates, backward = false, nVariants = 0 }: ExecutionRequest): number =>
  Math.max(keepStates || backward ? config.nBlocks + 3 : 4, 2 * nVariants + 3);

/** Floating-point operations of a forward pass over one sequence: 2 a weight and token, 4 H T E a token for attention. */
export function sequenceOperations(config: ModelConfig, tokens: number): { block: number; head: number } {
  const attention = 4 * config.nHeads * tokens * tokens * config.headWidth;
  return {
    block: 2 * groupSize(blockGroup(config, 0)) * tokens + attention,
    head: 2 * config.vocabularySize * config.width * tokens,
  };
}

function sliceRows(config: ModelConfig, rows: number): number {
  const byLogits = logitsBytes / (4 * rows);
  const byWeights = largestStreamedSliceBytes / (4 * config.width);
  const power = 2 ** Math.floor(Math.log2(Math.max(256, Math.min(byLogits, byWeights))));
  return Math.min(power, config.vocabularySize);
}

function weightBytes(config: ModelConfig, mode: MemoryPlan['mode'], headSliceRows: number): number {
  const blocks = config.blocks.map((_, block) => groupBytes(blockGroup(config, block)));
  const slices = headGroups(config, headSliceRows).map(groupBytes);
  return mode === 'resident' ? sum(blocks) + sum(slices) : 2 * Math.max(...blocks, ...slices);
}

/** The most that one run holds beside weights and hidden states. */
function activationBytes(config: ModelConfig, sequences: number, T: number, headSliceRows: number): number {
  const { width: D, mlpWidth: F, nHeads: H, headWidth: E } = config;
  const rows = sequences * T;
  const block = rows * (4 * D + 3 * F + 4 * H * E) + 3 * sequences * H * Math.min(T, 128) * T;
  const head = rows * (2 * D + 2 * headSliceRows);
  return 4 * Math.max(block, head);
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, n) => total + n, 0);

function cannotFit(config: ModelConfig, plan: MemoryPlan, request: ExecutionRequest): UserError {
  const { weights, states, activations, processes } = plan.bytes;
  return new UserError(
    'cannotFit',
    `This needs ${megabytes(plan.totalBytes)} (weights ${megabytes(weights)}, hidden states ${megabytes(states)}, ` +
      `activations ${megabytes(activations)}, the processes ${megabytes(processes)}) with weights ${plan.mode}, ` +
      `but only ${megabytes(request.limitBytes)} may be used: ${remedy(config, request)}.`,
  );
}

/** The least change of the request that does fit; what is advised was planned. */
function remedy(config: ModelConfig, request: ExecutionRequest): string {
  const needs = (change: Partial<ExecutionRequest>) =>
    leastPlan(config, { ...request, ...change }, 'streaming').totalBytes;
  const fits = (change: Partial<ExecutionRequest>) => needs(change) <= request.limitBytes;
  const streaming = request.memory === 'resident' ? '--memory streaming' : '';
  const use = (...options: string[]) => `use ${[streaming, ...options].filter((option) => option !== '').join(' ')}`;
  if (streaming && fits({})) return use();
  const shorter: number[] = [];
  for (let tokens = request.tokensPerSequence; tokens >= 32; tokens = Math.floor(tokens / 2)) shorter.push(tokens);
  const tokens = shorter.find((tokensPerSequence) => fits({ tokensPerSequence }));
  if (tokens !== undefined) return use(`--tokens ${tokens}`);
  const alone = shorter.find((tokensPerSequence) => fits({ nSequences: 1, tokensPerSequence }));
  if (alone !== undefined) return use('--sequences 1', `--tokens ${alone}`);
  const least = needs({ nSequences: 1, tokensPerSequence: shorter.at(-1) ?? request.tokensPerSequence });
  return `no choice of sequences takes less than ${megabytes(least)}, so allow at least that or use a machine with more memory`;
}

/** Rounded up: for sentences. */
export const megabytes = (bytes: number) => `${Math.ceil(bytes / 1e6)} MB`;
