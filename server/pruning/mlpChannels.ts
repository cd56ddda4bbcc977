// Which channels of the MLPs go where a few have to: those of least weight. Nothing is measured for it, so it is for the last
// percents of a budget, which whole blocks are too coarse for.
import type { Checkpoint } from '../checkpoint/checkpoint';
import { channelWeights, type NarrowerMlps } from '../checkpoint/narrowerMlps';
import { readFinite } from '../checkpoint/notFiniteWeight';
import { cancelled } from '../errors';

/**
 * The channels that stay in every block of these, block by block: at most one matrix and the norms are in memory.
 * @throws UserError `notFinite` for a weight that is not, `cancelled` after the signal
 */
export async function heaviestChannels(
  checkpoint: Checkpoint,
  blocks: readonly number[],
  width: number,
  signal: AbortSignal,
): Promise<NarrowerMlps> {
  const { mlpWidth, width: D, form } = checkpoint.config;
  const kept = new Map<number, readonly number[]>();
  for (const block of blocks) {
    if (signal.aborted) throw cancelled();
    const names = channelWeights(block, form.fusedProjections);
    const norms: Float64Array[] = [];
    for (const name of names.gateAndUp) norms.push(...normsOfRows(await readFinite(checkpoint, name), mlpWidth, D));
    norms.push(normsOfColumns(await readFinite(checkpoint, names.down), mlpWidth));
    kept.set(block, heaviest(channelScores(norms, mlpWidth), width));
  }
  return { width, kept };
}

/**
 * |gate_c| |up_c| |down_c|: how much channel c can add, by the norms of its weights. The product stays the same when a channel's
 * up is scaled up and its down is scaled down, which changes nothing.
 */
export const channelScores = (norms: readonly Float64Array[], mlpWidth: number): Float64Array =>
  Float64Array.from({ length: mlpWidth }, (_, channel) => norms.reduce((product, of) => product * of[channel]!, 1));

/** The channels of the highest scores, ascending; of equal ones those that come first. */
export const heaviest = (scores: Float64Array, n: number): number[] =>
  Array.from(scores.keys())
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, n)
    .sort((a, b) => a - b);

/** Of gate or up; where both are one matrix, one below the other, of each of the two. */
function normsOfRows(weight: Float32Array, mlpWidth: number, rowLength: number): Float64Array[] {
  const norms = new Float64Array(weight.length / rowLength);
  for (let row = 0; row < norms.length; row++) {
    let sum = 0;
    for (let i = row * rowLength; i < (row + 1) * rowLength; i++) sum += weight[i]! ** 2;
    norms[row] = Math.sqrt(sum);
  }
  return Array.from({ length: norms.length / mlpWidth }, (_, part) =>
    norms.subarray(part * mlpWidth, (part + 1) * mlpWidth),
  );
}

function normsOfColumns(weight: Float32Array, mlpWidth: number): Float64Array {
  const sums = new Float64Array(mlpWidth);
  for (let i = 0; i < weight.length; i += mlpWidth)
    for (let channel = 0; channel < mlpWidth; channel++) sums[channel]! += weight[i + channel]! ** 2;
  return sums.map(Math.sqrt);
}
