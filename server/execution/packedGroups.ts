// Which packed batches go through the model together: as many as fit. Pure.
import type { ModelConfig } from '../model/config';
import { batchBytes } from './packedCost';
import type { Bundle, PackedBatch } from './packing';

/** Bundles, or parts of them with the stem computed again, that go through the model together. */
export function groupsOf(
  config: ModelConfig,
  bundles: readonly Bundle[],
  nPaths: number,
  groupBytes: number,
): Bundle[][] {
  const groups: Bundle[][] = [[]];
  let leftBytes = groupBytes;
  for (const { stem, batches } of bundles) {
    const nPast = stem.reduce((n, { tokens }) => n + tokens, 0);
    const bytesOf = (batch: PackedBatch) => batchBytes(config, batch, nPast, nPaths);
    const stemBytes = stem.reduce((n, piece) => n + bytesOf(piece), 0);
    let part: PackedBatch[] = [];
    const open = (neededBytes: number) => {
      if (leftBytes < neededBytes && groups.at(-1)!.length > 0) {
        groups.push([]);
        leftBytes = groupBytes;
      }
      part = [];
      groups.at(-1)!.push({ stem, batches: part });
      leftBytes -= stemBytes;
    };
    open(stemBytes);
    for (const batch of batches) {
      if (leftBytes < bytesOf(batch) && part.length > 0) open(groupBytes);
      part.push(batch);
      leftBytes -= bytesOf(batch);
    }
  }
  return groups;
}
