// What training will hold: like memoryPlan.ts, for forward and backward passes. Pure.
import { UserError } from '../errors';
import type { ModelConfig } from '../model/config';
import type { AdapterUse } from '../model/lora';
import type { MemoryMode } from '../protocol/recipes';
import { segmentInside, trainingInside } from './insideSizes';
import type { MemoryLimits } from './memoryLimits';
import {
  fits,
  type MemoryPlan,
  placed,
  planExecution,
  sequenceOperations,
  shortage,
  tensorsOf,
  withMore,
  withStayingBlocks,
} from './memoryPlan';
import { lostBetweenStates, weightSizes } from './memorySizes';
import { blockGroup, groupSize } from './weightStore';

export interface TrainingRequest extends MemoryLimits {
  readonly microBatchSequences: number;
  readonly tokensPerSequence: number;
  readonly accumulate: number;
  /** Elements of all adapter matrices. */
  readonly nAdapterParameters: number;
  /** Those of the block that has the most. */
  readonly adapters: AdapterUse;
  readonly activations: 'auto' | 'keep' | 'recompute';
  /** Its masks would all have to be there together in a segment, so that there is none. */
  readonly dropout: number;
  readonly memory: MemoryMode;
}

export interface TrainingPlan extends MemoryPlan {
  readonly keeps: 'keep' | 'recompute';
  /** So many of the last blocks are one graph with the head (segment.ts). */
  readonly segmentBlocks: number;
  /** Micro-batches that go through the model together: all of a step where weights are streamed. */
  readonly batchesAtOnce: number;
}

/**
 * The fastest way that fits: weights resident and the insides of blocks kept, then computed again, then weights streamed,
 * with as many blocks on the device as fit.
 * @throws UserError `cannotFit` with the numbers of the least.
 */
export function planTraining(config: ModelConfig, request: TrainingRequest): TrainingPlan {
  const modes = request.memory === 'auto' ? (['resident', 'streaming'] as const) : [request.memory];
  const keeping = request.activations === 'auto' ? (['keep', 'recompute'] as const) : [request.activations];
  const plans = modes.flatMap((mode) => keeping.map((keeps) => planOf(config, request, mode, keeps)));
  const fitting = plans.find((plan) => fits(plan, request));
  if (fitting?.mode === 'resident') return withSegment(config, fitting, request);
  if (fitting) return withStayingBlocks(config, fitting, request);
  const least = plans.reduce((a, b) => (tensorsOf(b).totalBytes < tensorsOf(a).totalBytes ? b : a));
  throw new UserError(
    'cannotFit',
    `Training needs ${shortage(least, request)}: use fewer --tokens or a smaller --micro-batch` +
      `${request.memory === 'resident' ? ', or --memory streaming' : ''}.`,
  );
}

/**
 * A run cannot be interrupted: a segment has so many floating-point operations at most, which is 10 to 20 seconds on two cores.
 */
const longestRunOperations = 2e12;

/** Where insides are kept, as many of the last blocks as fit are a segment. */
function withSegment(config: ModelConfig, plan: TrainingPlan, request: TrainingRequest): TrainingPlan {
  if (plan.keeps !== 'keep' || request.dropout > 0) return plan;
  const { microBatchSequences, tokensPerSequence } = request;
  const { block, head } = sequenceOperations(config, tokensPerSequence);
  const most = Math.min(
    config.nBlocks - 1,
    Math.floor((longestRunOperations / microBatchSequences - 2 * head) / (2 * block)),
  );
  for (let segmentBlocks = most; segmentBlocks > 0; segmentBlocks--) {
    const more = { ...withSegmentOf(config, plan, request, segmentBlocks), segmentBlocks };
    if (fits(more, request)) return more;
  }
  return plan;
}

/**
 * On the host a segment keeps what is merged into its weights beside what the plan has already. On a device its blocks keep all that
 * is made in them, in place of their input and what is saved.
 */
function withSegmentOf(
  config: ModelConfig,
  plan: TrainingPlan,
  { device, microBatchSequences, tokensPerSequence, adapters }: TrainingRequest,
  nBlocks: number,
): TrainingPlan {
  if (!device) return withMore(plan, 'activations', nBlocks * 4 * groupSize(blockGroup(config, 0)));
  const batch = { batch: microBatchSequences, tokens: tokensPerSequence };
  const { saved, insideKept } = trainingInside(config, batch, plan.headSliceRows, adapters);
  const inside = segmentInside(config, batch, plan.headSliceRows, adapters, nBlocks);
  const less = nBlocks * (saved + 4 * microBatchSequences * tokensPerSequence * config.width);
  return withMore(withMore(plan, 'states', -less), 'activations', Math.max(0, inside - insideKept));
}

function planOf(
  config: ModelConfig,
  request: TrainingRequest,
  mode: MemoryPlan['mode'],
  keeps: 'keep' | 'recompute',
): TrainingPlan {
  const { microBatchSequences, tokensPerSequence: T, accumulate, nAdapterParameters } = request;
  const forwardPlan = planExecution(config, {
    nSequences: microBatchSequences,
    tokensPerSequence: T,
    keepStates: false,
    memory: mode,
    limitBytes: Number.POSITIVE_INFINITY,
  });
  const { width: D, mlpWidth: F, nHeads: H, nKeyValueHeads: G, headWidth: E, nBlocks: N } = config;
  const rows = microBatchSequences * T;
  const batchesAtOnce = mode === 'streaming' ? accumulate : 1;
  // A block's inside: the results of its products, norms and softmax; about as much again flows back through it. What is
  // kept is less, see graph/cut.ts: the plan is on the safe side.
  const inside =
    rows * (4 * D + 2 * H * E + 2 * G * E + 4 * F) + microBatchSequences * H * T * Math.min(T, (T + 128) / 2);
  const kept = keeps === 'keep' ? batchesAtOnce * N * inside : 0;
  const states = batchesAtOnce * (N + 3) * rows * D;
  const head = rows * (5 * D + 3 * forwardPlan.headSliceRows);
  const batch = { batch: microBatchSequences, tokens: T };
  const counted = trainingInside(config, batch, forwardPlan.headSliceRows, request.adapters);
  const activations = keeps === 'keep' ? counted.insideKept : counted.inside;
  const sizes = weightSizes(config, forwardPlan.headSliceRows);
  const frozen = mode === 'resident' ? sizes.resident : sizes.withStaying(0, false);
  return {
    ...forwardPlan,
    microBatchSequences,
    groupSequences: microBatchSequences,
    nTokens: rows * accumulate,
    ...placed(request, {
      weights: { ...frozen, staying: frozen.staying + 4 * 6 * nAdapterParameters },
      ...(request.device
        ? {
            states: 4 * batchesAtOnce * (N + 1) * rows * D + (keeps === 'keep' ? batchesAtOnce * N * counted.saved : 0),
            activations,
          }
        : {
            states: 4 * (states + kept) + lostBetweenStates(config, batchesAtOnce * N, 4 * rows * D),
            activations: Math.max(activations, 4 * Math.max(3 * inside, head)),
          }),
      cacheBytes: 0,
      copiedBytes: 4 * 2 * rows * D,
    }),
    keeps,
    segmentBlocks: 0,
    batchesAtOnce,
  };
}
