// The loop around the steps: evaluates, keeps the best, stops. It calls a listener for each, which also keeps the files.
import type { LoopOptions, HealReport } from '../recipes/heal/recipe';
import type { HealEval, HealStep, LossPoint } from '../protocol/reports';
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
  readonly judgedAt: number;
}

export const atTheBeginning: Progress = { step: 0, best: null, sinceBest: 0, judgedAt: -1 };

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
  /** A good moment to save all that a resumed run needs. */
  save(progress: Progress): Promise<void>;
  /** Waits while the run is paused; true: stop now. */
  stops(): Promise<boolean>;
}

export interface LoopEnd {
  readonly progress: Progress;
  readonly stoppedBy: HealReport['stoppedBy'];
}

/**
 * Goes on from `from` until the steps are made, the patience is over, it is asked to stop, or the loss is lost. Evaluates before
 * the first step, every so many steps, and at the end.
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
    if (!trainer.evaluate || at.judgedAt === at.step) return;
    const lossNats = await trainer.evaluate();
    const isBest = Number.isFinite(lossNats) && (at.best === null || lossNats < at.best.lossNats);
    if (isBest) await listener.best();
    at = {
      step: at.step,
      best: isBest ? { step: at.step, lossNats } : at.best,
      sinceBest: isBest ? 0 : at.sinceBest + 1,
      judgedAt: at.step,
    };
    await listener.onEvaluated({
      step: at.step,
      ...lossPoint(lossNats),
      recoveredFraction: recovered(lossNats, references),
    });
  };
  const end = async (stoppedBy: HealReport['stoppedBy']): Promise<LoopEnd> => {
    if (stoppedBy !== 'divergence') await evaluate();
    await listener.save(at);
    return { progress: at, stoppedBy };
  };

  while (at.step < loop.steps) {
    if (at.step % loop.evaluateEverySteps === 0) await evaluate();
    if (loop.patience !== null && at.sinceBest >= loop.patience) return end('patience');
    if (at.step % loop.saveEverySteps === 0) await listener.save(at);
    if (await listener.stops()) return end('request');
    const { lossNats, gradNorm, learningRate, tokensPerSecond } = await trainer.step(at.step);
    if (!Number.isFinite(lossNats) || !Number.isFinite(gradNorm) || lossNats > 2 * trainer.guessingNats)
      return end('divergence');
    await listener.onStep({ step: at.step, lossNats, gradNorm, learningRate, tokensPerSecond });
    at = { ...at, step: at.step + 1 };
  }
  return end('steps');
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

export const lossPoint = (lossNats: number): LossPoint => ({ lossNats, perplexity: Math.exp(lossNats) });
