// The metrics of a healing as a table for spreadsheets: a row for every step and one for every judgement.
import type { Line } from './healFolder';

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
