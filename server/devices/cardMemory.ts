// How much memory of its own a graphics card has for a run. WebGPU does not tell, so the drivers are asked.
import { findNvidia } from './graphicsAdapters';
import { findGraphicsCards } from './graphicsCards';
import { type System, thisSystem } from './system';
import { computesInSoftware, findVulkanDrivers } from './vulkanDrivers';

/** No more of a card's memory is planned for: the screen and other programs need some, and the runtime rounds up. */
const shareOfCard = 0.9;

/**
 * Bytes of the largest card that may be planned for; null where no card with memory of its own is known, such as one within
 * the processor, and where Vulkan has software adapters alone.
 */
export async function cardMemoryBytes(system: System): Promise<number | null> {
  if (system.platform === 'linux' && computesInSoftware(findVulkanDrivers(system))) return null;
  const { adapters } = await findNvidia(system);
  const bytes = [...findGraphicsCards(system), ...adapters].flatMap(({ memoryBytes }) => memoryBytes ?? []);
  return bytes.length === 0 ? null : Math.floor(shareOfCard * Math.max(...bytes));
}

let known: Promise<number | null> | undefined;

/** Of this machine, asked once. */
export const cardMemoryHere = (): Promise<number | null> => (known ??= cardMemoryBytes(thisSystem()));
