// The adapters that WebGPU can compute on, the one that it prefers first: by what vulkaninfo and nvidia-smi say, or else by
// installed drivers and cards.
import type { Adapter } from '../protocol/devices';
import { type GraphicsCard, nvidiaNames } from './graphicsCards';
import { nvidiaSmiArguments, readNvidiaSmi } from './nvidiaSmi';
import type { System } from './system';
import { drivenBy, isSoftware, type VulkanDriver } from './vulkanDrivers';
import { readVulkanSummary } from './vulkanInfo';

/** NVIDIA's cards by nvidia-smi, or by what the driver writes; `said`: the line that nvidia-smi printed instead of cards. */
export async function findNvidia(system: System): Promise<{ adapters: Adapter[]; said: string | null }> {
  const printed = await system.run('nvidia-smi', nvidiaSmiArguments);
  const listed = readNvidiaSmi(printed ?? '');
  if (listed.length > 0) return { adapters: listed, said: null };
  const adapters = nvidiaNames(system).map(
    (name): Adapter => ({ name, kind: 'discrete', memoryBytes: null, driver: null }),
  );
  const [firstLine = ''] = (printed ?? '').trim().split('\n');
  return { adapters, said: firstLine.trim().replace(/\.$/, '') || null };
}

export async function findGraphicsAdapters(
  system: System,
  drivers: readonly VulkanDriver[],
  cards: readonly GraphicsCard[],
  nvidia: readonly Adapter[],
): Promise<Adapter[]> {
  const listed = readVulkanSummary((await system.run('vulkaninfo', ['--summary'])) ?? '');
  const found = listed.length > 0 ? listed : byDrivers(drivers, cards, nvidia);
  return found
    .map((adapter) => ({ ...adapter, memoryBytes: adapter.memoryBytes ?? memoryOf(adapter, system, cards, nvidia) }))
    .sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind));
}

/** onnxruntime asks for the adapter of the highest performance. */
const order: readonly Adapter['kind'][] = ['discrete', 'integrated', 'virtual', 'unknown', 'software', 'processor'];

/** A driver of a vendor counts where there is a card of that vendor: Mesa's packages install those of all vendors. */
function byDrivers(
  drivers: readonly VulkanDriver[],
  cards: readonly GraphicsCard[],
  nvidia: readonly Adapter[],
): Adapter[] {
  // Elsewhere than on Linux there are no manifests to be seen.
  if (drivers.length === 0) return [...nvidia];
  const names = new Set(drivers.filter(({ path }) => path !== null).map(({ library }) => drivenBy(library)));
  return [...names].flatMap((drives): Adapter[] => {
    if (drives === null) return [];
    if (isSoftware(drives)) return [{ name: drives, kind: 'software', memoryBytes: null, driver: null }];
    if (drives === 'NVIDIA' && nvidia.length > 0) return [...nvidia];
    return cards
      .filter(({ vendor }) => vendor === drives)
      .map(({ vendor, id, kernelDriver, memoryBytes }) => ({
        name: `${vendor} card ${id}`,
        kind: 'unknown',
        memoryBytes,
        driver: kernelDriver,
      }));
  });
}

function memoryOf(
  { name, kind }: Adapter,
  { processor }: System,
  cards: readonly GraphicsCard[],
  nvidia: readonly Adapter[],
): number | null {
  if (kind === 'software' || kind === 'integrated') return processor.memoryBytes;
  const same = nvidia.find((adapter) => adapter.name === name);
  if (same) return same.memoryBytes;
  // Where there is one AMD card beside others, its name says whose it is.
  const ofAmd = cards.filter(({ vendor, memoryBytes }) => vendor === 'AMD' && memoryBytes !== null);
  return /AMD|Radeon/i.test(name) && ofAmd.length === 1 ? ofAmd[0]!.memoryBytes : null;
}
