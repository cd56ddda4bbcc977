// The weight store that a plan asks for.
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { Scope } from '../runtime/device';
import type { MemoryPlan } from './memoryPlan';
import { blockStays } from './memorySizes';
import { blockGroup, openWeightStore, residentStore, streamingStore, type WeightStore } from './weightStore';

export function plannedStore(
  checkpoint: Checkpoint,
  device: Scope,
  { mode, stayingBlocks, headStays }: Pick<MemoryPlan, 'mode' | 'stayingBlocks' | 'headStays'>,
): WeightStore {
  if (mode === 'resident') return residentStore(checkpoint, device);
  if (stayingBlocks === 0 && !headStays) return streamingStore(checkpoint, device);
  const { nBlocks, blocks } = checkpoint.config;
  const keys = blocks.map((_, block) => blockGroup(checkpoint.config, block).key);
  const ofBlocks = new Set(keys);
  const staying = new Set(keys.filter((_, block) => blockStays(block, stayingBlocks, nBlocks)));
  return openWeightStore(checkpoint, device, ({ key }) => (ofBlocks.has(key) ? staying.has(key) : headStays));
}
