// The weight store that a plan asks for.
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { Scope } from '../runtime/device';
import type { MemoryPlan } from './memoryPlan';
import { blockStays } from './memorySizes';
import { blockGroup, openWeightStore, residentStore, streamingStore, type WeightStore } from './weightStore';

export function plannedStore(
  checkpoint: Checkpoint,
  device: Scope,
  { mode, stayingBlocks }: Pick<MemoryPlan, 'mode' | 'stayingBlocks'>,
): WeightStore {
  if (mode === 'resident') return residentStore(checkpoint, device);
  if (stayingBlocks === 0) return streamingStore(checkpoint, device);
  const { config } = checkpoint;
  const passes = (_: unknown, block: number) => !blockStays(block, stayingBlocks, config.nBlocks);
  const passing = new Set(
    config.blocks
      .map((_, k) => k)
      .filter(passes)
      .map((k) => blockGroup(config, k).key),
  );
  return openWeightStore(checkpoint, device, ({ key }) => !passing.has(key));
}
