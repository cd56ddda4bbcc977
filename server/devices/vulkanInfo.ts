// What `vulkaninfo --summary` of Khronos' vulkan-tools prints: under `Devices:` a part a device, and in it `name = value`. Pure.
import type { Adapter } from '../protocol/devices';

const kinds: Readonly<Record<string, Adapter['kind']>> = {
  PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: 'discrete',
  PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: 'integrated',
  PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: 'virtual',
  PHYSICAL_DEVICE_TYPE_CPU: 'software',
};

/** Without their memory, which the summary does not tell. */
export function readVulkanSummary(text: string): Adapter[] {
  const parts = text.split(/^GPU\d+:[ \t]*$/m).slice(1);
  return parts.flatMap((part) => {
    const fields = new Map([...part.matchAll(/^\s+(\w+)\s*=\s*(.*?)\s*$/gm)].map(([, name, value]) => [name, value!]));
    const name = fields.get('deviceName');
    if (!name) return [];
    const driver = [fields.get('driverName'), fields.get('driverInfo')].filter(Boolean).join(' ');
    const kind = kinds[fields.get('deviceType') ?? ''] ?? 'unknown';
    return [{ name, kind, memoryBytes: null, driver: driver || null }];
  });
}
