// How much passes through each channel of the MLPs: the sum of its squares over all tokens of a text.
import { forward } from '../execution/forward';
import type { Model } from '../execution/model';
import { square } from '../graph/ops/elementwise';
import { reduceSum } from '../graph/ops/reduce';
import type { Value } from '../graph/value';
import type { BlockParts } from '../model/block';
import type { Path } from '../model/path';

/** By block, in the numbering of the model; a block without an MLP is not there. */
export type ChannelEnergies = ReadonlyMap<number, Float64Array>;

export async function channelEnergies(
  model: Model,
  sequences: readonly Int32Array[],
  path: Path,
  control: { readonly signal: AbortSignal; onProgress(fraction: number): void },
): Promise<ChannelEnergies> {
  const { mlpWidth } = model.config;
  const energies = new Map<number, Float64Array>();
  await forward(model, sequences, {
    ...control,
    path,
    observer: {
      block: {
        graph: energyOfChannels,
        args: [],
        take(block, _, sums) {
          if (sums.length !== mlpWidth) return;
          const energy = energies.get(block) ?? new Float64Array(mlpWidth);
          for (let channel = 0; channel < mlpWidth; channel++) energy[channel]! += sums[channel]!;
          energies.set(block, energy);
        },
      },
    },
  });
  return energies;
}

/** [1, F]; [1, 1] where there is no MLP. */
const energyOfChannels = ({ channels, hiddenIn }: BlockParts): Value =>
  channels ? reduceSum(square(channels), [0]) : reduceSum(square(hiddenIn), [0, 1]);
