// The memory of a plan as it is shown: what caches of hidden states may hold is counted with the states. Pure.
import type { MemoryPlan } from '../execution/memoryPlan';
import type { Plan } from '../protocol/engine';

export function memoryOf(
  { bytes, totalBytes, device, mode, stayingBlocks }: MemoryPlan,
  { cacheBytes }: { readonly cacheBytes: number },
): Pick<Plan, 'bytes' | 'totalBytes' | 'stayingBlocks' | 'deviceMemory'> {
  const staying = mode === 'streaming' && stayingBlocks > 0 ? { stayingBlocks } : {};
  if (!device) return { bytes: { ...bytes, states: bytes.states + cacheBytes }, totalBytes, ...staying };
  const states = device.bytes.states + cacheBytes;
  return { bytes, totalBytes, ...staying, deviceMemory: { ...device, bytes: { ...device.bytes, states } } };
}
