// Which channels of the MLPs go where a few have to: those that add least on a text (arXiv:2306.11695, for whole channels, as
// arXiv:2312.11983 has it). By the norms of their weights alone some of the lightest turn out to carry the model.
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { NarrowerMlps } from '../checkpoint/narrowerMlps';
import { readFinite } from '../checkpoint/notFiniteWeight';
import { cancelled } from '../errors';
import { blockWeightName, outputProjections } from '../model/weights';

/**
 * The channels that stay in every block of these, by the sums of their squares over a text, block by block: at most one matrix is in memory.
 * @throws UserError `notFinite` for a weight that is not, `cancelled` after the signal
 */
export async function channelsThatStay(
  checkpoint: Checkpoint,
  blocks: readonly number[],
  energies: ReadonlyMap<number, Float64Array>,
  width: number,
  signal: AbortSignal,
): Promise<NarrowerMlps> {
  const { mlpWidth } = checkpoint.config;
  const kept = new Map<number, readonly number[]>();
  for (const block of blocks) {
    if (signal.aborted) throw cancelled();
    const down = await readFinite(checkpoint, blockWeightName(block, `${outputProjections.mlp}.weight`));
    kept.set(block, highest(channelScores(energies.get(block) ?? new Float64Array(mlpWidth), down), width));
  }
  return { width, kept };
}

/** |z_c| |down_c|: how much channel c adds, with z_c its values over the tokens of the text, and down [D, F]. */
export function channelScores(energy: Float64Array, down: Float32Array): Float64Array {
  const F = energy.length;
  const sums = new Float64Array(F);
  for (let i = 0; i < down.length; i += F)
    for (let channel = 0; channel < F; channel++) sums[channel]! += down[i + channel]! ** 2;
  return sums.map((sum, channel) => Math.sqrt(sum * energy[channel]!));
}

/** The channels of the highest scores, ascending; of equal ones those that come first. */
export const highest = (scores: Float64Array, n: number): number[] =>
  Array.from(scores.keys())
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, n)
    .sort((a, b) => a - b);
