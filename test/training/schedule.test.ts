// Learning rates against the formulas of transformers 5.23 (optimization.py), worked out by hand for each row:
// _get_constant_schedule_with_warmup, _get_linear_schedule_with_warmup and _get_cosine_schedule_with_warmup (half a wave).
import { describe, expect, it } from 'vitest';
import { learningRate } from '../../server/training/schedule';

type Schedule = Parameters<typeof learningRate>[0]['schedule'];

/** The rate of every step, over a peak of 8. */
const rows: [schedule: Schedule, warmup: number, steps: number, rates: number[]][] = [
  ['constant', 0, 3, [8, 8, 8]],
  ['constant', 4, 6, [0, 2, 4, 6, 8, 8]],
  ['linear', 0, 4, [8, 6, 4, 2]],
  ['linear', 2, 6, [0, 4, 8, 6, 4, 2]],
  ['linear', 4, 5, [0, 2, 4, 6, 8]],
  // 0.5 (1 + cos(pi progress)) for the progress 0, 1/4, 1/2, 3/4
  ['cosine', 0, 4, [8, 4 + 4 * Math.SQRT1_2, 4, 4 - 4 * Math.SQRT1_2]],
  // 0, 1/3, 2/3
  ['cosine', 2, 5, [0, 4, 8, 6, 2]],
  // The warm-up may be all of it, and longer than that.
  ['linear', 4, 4, [0, 2, 4, 6]],
  ['cosine', 8, 4, [0, 1, 2, 3]],
  ['constant', 1, 1, [0]],
  ['linear', 0, 1, [8]],
];

describe('the learning rate', () => {
  it.each(rows)('%s, %d steps of warm-up, %d in all', (schedule, warmupSteps, steps, rates) => {
    const found = rates.map((_, step) => learningRate({ learningRate: 8, schedule, warmupSteps }, steps, step));
    for (const [step, rate] of rates.entries()) expect(found[step], `step ${step}`).toBeCloseTo(rate, 12);
  });

  it.each<[Schedule, number]>([
    ['constant', 8],
    ['linear', 0],
    ['cosine', 0],
  ])('of %s is %d behind the last step', (schedule, rate) => {
    const options = { learningRate: 8, schedule, warmupSteps: 2 };
    for (const step of [6, 7, 100]) expect(learningRate(options, 6, step)).toBeCloseTo(rate, 12);
  });

  it.each<Schedule>(['constant', 'linear', 'cosine'])('of %s is 0 at the first step with any warm-up', (schedule) => {
    for (const warmupSteps of [1, 2, 50])
      expect(learningRate({ learningRate: 8, schedule, warmupSteps }, 10, 0)).toBe(0);
  });
});
