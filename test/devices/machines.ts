// Machines that are not this one: what they have in files, and what programs print on them.
import type { System } from '../../server/devices/system';

export interface Machine {
  /** Contents by path; folders are those of the paths. */
  readonly files?: Readonly<Record<string, string>>;
  readonly links?: Readonly<Record<string, string>>;
  readonly environment?: Record<string, string>;
  /** What programs print; those that are not here are not there. */
  readonly programs?: Readonly<Record<string, string>>;
  readonly change?: Partial<System>;
}

export function systemOf({ files = {}, links = {}, environment = {}, programs = {}, change = {} }: Machine): System {
  return {
    platform: 'linux',
    environment,
    home: '/home/me',
    processor: { name: 'A processor', nCores: 8, memoryBytes: 16e9 },
    release: '6.1.0 x64',
    onnxruntime: '1.30.0',
    read: (path) => files[path] ?? null,
    list: (folder) => {
      const inside = Object.keys(files).filter((path) => path.startsWith(`${folder}/`));
      return [...new Set(inside.map((path) => path.slice(folder.length + 1).split('/')[0]!))].sort();
    },
    mark: (path) => (path in files ? `${files[path]!.length} 0` : null),
    leadsTo: (link) => links[link] ?? null,
    run: async (program) => programs[program] ?? null,
    ...change,
  };
}

const vulkanLibrary = '/lib/x86_64-linux-gnu/libvulkan.so.1';
export const loader = {
  [vulkanLibrary]: 'elf',
  '/etc/ld.so.cache': `glibc-ld.so.cache1.1\0\0\u0003/lib/x86_64-linux-gnu/libvulkan.so.1\0${'libz.so.1'}\0`,
};

/** A manifest in the usual folder, and the library that it names. */
export const driver = (name: string, library: string): Record<string, string> => ({
  [`/usr/share/vulkan/icd.d/${name}.json`]: JSON.stringify({ ICD: { library_path: library, api_version: '1.3' } }),
  [library]: 'elf',
});

/** A card as Linux lists it. */
export const card = (slot: string, vendor: string, device: string, more: Record<string, string> = {}) =>
  Object.fromEntries(
    Object.entries({ class: '0x030000\n', vendor: `${vendor}\n`, device: `${device}\n`, ...more }).map(
      ([name, text]) => [`/sys/bus/pci/devices/${slot}/${name}`, text],
    ),
  );

export const drivenBy = (slot: string, kernelDriver: string) => ({
  [`/sys/bus/pci/devices/${slot}/driver`]: kernelDriver,
});
