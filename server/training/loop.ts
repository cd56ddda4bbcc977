// The loop around the steps: evaluates, keeps the best, stops. It calls a listener for each, which also keeps the files.
import { isUserError, UserError } from '../errors';
import type { LoopOptions } from '../recipes/heal/trainingOptions';
import type { HealReport } from '../recipes/heal/recipe';
import type { HealEval, HealStep, LossPoint } from '../protocol/reports';
import { perplexityOf } from '../shared/finite';
import { recoveredFraction } from '../shared/recovery';
import type { StepResult } from './step';

/** Where a run is; with the adapter's tensors all that it takes to go on. */
export interface Progress {
  /** Steps that were made. */
  readonly step: number;
  readonly best: { readonly step: number; readonly lossNats: number } | null;
  /** Evaluations since the best one. */
  readonly sinceBest: number;
  /** The last evaluation was after so many steps; -1: none. */
  readonly evaluatedAtStep: number;
}

export const atTheBeginning: Progress = { step: 0, best: null, sinceBest: 0, evaluatedAtStep: -1 };

/** What the loop makes steps of. */
export interface Trainer {
  step(step: number): Promise<StepResult & { readonly tokensPerSecond: number }>;
  /** The held-out loss in nats; null where nothing is held out. */
  readonly evaluate: (() => Promise<number>) | null;
  /** The loss of guessing every token alike, ln V: twice that is no longer learning. */
  readonly guessingNats: number;
}

export interface Listener {
  onStep(step: HealStep): Promise<void>;
  onEvaluated(evaluation: HealEval): Promise<void>;
  /** The adapter of now is the best so far. */
  best(): Promise<void>;
  /** Takes down all that a resumed run needs. What it gives back writes it. */
  snapshot(progress: Progress): Promise<() => Promise<void>>;
  /** Waits while the run is paused; true: stop now. */
  stops(): Promise<boolean>;
}

export interface LoopEnd {
  readonly progress: Progress;
  readonly stoppedBy: HealReport['stoppedBy'];
}

/**
 * Goes on from `from` until the steps are made, the patience is over, it is asked to stop, or the loss is lost. Evaluates before
 * the first step, every so many steps, and at the end. A state is written once the step after it was good, so that what a
 * run is resumed from can be gone on from.
 * @throws UserError `notFinite` that names the step where a loss or a gradient is NaN or infinite
 */
export async function trainLoop(
  trainer: Trainer,
  loop: LoopOptions,
  references: References,
  from: Progress,
  listener: Listener,
): Promise<LoopEnd> {
  let at = from;
  const evaluate = async () => {
    if (!trainer.evaluate || at.evaluatedAtStep === at.step) return;
    const lossNats = await named(at, trainer.evaluate);
    if (!Number.isFinite(lossNats)) throw lostIn(at, 'held-out loss');
    const isBest = at.best === null || lossNats < at.best.lossNats;
    if (isBest) await listener.best();
    at = {
      step: at.step,
      best: isBest ? { step: at.step, lossNats } : at.best,
      sinceBest: isBest ? 0 : at.sinceBest + 1,
      evaluatedAtStep: at.step,
    };
    await listener.onEvaluated({
      step: at.step,
      ...lossPoint(lossNats),
      recoveredFraction: recovered(lossNats, references),
    });
  };
  const end = async (stoppedBy: HealReport['stoppedBy']): Promise<LoopEnd> => {
    if (stoppedBy !== 'divergence') await evaluate();
    await (await listener.snapshot(at))();
    return { progress: at, stoppedBy };
  };

  let write: (() => Promise<void>) | null = null;
  while (at.step < loop.steps) {
    if (at.step % loop.evaluateEverySteps === 0) await evaluate();
    if (loop.patience !== null && at.sinceBest >= loop.patience) return end('patience');
    if (at.step % loop.saveEverySteps === 0) write = await listener.snapshot(at);
    if (await listener.stops()) return end('request');
    const { lossNats, gradNorm, learningRate, tokensPerSecond } = await named(at, () => trainer.step(at.step));
    if (!Number.isFinite(lossNats)) throw lostIn(at, 'loss');
    if (!Number.isFinite(gradNorm)) throw lostIn(at, 'gradient');
    if (lossNats > 2 * trainer.guessingNats) return end('divergence');
    await write?.();
    write = null;
    await listener.onStep({ step: at.step, lossNats, gradNorm, learningRate, tokensPerSecond });
    at = { ...at, step: at.step + 1 };
  }
  return end('steps');
}

/** A loss that is not finite is that of the weights before the first step, and after it that of the training. */
async function named<T>(at: Progress, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw at.step > 0 && isUserError(error) && error.code === 'notFinite' ? lostIn(at, 'loss') : error;
  }
}

function lostIn({ step, best }: Progress, what: string): UserError {
  const kept = best
    ? `the adapter of step ${best.step}, the best so far, is kept`
    : 'the adapter is the one it began with';
  return new UserError(
    'notFinite',
    `The ${what} is not finite in step ${step}: ${kept}, and so is the last state before it; begin again with a smaller --lr, or a longer --warmup.`,
  );
}

export interface References {
  readonly dense: number | null;
  readonly pruned: number | null;
}

/** (pruned - now) / (pruned - dense); null where there is nothing to recover, or it is not known. */
export function recovered(now: number, { dense, pruned }: References): number | null {
  if (dense === null || pruned === null) return null;
  return recoveredFraction({ original: dense, pruned, healed: now });
}

export const lossPoint = (lossNats: number): LossPoint => ({ lossNats, perplexity: perplexityOf(lossNats) });
