// In how many bits a device holds matrices: how a width is called on pages, and what a report says of it. Pure.
import type { WeightsOption } from '../protocol/recipes';
import type { RunFacts } from '../protocol/reports';
import { counted, plain, signed } from './numbers';
import { normalQuantile } from './statistics';

export const weightsLabels = {
  f32: 'float32',
  f16: 'float16',
  int8: '8-bit integers',
  int4: '4-bit integers',
  auto: 'widest that fits',
} as const satisfies Record<WeightsOption, string>;

type Held = Pick<RunFacts, 'weights' | 'whyWeights' | 'weightsCost'>;

/** `int8 (it fits in 5 GB); +0.0005 ± 0.0002 nats against float32 on …`. null: float32 was asked for, and held. */
export function weightsInWords({ weights = 'f32', whyWeights, weightsCost }: Held): string | null {
  if (weights === 'f32' && !whyWeights) return null;
  const chosen = whyWeights ? `${weights}, chosen by auto: ${whyWeights}` : weights;
  if (!weightsCost) return chosen;
  const { nSequences, tokensPerSequence } = weightsCost;
  const text = `the first ${counted(nSequences, 'sequence')} of ${tokensPerSequence} tokens`;
  return `${chosen}; ${weightsCostInWords(weightsCost)} against float32 on ${text}`;
}

/** Four digits, since 8 bits cost less than a thousandth. */
export const weightsCostInWords = ({ costNats, costStandardError }: NonNullable<RunFacts['weightsCost']>): string =>
  `${signed(costNats, 4)} ± ${plain(normalQuantile * costStandardError, 4)} nats`;

/** These facts of a report or a plan, and nothing else of it. */
export const widthFacts = ({ weights, whyWeights, weightsCost }: Held): Held => ({
  ...(weights && { weights }),
  ...(whyWeights && { whyWeights }),
  ...(weightsCost && { weightsCost }),
});

/** The end of a clause, `, matrices as int8`; empty where float32 was asked for. */
export function matricesAs(held: Held): string {
  const words = weightsInWords(held);
  return words ? `, matrices as ${words}` : '';
}
