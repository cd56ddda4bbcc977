// Graphics cards as Linux lists them under /sys, whether or not a driver for them is installed.
import { join } from 'node:path';
import type { System } from './system';

export interface GraphicsCard {
  /** Such as `0000:01:00.0`. */
  readonly slot: string;
  readonly vendor: VendorName;
  /** Vendor and device, such as `10de:2684`. */
  readonly id: string;
  /** The kernel's driver; null: none is loaded for it. */
  readonly kernelDriver: string | null;
  /** Told by AMD's driver alone. */
  readonly memoryBytes: number | null;
}

/** Makers of cards that compute; the displays of virtual machines do not. By the numbers of the PCI-SIG. */
const vendors = { '0x10de': 'NVIDIA', '0x1002': 'AMD', '0x8086': 'Intel' } as const;
export type VendorName = (typeof vendors)[keyof typeof vendors];

const folder = '/sys/bus/pci/devices';

export function findGraphicsCards(system: System): GraphicsCard[] {
  const field = (slot: string, name: string) => system.read(join(folder, slot, name))?.trim() ?? '';
  return system.list(folder).flatMap((slot): GraphicsCard[] => {
    const vendor = vendors[field(slot, 'vendor') as keyof typeof vendors];
    // Class 3 of the PCI standard: display controllers.
    if (!vendor || !field(slot, 'class').startsWith('0x03')) return [];
    const id = [field(slot, 'vendor'), field(slot, 'device')].map((text) => text.replace(/^0x/, '')).join(':');
    const memoryBytes = Number(field(slot, 'mem_info_vram_total')) || null;
    return [{ slot, vendor, id, kernelDriver: system.leadsTo(join(folder, slot, 'driver')), memoryBytes }];
  });
}

export const cardInWords = ({ vendor, id, slot }: GraphicsCard): string => `${vendor} card ${id} (PCI ${slot})`;

/** Of the cards that the NVIDIA driver drives, by what it writes under /proc. */
export const nvidiaNames = (system: System): string[] =>
  system.list('/proc/driver/nvidia/gpus').flatMap((slot) => {
    const text = system.read(join('/proc/driver/nvidia/gpus', slot, 'information')) ?? '';
    const [, model] = /^Model:\s*(.+?)\s*$/m.exec(text) ?? [];
    return model ? [model] : [];
  });
