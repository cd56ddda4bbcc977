// How much of what pruning cost was won back. Pure.

/**
 * (pruned - healed) / (pruned - original), of losses in nats: 1 where the healed model is as good as the original one, 0
 * where it is as bad as the pruned one. Null where pruning cost nothing, or a loss is unknown.
 */
export function recoveredFraction(losses: { original: number; pruned: number; healed: number }): number | null {
  const { original, pruned, healed } = losses;
  const fraction = (pruned - healed) / (pruned - original);
  return pruned > original && Number.isFinite(fraction) ? fraction : null;
}
