// The learning rate of each step, as transformers' schedules give it (optimization.py: get_constant_schedule,
// get_linear_schedule_with_warmup, get_cosine_schedule_with_warmup).
import type { OptimizerOptions } from '../recipes/heal/trainingOptions';

type Schedule = OptimizerOptions['schedule'];

/** The factor after warm-up, when `done` in [0, 1) of the steps behind it is done. */
const afterWarmup: Record<Schedule, (done: number) => number> = {
  constant: () => 1,
  linear: (done) => 1 - done,
  cosine: (done) => 0.5 * (1 + Math.cos(Math.PI * done)),
};

/**
 * The learning rate of step `step`, counted from 0, of `steps` in all. In warm-up it rises from 0 in equal parts, so that with
 * any warm-up the first step changes nothing.
 */
export function learningRate(
  { learningRate: peak, schedule, warmupSteps }: Pick<OptimizerOptions, 'learningRate' | 'schedule' | 'warmupSteps'>,
  steps: number,
  step: number,
): number {
  if (step < warmupSteps) return (peak * step) / warmupSteps;
  const rest = Math.max(1, steps - warmupSteps);
  return peak * Math.max(0, afterWarmup[schedule](Math.min(1, (step - warmupSteps) / rest)));
}
