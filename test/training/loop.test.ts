// The loop alone, around a model that is a list of losses: when it evaluates and saves, what is the best, what ends it, and that
// a run which goes on from a saved state does what it would have done.
import { describe, expect, it } from 'vitest';
import type { LoopOptions } from '../../server/recipes/heal/trainingOptions';
import { atTheBeginning, type LoopEnd, type Progress, recovered, trainLoop } from '../../server/training/loop';

const options = (change: Partial<LoopOptions> = {}): LoopOptions => ({
  steps: 6,
  microBatchSequences: 1,
  accumulate: 1,
  evaluateEverySteps: 2,
  heldOut: null,
  patience: null,
  saveEverySteps: 3,
  activations: 'keep',
  ...change,
});

interface Script {
  /** Loss, or loss and gradient norm, of a step; 1 where there is none. */
  losses?: (number | [number, number])[];
  /** Held-out loss after so many steps; null: nothing is held out. */
  heldOut?: ((step: number) => number) | null;
  stopAt?: number;
  from?: Progress;
}

const falling = (step: number) => 5 - step / 10;

/** What happened, in words, in order; the states that were saved; and the end. */
async function run(
  change: Partial<LoopOptions>,
  { losses = [], heldOut = falling, stopAt, from }: Script = {},
  events: string[] = [],
) {
  const saved: Progress[] = [];
  let made = (from ?? atTheBeginning).step;
  const end: LoopEnd = await trainLoop(
    {
      guessingNats: Math.log(512),
      async step(step) {
        expect(step).toBe(made++);
        const given = losses[step] ?? 1;
        const [lossNats, gradNorm] = typeof given === 'number' ? [given, 1] : given;
        return { lossNats, gradNorm, learningRate: 0, tokensPerSecond: 1 };
      },
      evaluate: heldOut && (async () => heldOut(made)),
    },
    options(change),
    { dense: 4, pruned: 5 },
    from ?? atTheBeginning,
    {
      onStep: async ({ step }) => void events.push(`step ${step}`),
      onEvaluated: async ({ step, recoveredFraction }) =>
        void events.push(`evaluate ${step}: ${recoveredFraction?.toFixed(2)}`),
      best: async () => void events.push('best'),
      snapshot: async (progress) => async () => {
        events.push(`save ${progress.step}`);
        saved.push(progress);
      },
      stops: async () => made === stopAt,
    },
  );
  return { events, saved, end };
}

const evaluations = ({ events }: { events: string[] }) => events.filter((event) => event.startsWith('evaluate')).length;

