// Blocks that cost more than a method says: measured at three times what the block costs that measured at the rank which
// the method gives, and at least 0.3 nats more.

const atLeastTimes = 3;
const atLeastNats = 0.3;

export function surprises(methodRanks: readonly number[], costs: readonly number[], kept: readonly number[]): number[] {
  const ascending = [...costs].sort((a, b) => a - b);
  return costs.flatMap((cost, block) => {
    const expected = ascending[methodRanks[block]! - 1]!;
    const surprising = cost > atLeastTimes * expected && cost - expected > atLeastNats;
    return surprising && !kept.includes(block) ? [block] : [];
  });
}
