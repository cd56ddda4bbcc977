// A measured loss in a test that expects a number.
import type { FiniteLoss, MeasuredLoss, NotFinite } from '../server/protocol/reports';
import { notFinite } from '../server/shared/finite';

/** The same loss; throws where it is not finite. */
export function finiteLoss<Loss extends MeasuredLoss>(loss: Loss): Loss & FiniteLoss {
  if (loss.lossNats === notFinite) throw new Error('a measured loss is not finite');
  return loss as Loss & FiniteLoss;
}

export function finite(value: number | NotFinite): number {
  if (value === notFinite) throw new Error('a number is not finite');
  return value;
}
