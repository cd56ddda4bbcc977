// How much of a run's text is computed with float32 matrices, too, so that a report can say what narrower ones cost. Pure.
import { isUserError } from '../errors';
import type { ModelConfig } from '../model/config';
import { inFloat32 } from '../model/storage';
import type { MemoryLimits } from './memoryLimits';
import { type ExecutionRequest, type MemoryPlan, planExecution } from './memoryPlan';

/** More would tell little more: the errors of both widths are paired by token. */
const comparedTokens = 1024;

type Shape = Pick<ExecutionRequest, 'nSequences' | 'tokensPerSequence'>;

/** null: there are none. */
export const shapeOf = (sequences: readonly Int32Array[] = []): Shape | null =>
  sequences[0] ? { nSequences: sequences.length, tokensPerSequence: sequences[0].length } : null;

/** How many of the first sequences are compared. */
export const nCompared = ({ nSequences, tokensPerSequence }: Shape): number =>
  Math.min(nSequences, Math.max(1, Math.floor(comparedTokens / tokensPerSequence)));

/** Weights are streamed, so that it takes little beside the run itself. null: nothing is narrower, or it does not fit. */
export function planComparison(config: ModelConfig, shape: Shape, limits: MemoryLimits): MemoryPlan | null {
  if (!config.storage) return null;
  const { tokensPerSequence } = shape;
  const request = { nSequences: nCompared(shape), tokensPerSequence, keepStates: false, memory: 'streaming' as const };
  try {
    return planExecution(inFloat32(config), { ...request, ...limits });
  } catch (error) {
    if (isUserError(error) && error.code === 'cannotFit') return null;
    throw error;
  }
}

/** A plan of the run whose totals are those of the comparison where that takes more; it comes before the run. */
export function withComparison<P extends MemoryPlan>(
  plan: P,
  config: ModelConfig,
  shape: Shape | null,
  limits: MemoryLimits,
): P {
  const compared = shape && planComparison(config, shape, limits);
  if (!compared) return plan;
  const { device } = plan;
  const totalBytes = Math.max(plan.totalBytes, compared.totalBytes);
  if (!device || !compared.device) return { ...plan, totalBytes };
  return {
    ...plan,
    totalBytes,
    device: { ...device, totalBytes: Math.max(device.totalBytes, compared.device.totalBytes) },
  };
}
