// What is found on machines of many kinds, why a device is not there, and what is done about it.
import { describe, expect, it } from 'vitest';
import { notesOnCards } from '../../server/devices/absence';
import { whyNoWebgpu } from '../../server/devices/devices';
import { findGraphicsAdapters, findNvidia } from '../../server/devices/graphicsAdapters';
import { findGraphicsCards } from '../../server/devices/graphicsCards';
import { deviceKey } from '../../server/devices/measuredDevices';
import { findLibrary, findVulkanDrivers } from '../../server/devices/vulkanDrivers';
import { card, driver, drivenBy, loader, type Machine, systemOf } from './machines';

const lavapipe = driver('lvp_icd.x86_64', '/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so');
const radeon = driver('radeon_icd.x86_64', '/usr/lib/x86_64-linux-gnu/libvulkan_radeon.so');
const intel = driver('intel_icd.x86_64', '/usr/lib/x86_64-linux-gnu/libvulkan_intel.so');
const mesa = { ...lavapipe, ...radeon, ...intel };
const geforce = card('0000:01:00.0', '0x10de', '0x2684');
const radeonCard = card('0000:03:00.0', '0x1002', '0x744c', { mem_info_vram_total: '25753026560\n' });

describe('WebGPU', () => {
  it.each<{ name: string; machine: Machine; why: string | null }>([
    {
      name: 'is not there without the loader',
      machine: { files: { ...mesa, '/etc/ld.so.cache': 'glibc-ld.so.cache1.1\0' } },
      why: 'the Vulkan loader libvulkan.so.1 was not found (on Debian and Ubuntu, apt-get install libvulkan1 brings it)',
    },
    {
      name: 'is not there without a driver',
      machine: { files: loader },
      why: 'no Vulkan driver is installed, and no graphics card is to be seen',
    },
    {
      name: 'is not there without a driver for the card that is there',
      machine: { files: { ...loader, ...radeonCard } },
      why: 'no Vulkan driver is installed for the AMD card 1002:744c (PCI 0000:03:00.0) (on Debian and Ubuntu, apt-get install mesa-vulkan-drivers brings it)',
    },
    {
      name: 'is not there in a container that was given only a part of NVIDIA’s driver',
      machine: { files: { ...loader, ...geforce } },
      why: "no Vulkan driver is installed for the NVIDIA card 10de:2684 (PCI 0000:01:00.0) (install NVIDIA's driver; in a container, NVIDIA_DRIVER_CAPABILITIES has to hold graphics)",
    },
    {
      name: 'is not there where a variable names a file that is not there',
      machine: { files: { ...loader, ...mesa }, environment: { VK_ICD_FILENAMES: '/gone.json' } },
      why: 'VK_ICD_FILENAMES names /gone.json, which is not there (correct the variable, or unset it)',
    },
    {
      name: 'goes by the newer of two variables',
      machine: {
        files: { ...loader, ...mesa },
        environment: { VK_ICD_FILENAMES: Object.keys(lavapipe)[0]!, VK_DRIVER_FILES: '/gone.json' },
      },
      why: 'VK_DRIVER_FILES names /gone.json, which is not there (correct the variable, or unset it)',
    },
    {
      name: 'is not there where the library of a driver is gone',
      machine: {
        files: { ...loader, '/etc/vulkan/icd.d/nvidia_icd.json': '{"ICD": {"library_path": "libGLX_nvidia.so.0"}}' },
      },
      why: 'the Vulkan driver of /etc/vulkan/icd.d/nvidia_icd.json needs libGLX_nvidia.so.0, which was not found (install that driver again)',
    },
    {
      name: 'passes over what is no manifest',
      machine: { files: { ...loader, '/etc/vulkan/icd.d/a.json': '{', '/etc/vulkan/icd.d/b.json': '{"ICD": 1}' } },
      why: 'no Vulkan driver is installed, and no graphics card is to be seen',
    },
    { name: 'may be there with a driver', machine: { files: { ...loader, ...lavapipe } }, why: null },
    {
      name: 'may be there with a driver beside its manifest, in a folder that a variable names',
      machine: {
        files: { ...loader, '/opt/v/icd.json': '{"ICD": {"library_path": "./lib/a.so"}}', '/opt/v/lib/a.so': 'elf' },
        environment: { VK_DRIVER_FILES: '/opt/v' },
      },
      why: null,
    },
    {
      name: 'may be there with a driver in the home folder and libraries in LD_LIBRARY_PATH',
      machine: {
        files: {
          ...{ '/opt/lib/libvulkan.so.1': 'elf', '/opt/lib/libmine.so': 'elf' },
          '/home/me/.local/share/vulkan/icd.d/mine.json': '{"ICD": {"library_path": "libmine.so"}}',
        },
        environment: { LD_LIBRARY_PATH: '/nowhere:/opt/lib' },
      },
      why: null,
    },
    { name: 'comes with the system elsewhere', machine: { change: { platform: 'darwin' } }, why: null },
  ])('$name', ({ machine, why }) => expect(whyNoWebgpu(systemOf(machine))).toBe(why));

  it('needs the loader itself and not a library whose name begins alike', () => {
    const cache = {
      '/etc/ld.so.cache': '\0/lib/libvulkan.so.1.3\0/lib/libvulkanXso.1\0',
      '/lib/libvulkanXso.1': 'elf',
    };
    expect(findLibrary(systemOf({ files: cache }), 'libvulkan.so.1')).toBeNull();
    expect(findLibrary(systemOf({ files: loader }), 'libvulkan.so.1')).toBe('/lib/x86_64-linux-gnu/libvulkan.so.1');
  });
});

