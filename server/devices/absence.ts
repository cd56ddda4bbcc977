// Why WebGPU or CUDA cannot be used on a machine, and what to do, as far as files tell: the ends of sentences.
import { type GraphicsCard, cardInWords, type VendorName } from './graphicsCards';
import { computesInSoftware, type VulkanDrivers } from './vulkanDrivers';

/** null: nothing speaks against it. Elsewhere than on Linux, Metal and Direct3D 12 come with the system. */
export function whyNoVulkan(
  platform: NodeJS.Platform,
  { loader, drivers, named }: VulkanDrivers,
  cards: readonly GraphicsCard[],
): string | null {
  if (platform !== 'linux') return null;
  if (loader === null)
    return 'the Vulkan loader libvulkan.so.1 was not found (on Debian and Ubuntu, apt-get install libvulkan1 brings it)';
  if (drivers.some(({ path }) => path !== null)) return null;
  if (named && named.missing.length > 0)
    return `${named.variable} names ${named.missing[0]}, which is not there (correct the variable, or unset it)`;
  const [broken] = drivers;
  if (broken)
    return `the Vulkan driver of ${broken.manifest} needs ${broken.library}, which was not found (install that driver again)`;
  const [card] = cards;
  if (card) return `no Vulkan driver is installed for the ${cardInWords(card)} (${remedies[card.vendor]})`;
  return 'no Vulkan driver is installed, and no graphics card is to be seen';
}

const mesa = 'on Debian and Ubuntu, apt-get install mesa-vulkan-drivers brings it';
const remedies: Readonly<Record<VendorName, string>> = {
  NVIDIA: "install NVIDIA's driver; in a container, NVIDIA_DRIVER_CAPABILITIES has to hold graphics",
  AMD: mesa,
  Intel: mesa,
};

export const whyNoCuda = 'CUDA is not part of this version (WebGPU computes on NVIDIA cards, too)';

/** Cards that nothing computes on though they are there, a sentence each. */
export function notesOnCards(
  cards: readonly GraphicsCard[],
  drivers: VulkanDrivers,
  nvidiaSaid: string | null,
): string[] {
  const onlySoftware = computesInSoftware(drivers);
  const ofCards = cards.flatMap((card) => {
    const which = `The ${cardInWords(card)} is not used`;
    if (card.kernelDriver === null) return [`${which}: no driver of the kernel is loaded for it.`];
    if (card.kernelDriver === 'vfio-pci') return [`${which}: it is kept for a virtual machine (vfio-pci).`];
    if (onlySoftware) return [`${which}: no Vulkan driver is installed for it (${remedies[card.vendor]}).`];
    return [];
  });
  return nvidiaSaid ? [...ofCards, `nvidia-smi names no card: ${nvidiaSaid}.`] : ofCards;
}
