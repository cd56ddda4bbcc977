// What scoring packed requests will hold, before it starts. Pure.
import type { ModelConfig } from '../model/config';
import { type MemoryPlan, planExecution, type ExecutionRequest, roomFor, tensorsOf, withMore } from './memoryPlan';

export interface ScoringPlan extends MemoryPlan {
  /** Batches whose states and masks take no more than this go through the model together. */
  readonly groupBytes: number;
}

export interface ScoringRequest extends Pick<ExecutionRequest, 'memory' | 'limitBytes' | 'device'> {
  /** With padding. */
  readonly nTokens: number;
  readonly batchTokens: number;
  readonly nPaths: number;
}

/** With resident weights more together only saves computing prefixes again. */
const mostResidentBytes = 400e6;

/** Throws UserError('cannotFit') like planExecution. */
export function planScoring(
  config: ModelConfig,
  { nTokens, batchTokens, nPaths, ...how }: ScoringRequest,
): ScoringPlan {
  const nSequences = Math.ceil(nTokens / batchTokens);
  const plan = planExecution(config, {
    nSequences,
    tokensPerSequence: batchTokens,
    keepStates: false,
    nVariants: nPaths,
    ...how,
  });
  const { states } = tensorsOf(plan).bytes;
  if (plan.mode === 'streaming') return { ...plan, nTokens, groupBytes: states };
  const room = Math.max(0, roomFor(plan, how)) / 2;
  const needed = (states * nTokens) / batchTokens;
  const more = Math.max(0, Math.min(mostResidentBytes, room, needed) - states);
  return { ...withMore(plan, 'states', more), nTokens, groupBytes: states + more };
}