const summary = (...names: [name: string, type: string][]) =>
  names
    .map(([name, type], i) => `GPU${i}:\n\tdeviceType = PHYSICAL_DEVICE_TYPE_${type}\n\tdeviceName = ${name}\n`)
    .join('');

describe('the adapters that WebGPU may take', () => {
  it.each<{ name: string; machine: Machine; adapters: (string | number | null)[][] }>([
    {
      name: 'are those of vulkaninfo, cards first, with their memory',
      machine: {
        files: { ...loader, ...mesa, ...radeonCard },
        programs: {
          vulkaninfo: summary(
            ['llvmpipe', 'CPU'],
            ['Intel UHD', 'INTEGRATED_GPU'],
            ['AMD Radeon RX 7900', 'DISCRETE_GPU'],
          ),
        },
      },
      adapters: [
        ['AMD Radeon RX 7900', 'discrete', 25753026560],
        ['Intel UHD', 'integrated', 16e9],
        ['llvmpipe', 'software', 16e9],
      ],
    },
    {
      name: 'have the memory that nvidia-smi tells',
      machine: {
        files: { ...loader, ...geforce },
        programs: {
          vulkaninfo: summary(['NVIDIA GeForce RTX 4090', 'DISCRETE_GPU']),
          'nvidia-smi': 'NVIDIA GeForce RTX 4090, 24564, 550.107.02\n',
        },
      },
      adapters: [['NVIDIA GeForce RTX 4090', 'discrete', 24564 * 2 ** 20]],
    },
    {
      name: 'are guessed from drivers and cards where vulkaninfo is not there',
      machine: { files: { ...loader, ...mesa, ...radeonCard } },
      adapters: [
        ['AMD card 1002:744c', 'unknown', 25753026560],
        ['llvmpipe', 'software', 16e9],
      ],
    },
    {
      name: 'are software alone where no card is there',
      machine: { files: { ...loader, ...mesa }, programs: { vulkaninfo: 'Cannot create Vulkan instance.\n' } },
      adapters: [['llvmpipe', 'software', 16e9]],
    },
    {
      name: 'have the name that NVIDIA’s driver writes where its program is not there',
      machine: {
        files: {
          ...{ ...loader, ...geforce, ...driver('nvidia_icd', '/usr/lib/libGLX_nvidia.so.0') },
          '/proc/driver/nvidia/gpus/0000:01:00.0/information': 'Model: \t\t NVIDIA A10\nIRQ:   \t\t 42\n',
        },
      },
      adapters: [['NVIDIA A10', 'discrete', null]],
    },
  ])('$name', async ({ machine, adapters }) => {
    const system = systemOf(machine);
    const [{ drivers }, cards] = [findVulkanDrivers(system), findGraphicsCards(system)];
    const found = await findGraphicsAdapters(system, drivers, cards, (await findNvidia(system)).adapters);
    expect(found.map(({ name, kind, memoryBytes }) => [name, kind, memoryBytes])).toEqual(adapters);
  });
});

