// What a run may hold: memory of the host, and of the device where that is another one.
import { freemem } from 'node:os';
import { cardMemoryHere } from '../devices/cardMemory';
import type { ComputeOptions } from '../protocol/recipes';

export interface MemoryLimits {
  /** The most that all our processes together may use of the host's memory. */
  readonly limitBytes: number;
  /** Absent or null: tensors lie in the host's memory, and nothing is copied. */
  readonly device?: DeviceMemory | null | undefined;
}

/** Of a device to which everything is copied. */
export interface DeviceMemory {
  /** The most that all tensors together may take. */
  readonly limitBytes: number;
  /** It is the host's memory, as that of a software adapter and of graphics within the processor: both have to fit it. */
  readonly ofHost: boolean;
}

/** No more of what is free is planned for: others need some, too. */
const shareOfFree = 0.9;

export async function limitsOf(
  { device, memoryLimitBytes, deviceMemoryBytes }: ComputeOptions,
  cardMemory = cardMemoryHere,
): Promise<MemoryLimits> {
  const limitBytes = memoryLimitBytes ?? Math.floor(shareOfFree * freemem());
  if (device !== 'webgpu' && device !== 'cuda') return { limitBytes, device: null };
  const ofCard = deviceMemoryBytes ?? (await cardMemory());
  return {
    limitBytes,
    device: ofCard === null ? { limitBytes, ofHost: true } : { limitBytes: ofCard, ofHost: false },
  };
}

/** The most bytes of tensors, wherever they lie. */
export const tensorLimit = ({ limitBytes, device }: MemoryLimits): number => device?.limitBytes ?? limitBytes;

export const noLimits: MemoryLimits = { limitBytes: Number.POSITIVE_INFINITY, device: null };
