// A healing in words and numbers, for reports and while it runs.
import type { Checkpoint } from '../../checkpoint/checkpoint';
import type { HealRecipe } from './recipe';
import type { AdapterSummary } from '../../protocol/reports';
import { type LoopEnd, lossPoint } from '../../training/loop';
import type { TrainingInputs } from './trainingInputs';
import { summarize } from '../modelSummary';

/** What the end of the loop says; numbers of the run itself come beside it. */
export const reportOf = (
  checkpoint: Checkpoint,
  { out, objective, optimizer }: HealRecipe,
  { data }: TrainingInputs,
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

/** @param lastNormOfB of the adapter after the last step, which need not be the one that is kept */
export function warningOf({ stoppedBy, progress: { best, step } }: LoopEnd, lastNormOfB: number): string | null {
  if (stoppedBy === 'divergence')
    return `The loss was lost after ${step} steps: it was worse than guessing. The adapter of step ${best?.step ?? step} is kept; begin again with a smaller --lr, or a longer --warmup.`;
  if (lastNormOfB === 0)
    return 'The adapter did not change, so that the healed model is the pruned one; take more steps, or a larger --lr.';
  if (best?.step === 0 && step > 0)
    return 'No step made the held-out loss better, so that the adapter is the one that it began with; try a smaller --lr, or other data.';
  return null;
}

/** How long the rest will take at this speed. */
export function remainingSeconds(
  { loop }: HealRecipe,
  { meanTokens }: TrainingInputs,
  step: number,
  tokensPerSecond: number,
): number {
  const tokens = (loop.steps - step - 1) * loop.microBatchSequences * loop.accumulate * meanTokens;
  return tokens / tokensPerSecond;
}

export const summaryOf = ({ modules, form, nParameters }: TrainingInputs, norm: number): AdapterSummary => ({
  nParameters,
  rank: form.rank,
  alpha: form.alpha,
  targets: [...new Set(modules.map(({ target }) => target))],
  blocks: [...new Set(modules.map(({ block }) => block))],
  normB: norm,
});

/** L2 over all B. */
export function normOfB(tensors: Iterable<{ readonly b: Float32Array }>): number {
  let squares = 0;
  for (const { b } of tensors) for (const x of b) squares += x * x;
  return Math.sqrt(squares);
}
