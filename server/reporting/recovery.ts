// How much of the loss that pruning added was recovered by healing.
import { metricOf } from '../shared/metrics';
import { recoveredFraction } from '../shared/recovery';
import type { EvaluateReport } from '../recipes/evaluate/recipe';
import { type ScoreRow, scoreOfModel } from './scoreTable';

/**
 * (pruned - healed) / (pruned - base) by the index of the healed model, in nats for a perplexity. Only where the model
 * that lacks the same blocks and was not healed is there, too, and is worse than the original.
 */
export function recoveries({ models }: EvaluateReport, row: ScoreRow): Map<number, number> {
  const { kind, higherIsBetter } = metricOf(row.metric);
  const costOf = (model: number) => {
    const value = scoreOfModel(row, model)?.value ?? Number.NaN;
    return (higherIsBetter ? -1 : 1) * (kind === 'perplexity' ? Math.log(value) : value);
  };
  const found = new Map<number, number>();
  for (const [k, model] of models.entries()) {
    if (k === 0 || !model.healed) continue;
    const pruned = models.findIndex((it, i) => i > 0 && !it.healed && lacksTheSame(it, model));
    const losses = { original: costOf(0), pruned: costOf(pruned), healed: costOf(k) };
    const fraction = pruned > 0 ? recoveredFraction(losses) : null;
    if (fraction !== null) found.set(k, fraction);
  }
  return found;
}

type Cut = Pick<EvaluateReport['models'][number], 'removedBlocks' | 'nParameters'>;

/** Folders name the blocks they lack in the first model's numbering; dropped sublayers show in the number of parameters alone. */
const lacksTheSame = (one: Cut, other: Cut) =>
  one.removedBlocks.join() === other.removedBlocks.join() && one.nParameters === other.nParameters;
