// A loss beside that of the original on the same tokens.
import type { LossNotFinite, MeasuredLoss } from '../protocol/reports';
import { meanAndError } from '../execution/sequenceStatistics';
import { allFinite, notFinite } from '../shared/finite';

/**
 * From the losses of all predictions, [sequences x predictions], of a variant and of the original. The error of the loss
 * is taken over sequences, that of the cost over the paired differences of single predictions: what makes a text hard is
 * hard for both. A variant with a prediction that is NaN or infinite has no loss.
 */
export function measuredLoss(nats: Float32Array, original: Float32Array, nSequences: number): MeasuredLoss {
  if (!allFinite(nats)) return lossNotFinite;
  const each = nats.length / nSequences;
  const sequenceMeans = Array.from({ length: nSequences }, (_, w) => mean(nats.subarray(w * each, (w + 1) * each)));
  const { mean: lossNats, standardError } = meanAndError(sequenceMeans);
  const { mean: costNats, standardError: costStandardError } = pairedDifference(nats, original);
  return { lossNats, standardError, costNats, costStandardError };
}

const lossNotFinite: LossNotFinite = {
  lossNats: notFinite,
  standardError: null,
  costNats: notFinite,
  costStandardError: null,
};

/** The mean of a - b and its standard error over the pairs. */
export function pairedDifference(a: Float32Array, b: Float32Array): { mean: number; standardError: number } {
  const n = a.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += a[i]! - b[i]!;
  const average = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (a[i]! - b[i]! - average) ** 2;
  return { mean: average, standardError: n < 2 ? 0 : Math.sqrt(squares / (n - 1) / n) };
}

function mean(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}
