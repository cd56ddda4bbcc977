// Which device `auto` is, and the sentence that says why.
import { describe, expect, it } from 'vitest';
import { chooseDevice } from '../../server/devices/chooseDevice';
import type { Adapter, DeviceFacts } from '../../server/protocol/devices';

const processor: Adapter = { name: 'A processor, 8 cores', kind: 'processor', memoryBytes: 16e9, driver: null };
const llvmpipe: Adapter = { name: 'llvmpipe', kind: 'software', memoryBytes: 16e9, driver: 'Mesa 25.0.7' };
const card: Adapter = { name: 'NVIDIA GeForce RTX 4090', kind: 'discrete', memoryBytes: 24e9, driver: 'NVIDIA 570' };
const usable = (device: 'cpu' | 'webgpu', adapter: Adapter | null, gigaflops: number | null): DeviceFacts => ({
  ...{ device, state: 'usable', f16: true, adapters: adapter ? [adapter] : [] },
  operationsPerSecond: gigaflops && gigaflops * 1e9,
});
const cpu = usable('cpu', processor, 52.4);
const not = (state: 'absent' | 'failed', why: string, adapters: Adapter[] = []): DeviceFacts => ({
  ...{ device: 'webgpu', state, adapters, why },
});

describe('auto', () => {
  it.each<{ name: string; devices: DeviceFacts[]; device: 'cpu' | 'webgpu'; reason: string }>([
    {
      name: 'is the CPU where software stands in for a card',
      devices: [cpu, usable('webgpu', llvmpipe, 0.93)],
      device: 'cpu',
      reason: 'auto is the CPU, measured at 52 GFLOP/s; WebGPU on llvmpipe (software) does 0.9 GFLOP/s.',
    },
    {
      name: 'is WebGPU where a card is faster',
      devices: [cpu, usable('webgpu', card, 21_400)],
      device: 'webgpu',
      reason: 'auto is WebGPU on NVIDIA GeForce RTX 4090, measured at 21400 GFLOP/s; the CPU does 52 GFLOP/s.',
    },
    {
      name: 'is the faster of several, whatever their kind',
      devices: [usable('webgpu', llvmpipe, 53), cpu],
      device: 'webgpu',
      reason: 'auto is WebGPU on llvmpipe (software), measured at 53 GFLOP/s; the CPU does 52 GFLOP/s.',
    },
    {
      name: 'is the CPU where a card is slower',
      devices: [cpu, usable('webgpu', card, 52.3)],
      device: 'cpu',
      reason: 'auto is the CPU, measured at 52 GFLOP/s; WebGPU on NVIDIA GeForce RTX 4090 does 52 GFLOP/s.',
    },
    {
      name: 'is the CPU where a card is exactly as fast',
      devices: [usable('webgpu', card, 52.4), cpu],
      device: 'cpu',
      reason: 'auto is the CPU, measured at 52 GFLOP/s; WebGPU on NVIDIA GeForce RTX 4090 does 52 GFLOP/s.',
    },
    {
      name: 'names no card where none is known',
      devices: [cpu, usable('webgpu', null, 900)],
      device: 'webgpu',
      reason: 'auto is WebGPU, measured at 900 GFLOP/s; the CPU does 52 GFLOP/s.',
    },
    {
      name: 'is the CPU where WebGPU is not there',
      devices: [usable('cpu', processor, null), not('absent', 'no Vulkan driver is installed')],
      device: 'cpu',
      reason: 'auto is the CPU; WebGPU is not there: no Vulkan driver is installed.',
    },
    {
      name: 'is the CPU where the probe of a card crashed',
      devices: [cpu, not('failed', 'its probe crashed (SIGSEGV)', [card])],
      device: 'cpu',
      reason:
        'auto is the CPU, measured at 52 GFLOP/s; WebGPU on NVIDIA GeForce RTX 4090 is not used: its probe crashed (SIGSEGV).',
    },
    {
      name: 'is the CPU where neither was measured',
      devices: [usable('cpu', processor, null), usable('webgpu', card, null)],
      device: 'cpu',
      reason: 'auto is the CPU; WebGPU on NVIDIA GeForce RTX 4090 was not measured.',
    },
  ])('$name', ({ devices, device, reason }) => {
    expect(chooseDevice(devices)).toEqual({ device, reason });
  });
});
