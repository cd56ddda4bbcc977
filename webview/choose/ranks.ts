// Order among numbers: ranks, their correlation, the median, and the blocks that a method ranks far too low.

/** 1 for the least; of equal values the earlier one comes first. */
export function ranks(values: readonly number[]): number[] {
  const result = new Array<number>(values.length);
  orderOf(values).forEach((at, i) => {
    result[at] = i + 1;
  });
  return result;
}

/** Spearman's rho: the correlation of the ranks, where equal values share the mean of theirs. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [sharedRanks(a), sharedRanks(b)];
  const mean = (a.length + 1) / 2;
  let [xy, xx, yy] = [0, 0, 0];
  for (let i = 0; i < x.length; i++) {
    const [dx, dy] = [x[i]! - mean, y[i]! - mean];
    xy += dx * dy;
    xx += dx * dx;
    yy += dy * dy;
  }
  return xy / Math.sqrt(xx * yy);
}

/** Of an even number of values the upper one of the two in the middle; 0 of none. */
export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;

const atLeastTimes = 3;
const atLeastNats = 0.3;

/**
 * Blocks that cost more than a method says: at least 0.3 nats more, and more than three times as much, as the block whose
 * measured cost has the rank that the method gives.
 */
export function surprises(methodRanks: readonly number[], costs: readonly number[], kept: readonly number[]): number[] {
  const ascending = [...costs].sort((a, b) => a - b);
  return costs.flatMap((cost, block) => {
    const expected = ascending[methodRanks[block]! - 1]!;
    const surprising = cost > atLeastTimes * expected && cost - expected > atLeastNats;
    return surprising && !kept.includes(block) ? [block] : [];
  });
}

function sharedRanks(values: readonly number[]): number[] {
  const order = orderOf(values);
  const result = new Array<number>(values.length);
  for (let i = 0; i < order.length; ) {
    let end = i + 1;
    while (end < order.length && values[order[end]!] === values[order[i]!]) end++;
    for (let j = i; j < end; j++) result[order[j]!] = (i + 1 + end) / 2;
    i = end;
  }
  return result;
}

const orderOf = (values: readonly number[]): number[] =>
  values.map((_, i) => i).sort((a, b) => values[a]! - values[b]! || a - b);
