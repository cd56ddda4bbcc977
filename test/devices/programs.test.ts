// What vulkaninfo and nvidia-smi print, as they print it on machines of several kinds, and what is read from it.
import { describe, expect, it } from 'vitest';
import { readNvidiaSmi } from '../../server/devices/nvidiaSmi';
import { readVulkanSummary } from '../../server/devices/vulkanInfo';
import type { Adapter } from '../../server/protocol/devices';

const head = `==========
VULKANINFO
==========

Vulkan Instance Version: 1.3.275


Instance Extensions: count = 2
------------------------------
VK_EXT_debug_utils                     : extension revision 2
VK_KHR_surface                         : extension revision 25

Instance Layers: count = 1
--------------------------
VK_LAYER_MESA_device_select Linux device selection layer 1.3.211  version 1

Devices:
========
`;

const laptop = `${head}GPU0:
\tapiVersion         = 1.4.318
\tdriverVersion      = 25.2.8
\tvendorID           = 0x8086
\tdeviceID           = 0xa788
\tdeviceType         = PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU
\tdeviceName         = Intel(R) Graphics (RPL-S)
\tdriverID           = DRIVER_ID_INTEL_OPEN_SOURCE_MESA
\tdriverName         = Intel open-source Mesa driver
\tdriverInfo         = Mesa 25.2.8-0ubuntu0.24.04.1
\tconformanceVersion = 1.4.0.0
\tdeviceUUID         = 868088a7-0400-0000-0002-000000000000
\tdriverUUID         = 032fbbbb-ddee-3516-8477-c17071969177
GPU1:
\tapiVersion         = 1.4.312
\tdriverVersion      = 580.95.5.0
\tvendorID           = 0x10de
\tdeviceID           = 0x2860
\tdeviceType         = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
\tdeviceName         = NVIDIA GeForce RTX 4070 Laptop GPU
\tdriverID           = DRIVER_ID_NVIDIA_PROPRIETARY
\tdriverName         = NVIDIA
\tdriverInfo         = 580.95.05
\tconformanceVersion = 1.4.1.3
`;

/** Of an older vulkaninfo: versions as numbers, spaces instead of tabs. */
const older = `${head}GPU0:
        apiVersion         = 4206869 (1.3.277)
        driverVersion      = 1 (0x0001)
        vendorID           = 0x10005
        deviceID           = 0x0000
        deviceType         = PHYSICAL_DEVICE_TYPE_CPU
        deviceName         = llvmpipe (LLVM 17.0.6, 256 bits)
        driverID           = DRIVER_ID_MESA_LLVMPIPE
        driverName         = llvmpipe
        driverInfo         = Mesa 24.0.9-0ubuntu0.3 (LLVM 17.0.6)
`;

describe('the summary of vulkaninfo', () => {
  it.each<{ name: string; text: string; adapters: Adapter[] }>([
    {
      name: 'of a laptop with two cards',
      text: laptop,
      adapters: [
        {
          name: 'Intel(R) Graphics (RPL-S)',
          kind: 'integrated',
          memoryBytes: null,
          driver: 'Intel open-source Mesa driver Mesa 25.2.8-0ubuntu0.24.04.1',
        },
        {
          name: 'NVIDIA GeForce RTX 4070 Laptop GPU',
          kind: 'discrete',
          memoryBytes: null,
          driver: 'NVIDIA 580.95.05',
        },
      ],
    },
    {
      name: 'of a machine without a card',
      text: older,
      adapters: [
        {
          name: 'llvmpipe (LLVM 17.0.6, 256 bits)',
          kind: 'software',
          memoryBytes: null,
          driver: 'llvmpipe Mesa 24.0.9-0ubuntu0.3 (LLVM 17.0.6)',
        },
      ],
    },
    {
      name: 'of a card that says neither its driver nor a kind that is known, with Windows’ ends of lines',
      text: `${head}GPU0:\r\n\tdeviceType         = PHYSICAL_DEVICE_TYPE_OTHER\r\n\tdeviceName         = Card of tomorrow\r\n`,
      adapters: [{ name: 'Card of tomorrow', kind: 'unknown', memoryBytes: null, driver: null }],
    },
    { name: 'without devices', text: head, adapters: [] },
    { name: 'with a device that has no name', text: `${head}GPU0:\n\tvendorID = 0x10005\n`, adapters: [] },
    {
      name: 'where there is no driver',
      text: 'ERROR: [Loader Message] Code 0 : vkCreateInstance: Found no drivers!\nCannot create Vulkan instance.\nThis problem is often caused by a faulty installation of the Vulkan driver or attempting to use a GPU that does not support Vulkan.\nERROR at /build/vulkaninfo/vulkaninfo.h:456:vkCreateInstance failed with ERROR_INCOMPATIBLE_DRIVER\n',
      adapters: [],
    },
    { name: 'of nothing', text: '', adapters: [] },
  ])('$name', ({ text, adapters }) => expect(readVulkanSummary(text)).toEqual(adapters));
});

const nvidia = (name: string, mebibytes: number | null, driver: string): Adapter => ({
  ...{ name, kind: 'discrete', driver: `NVIDIA ${driver}` },
  memoryBytes: mebibytes && mebibytes * 2 ** 20,
});

describe('nvidia-smi', () => {
  it.each<{ name: string; text: string; adapters: Adapter[] }>([
    {
      name: 'with one card',
      text: 'NVIDIA GeForce RTX 4090, 24564, 550.107.02\n',
      adapters: [nvidia('NVIDIA GeForce RTX 4090', 24564, '550.107.02')],
    },
    {
      name: 'with two cards, on Windows',
      text: 'NVIDIA A10, 23028, 570.195.03\r\nTesla T4, 15360, 570.195.03\r\n',
      adapters: [nvidia('NVIDIA A10', 23028, '570.195.03'), nvidia('Tesla T4', 15360, '570.195.03')],
    },
    {
      name: 'with a card that shares the memory of the machine',
      text: 'NVIDIA GB10, [N/A], 580.95.05\n',
      adapters: [nvidia('NVIDIA GB10', null, '580.95.05')],
    },
    {
      name: 'without its driver',
      text: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver. Make sure that the latest NVIDIA driver is installed and running.\n",
      adapters: [],
    },
    {
      name: 'with a driver of another version',
      text: 'Failed to initialize NVML: Driver/library version mismatch\nNVML library version: 535.183\n',
      adapters: [],
    },
    { name: 'without a card', text: 'No devices were found\n', adapters: [] },
    { name: 'of nothing', text: '', adapters: [] },
  ])('$name', ({ text, adapters }) => expect(readNvidiaSmi(text)).toEqual(adapters));
});
