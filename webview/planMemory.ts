// The memory that a plan asks for, as a part of a sentence: of the device where it has its own, and of the host.
import type { PlanEstimate } from '../server/protocol/engine';
import { memory } from '../server/shared/numbers';

type Memory = Pick<PlanEstimate, 'totalBytes' | 'limitBytes' | 'deviceMemory'>;

/** `1.5 GB of 8 GB memory`, `6.1 GB of 8 GB on the device, 0.9 GB of 20 GB memory` */
export function plannedMemory({ totalBytes, limitBytes, deviceMemory }: Memory): string {
  const ofHost = `${memory(totalBytes)} of ${memory(limitBytes)} memory`;
  if (!deviceMemory) return ofHost;
  return `${memory(deviceMemory.totalBytes)} of ${memory(deviceMemory.limitBytes)} on the device, ${ofHost}`;
}

/** The same without what there is. */
export const memoryNeeded = ({ totalBytes, deviceMemory }: Memory): string =>
  `${deviceMemory ? `${memory(deviceMemory.totalBytes)} on the device, ` : ''}${memory(totalBytes)} of memory`;