describe('cards that nothing computes on', () => {
  it.each<{ name: string; machine: Machine; said?: string; notes: RegExp[] }>([
    { name: 'are none where there is no card', machine: { files: { ...loader, ...lavapipe } }, notes: [] },
    {
      name: 'have no driver of the kernel',
      machine: { files: { ...loader, ...mesa, ...geforce } },
      notes: [/^The NVIDIA card 10de:2684 .* is not used: no driver of the kernel is loaded for it\.$/],
    },
    {
      name: 'are kept for a virtual machine',
      machine: { files: geforce, links: drivenBy('0000:01:00.0', 'vfio-pci') },
      notes: [/it is kept for a virtual machine/],
    },
    {
      name: 'have a driver of the kernel, and Vulkan only in software',
      machine: { files: { ...loader, ...lavapipe, ...geforce }, links: drivenBy('0000:01:00.0', 'nvidia') },
      said: 'Failed to initialize NVML: Driver/library version mismatch',
      notes: [
        /no Vulkan driver is installed for it \(install NVIDIA's driver/,
        /^nvidia-smi names no card: Failed .*\.$/,
      ],
    },
    {
      name: 'are none where a driver drives the card',
      machine: { files: { ...loader, ...mesa, ...radeonCard }, links: drivenBy('0000:03:00.0', 'amdgpu') },
      notes: [],
    },
    {
      name: 'are no displays of virtual machines, and no other cards',
      machine: {
        files: {
          ...card('0000:00:02.0', '0x1234', '0x1111'),
          ...card('0000:00:03.0', '0x8086', '0x1533', { class: '0x020000\n' }),
        },
      },
      notes: [],
    },
  ])('$name', ({ machine, said = null, notes }) => {
    const system = systemOf(machine);
    const found = notesOnCards(findGraphicsCards(system), findVulkanDrivers(system), said);
    expect(found).toHaveLength(notes.length);
    for (const [i, note] of notes.entries()) expect(found[i]).toMatch(note);
  });
});

describe('the key under which a measurement is kept', () => {
  const base: Machine = { files: { ...loader, ...mesa, ...geforce }, links: drivenBy('0000:01:00.0', 'nvidia') };
  const keyOf = (machine: Machine) => {
    const system = systemOf(machine);
    return deviceKey(system, findVulkanDrivers(system));
  };
  it.each<{ name: string; machine: Machine }>([
    { name: 'onnxruntime', machine: { ...base, change: { onnxruntime: '1.31.0' } } },
    {
      name: 'the processor',
      machine: { ...base, change: { processor: { name: 'A processor', nCores: 4, memoryBytes: 16e9 } } },
    },
    { name: 'the kernel’s driver of a card', machine: { ...base, links: drivenBy('0000:01:00.0', 'nouveau') } },
    { name: 'a card', machine: { ...base, files: { ...base.files, ...radeonCard } } },
    {
      name: 'a driver’s library',
      machine: { ...base, files: { ...base.files, '/usr/lib/x86_64-linux-gnu/libvulkan_lvp.so': 'a newer one' } },
    },
    { name: 'the driver that a variable names', machine: { ...base, environment: { VK_DRIVER_FILES: '/gone.json' } } },
    { name: 'NVIDIA’s driver', machine: { ...base, files: { ...base.files, '/proc/driver/nvidia/version': '580' } } },
  ])('changes with $name', ({ machine }) => expect(keyOf(machine)).not.toBe(keyOf(base)));

  it('does not change with the rest', () => {
    const moved: Machine = {
      ...base,
      files: { ...base.files, '/etc/hostname': 'another' },
      environment: { LANG: 'C', PATH: '/bin' },
      change: { home: '/home/another', release: '6.9.0 x64' },
    };
    expect(keyOf(moved)).toBe(keyOf(base));
  });
});
