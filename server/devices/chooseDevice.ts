// What `auto` means: the device that was measured to be faster at a product of a block's shape. Software that stands in for a
// graphics card loses by itself. Pure.
import type { DeviceChoice, DeviceFacts } from '../protocol/devices';
import { gigaflops } from '../shared/numbers';

/** The CPU where nothing is faster, or nothing else was measured. */
export function chooseDevice(devices: readonly DeviceFacts[]): DeviceChoice {
  const speed = (facts: DeviceFacts) => (facts.state === 'usable' && facts.operationsPerSecond) || 0;
  const cpu = devices.find(({ device }) => device === 'cpu');
  const graphics = devices.find(({ device }) => device === 'webgpu');
  const isFaster = graphics && speed(graphics) > (cpu ? speed(cpu) : 0);
  const [chosen, other] = isFaster ? [graphics, cpu] : [cpu, graphics];
  const name = isFaster ? 'webgpu' : 'cpu';
  const measured = chosen && speed(chosen) > 0 ? `, measured at ${gigaflops(speed(chosen))}` : '';
  const rest = other ? `; ${inWords(other)}` : '';
  return { device: name, reason: `auto is ${chosen ? titleOf(chosen) : 'the CPU'}${measured}${rest}.` };
}

function inWords(facts: DeviceFacts): string {
  if (facts.state !== 'usable')
    return `${titleOf(facts)} is not ${facts.state === 'absent' ? 'there' : 'used'}: ${facts.why}`;
  if (facts.operationsPerSecond === null) return `${titleOf(facts)} was not measured`;
  return `${titleOf(facts)} does ${gigaflops(facts.operationsPerSecond)}`;
}

/** `the CPU`, `WebGPU on llvmpipe (LLVM 19.1.7, 256 bits) (software)`. */
function titleOf({ device, adapters }: DeviceFacts): string {
  if (device === 'cpu') return 'the CPU';
  const [adapter] = adapters;
  if (!adapter) return 'WebGPU';
  return `WebGPU on ${adapter.name}${adapter.kind === 'software' ? ' (software)' : ''}`;
}