describe('a run', () => {
  it('evaluates before the first step, every so many and at the end, and saves', async () => {
    const { events, end } = await run({ steps: 5 });
    expect(events.join(', ')).toBe(
      'best, evaluate 0: 0.00, save 0, step 0, step 1, best, evaluate 2: 0.20, step 2, save 3, step 3, ' +
        'best, evaluate 4: 0.40, step 4, best, evaluate 5: 0.50, save 5',
    );
    expect(end).toEqual({
      stoppedBy: 'steps',
      progress: { step: 5, best: { step: 5, lossNats: 4.5 }, sinceBest: 0, evaluatedAtStep: 5 },
    });
  });

  it('is evaluated once where the end is a moment to evaluate', async () => expect(evaluations(await run({}))).toBe(4));

  it('that holds nothing out is not evaluated, and has no best', async () => {
    const { events, end } = await run({ patience: 1 }, { heldOut: null });
    expect(events.filter((event) => !event.startsWith('s'))).toEqual([]);
    expect(end).toEqual({ stoppedBy: 'steps', progress: { ...atTheBeginning, step: 6 } });
  });

  it('keeps the best, not the last, and of equals the first', async () => {
    const heldOut = [5, 0, 4, 0, 3, 0, 3, 0, 4];
    const { events, end } = await run({ steps: 8 }, { heldOut: (step) => heldOut[step]! });
    expect(events.filter((event) => event === 'best')).toHaveLength(3);
    expect(end.progress).toEqual({ step: 8, best: { step: 4, lossNats: 3 }, sinceBest: 2, evaluatedAtStep: 8 });
  });

  it.each<[patience: number, heldOut: number[], steps: number]>([
    [1, [5, 6], 1],
    [2, [5, 4, 6, 6], 3],
    [2, [5, 6, 4, 6, 3, 6, 6], 6],
    [3, [5, 5, 5, 5], 3],
  ])('with patience %d ends when the evaluations are %j', async (patience, heldOut, steps) => {
    const { end } = await run({ steps: 9, evaluateEverySteps: 1, patience }, { heldOut: (step) => heldOut[step]! });
    expect([end.stoppedBy, end.progress.step]).toEqual(['patience', steps]);
  });

  it('stops when it is told to: evaluated and saved', async () => {
    const { events, end } = await run({}, { stopAt: 3 });
    expect(end).toMatchObject({ stoppedBy: 'request', progress: { step: 3, evaluatedAtStep: 3 } });
    expect(events.slice(-3)).toEqual(['best', 'evaluate 3: 0.30', 'save 3']);
  });

  const guess = 2 * Math.log(512);
  it.each<[string, number, boolean]>([
    ['worse than twice guessing', guess + 0.001, true],
    ['a little better than twice guessing', guess - 0.001, false],
  ])('a loss that is %s', async (_, loss, ends) => {
    const { events, end } = await run({}, { losses: [1, 1, 1, loss] });
    expect([end.stoppedBy, end.progress.step]).toEqual(ends ? ['divergence', 3] : ['steps', 6]);
    // Neither told as a step nor evaluated.
    if (ends) expect(events.slice(events.indexOf('step 2') + 1)).toEqual(['save 3']);
  });

  it.each<[string, Script]>([
    ['loss', { losses: [1, 1, 1, 1, Number.NaN] }],
    ['loss', { losses: [1, 1, 1, 1, Number.POSITIVE_INFINITY] }],
    ['gradient', { losses: [1, 1, 1, 1, [1, Number.NaN]] }],
    ['gradient', { losses: [1, 1, 1, 1, [1, Number.POSITIVE_INFINITY]] }],
    ['held-out loss', { heldOut: (step) => (step === 4 ? Number.NaN : 5 - step) }],
  ])('ends with a sentence that names the step where a %s is not finite', async (what, script) => {
    const events: string[] = [];
    const best = what === 'held-out loss' ? 2 : 4;
    await expect(run({ saveEverySteps: 2 }, script, events)).rejects.toMatchObject({
      code: 'notFinite',
      message: expect.stringMatching(new RegExp(`^The ${what} is not finite in step 4: the adapter of step ${best}, `)),
    });
    // The state of step 4 was not good, so that the one before it stays.
    expect(events.filter((event) => event.startsWith('save'))).toEqual(['save 0', 'save 2']);
  });
});

describe('a run that goes on', () => {
  const heldOut = (step: number) => [5, 0, 3, 0, 4, 0, 2, 0, 6, 0, 6][step]!;
  const script = { heldOut };
  const loop = { steps: 10, saveEverySteps: 1, patience: 3 };

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])('from the state of step %d does what it would have done', async (at) => {
    const all = await run(loop, script);
    const from = all.saved.find(({ step }) => step === at)!;
    const rest = await run(loop, { ...script, from });
    const saves = all.events.indexOf(`save ${at}`);
    expect(rest.events).toEqual(all.events.slice(saves));
    expect(rest.end).toEqual(all.end);
  });

  it('from its end does nothing more than save', async () => {
    const all = await run(loop, script);
    const { events, end } = await run(loop, { ...script, from: all.end.progress });
    expect([events, end]).toEqual([['save 10'], all.end]);
  });

  it('from where patience ended it, ends there again', async () => {
    const impatient = { ...loop, patience: 1 };
    const all = await run(impatient, script);
    expect(all.end).toMatchObject({ stoppedBy: 'patience', progress: { step: 4 } });
    expect((await run(impatient, { ...script, from: all.end.progress })).end).toEqual(all.end);
  });
});

describe('the recovered fraction', () => {
  it.each<[now: number, dense: number | null, pruned: number | null, fraction: number | null]>([
    [3, 2, 4, 0.5],
    [4, 2, 4, 0],
    [2, 2, 4, 1],
    [1, 2, 4, 1.5],
    [5, 2, 4, -0.5],
    [3, null, 4, null],
    [3, 2, null, null],
    [3, 4, 4, null],
    [3, 5, 4, null],
  ])('of %d between %j and %j is %j', (now, dense, pruned, fraction) => {
    expect(recovered(now, { dense, pruned })).toBe(fraction);
  });
});
