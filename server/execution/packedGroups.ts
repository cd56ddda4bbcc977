// Which packed batches go through the model together: as many as fit. Pure.
import type { ModelConfig } from '../model/config';
import { batchBytes } from './packedCost';
import type { PrefixBatches, PackedBatch } from './packing';

/** Prefix batches, or parts of them with the prefix computed again, that go through the model together. */
export function groupsOf(
  config: ModelConfig,
  bundles: readonly PrefixBatches[],
  nPaths: number,
  groupBytes: number,
): PrefixBatches[][] {
  const groups: PrefixBatches[][] = [[]];
  let leftBytes = groupBytes;
  for (const { prefix, batches } of bundles) {
    const nPast = prefix.reduce((n, { tokens }) => n + tokens, 0);
    const bytesOf = (batch: PackedBatch) => batchBytes(config, batch, nPast, nPaths);
    const prefixBytes = prefix.reduce((n, piece) => n + bytesOf(piece), 0);
    let part: PackedBatch[] = [];
    const open = (neededBytes: number) => {
      if (leftBytes < neededBytes && groups.at(-1)!.length > 0) {
        groups.push([]);
        leftBytes = groupBytes;
      }
      part = [];
      groups.at(-1)!.push({ prefix, batches: part });
      leftBytes -= prefixBytes;
    };
    open(prefixBytes);
    for (const batch of batches) {
      if (leftBytes < bytesOf(batch) && part.length > 0) open(groupBytes);
      part.push(batch);
      leftBytes -= bytesOf(batch);
    }
  }
  return groups;
}
