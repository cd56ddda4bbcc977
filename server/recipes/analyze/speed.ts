// How much time a drop set saves: forward passes of the original and of the path without the set, over one micro-batch
// of the analysed sequences. They are taken in turns, because a machine drifts more than they differ.
import { pathWithout, type Path } from '../../model/path';
import type { DropSet } from '../../protocol/recipes';
import type { MeasuredSpeed } from '../../protocol/reports';
import { checkDropSet } from '../../shared/dropSets';
import { forward } from '../../execution/forward';
import type { Model } from '../../execution/model';

/** Rounds go on until there are enough of them and enough time went into them, and never beyond the most. */
const enough = { rounds: 3, ms: 1000 };
const mostMs = 3000;

/** Throws UserError('badChoice') for a set that does not fit, 'cancelled' after the signal. */
export async function measureSpeed(
  { model, sequences }: { readonly model: Model; readonly sequences: readonly Int32Array[] },
  drop: DropSet,
  signal: AbortSignal,
): Promise<MeasuredSpeed> {
  const { config, plan } = model;
  const batch = sequences.slice(0, plan.microBatchSequences);
  const path = pathWithout(config, checkDropSet(drop, config.nBlocks));
  const timeOf = (path: Path) => async () => {
    const began = performance.now();
    await forward(model, batch, { path, signal });
    return performance.now() - began;
  };
  const [baseMs, prunedMs] = await leastInTurns(timeOf(pathWithout(config)), timeOf(path));
  return { baseMs, prunedMs, nTokens: batch.length * batch[0]!.length };
}

/** The least times of two things, in ms, each of which gives back how long it took. The first of each only warms up. */
export async function leastInTurns(
  one: () => Promise<number>,
  other: () => Promise<number>,
): Promise<[number, number]> {
  await one();
  await other();
  const least: [number, number] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (let spentMs = 0, rounds = 0; spentMs < mostMs && (rounds < enough.rounds || spentMs < enough.ms); rounds++) {
    const times = [await one(), await other()] as const;
    least[0] = Math.min(least[0], times[0]);
    least[1] = Math.min(least[1], times[1]);
    spentMs += times[0] + times[1];
  }
  return least;
}
