// The lines that a healing's metrics are made of, and the same as a table for spreadsheets: a row for every step and one for
// every evaluation.
import type { HealEval, HealStep, LossPoint } from '../../protocol/reports';

/** What the losses of a run are held against; null: there is none. */
export interface References {
  readonly dense: LossPoint | null;
  readonly pruned: LossPoint | null;
}

export type Line = { step: HealStep } | { evaluation: HealEval } | { references: References };

export const csvHeader = 'step,lossNats,gradNorm,learningRate,tokensPerSecond,heldOutLossNats,recoveredFraction\n';

export function csvLine(line: Line): string {
  if ('step' in line) {
    const { step, lossNats, gradNorm, learningRate, tokensPerSecond } = line.step;
    return `${[step, lossNats, gradNorm, learningRate, tokensPerSecond, '', ''].join()}\n`;
  }
  if ('references' in line) return '';
  const { step, lossNats, recoveredFraction } = line.evaluation;
  return `${[step, '', '', '', '', lossNats, recoveredFraction ?? ''].join()}\n`;
}
