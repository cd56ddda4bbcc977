// How much of a card's memory is planned for, on machines of several kinds, and the limits of a run.
import { describe, expect, it } from 'vitest';
import { cardMemoryBytes } from '../../server/devices/cardMemory';
import { limitsOf } from '../../server/execution/memoryLimits';
import { compute } from '../../server/protocol/recipes';
import { card, driver, loader, type Machine, systemOf } from './machines';

const mebibyte = 2 ** 20;
const radeon = driver('radeon_icd.x86_64', '/usr/lib/libvulkan_radeon.so');
const software = driver('lvp_icd.x86_64', '/usr/lib/libvulkan_lvp.so');
const amd = (slot: string, bytes: string) => card(slot, '0x1002', '0x73bf', { mem_info_vram_total: `${bytes}\n` });
const nvidiaSmi = (text: string) => ({ programs: { 'nvidia-smi': text } });

describe('of a card’s memory, nine tenths are planned for', () => {
  it.each<[string, Machine, number | null]>([
    [
      'of the largest of two of AMD',
      { files: { ...loader, ...radeon, ...amd('0000:03:00.0', '17163091968'), ...amd('0000:04:00.0', '8000000000') } },
      Math.floor(0.9 * 17163091968),
    ],
    ['where AMD’s has none of its own', { files: { ...loader, ...radeon, ...amd('0000:03:00.0', '0') } }, null],
    [
      'of the largest of two of NVIDIA',
      { ...nvidiaSmi('Tesla T4, 8192, 570.1\nTesla A10, 24564, 570.1\n') },
      Math.floor(0.9 * 24564 * mebibyte),
    ],
    ['where NVIDIA’s shares the machine’s', { ...nvidiaSmi('NVIDIA GB10, [N/A], 580.1\n') }, null],
    ['where nvidia-smi fails', { ...nvidiaSmi('NVIDIA-SMI has failed\n') }, null],
    [
      'where Vulkan has software alone',
      { files: { ...loader, ...software, ...amd('0000:03:00.0', '17163091968') } },
      null,
    ],
    ['where there is nothing', {}, null],
    [
      'on Windows',
      { ...nvidiaSmi('NVIDIA A10, 1024, 570.195.03\r\n'), change: { platform: 'win32' } },
      Math.floor(0.9 * 1024 * mebibyte),
    ],
  ])('%s', async (_, machine, expected) => expect(await cardMemoryBytes(systemOf(machine))).toBe(expected));
});

describe('the limits of a run', () => {
  const given = compute.parse({ memoryLimitBytes: 5e9 });
  it.each([
    ['cpu', {}, 3e9, null],
    ['auto', {}, 3e9, null],
    ['webgpu', { deviceMemoryBytes: 2e9 }, 3e9, { limitBytes: 2e9, ofHost: false }],
    ['webgpu', {}, 3e9, { limitBytes: 3e9, ofHost: false }],
    ['webgpu', {}, null, { limitBytes: 5e9, ofHost: true }],
  ] as const)('on %s with %o, a card of %s', async (device, change, ofCard, expected) =>
    expect(await limitsOf({ ...given, ...change, device }, async () => ofCard)).toEqual({
      limitBytes: 5e9,
      device: expected,
    }),
  );
});
