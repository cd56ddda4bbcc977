// The devices of this machine, measured once and remembered, and what `auto` is. Nothing here loads onnxruntime.
import type { DeviceChoice, DeviceFacts, DevicesReport } from '../protocol/devices';
import { notesOnCards, whyNoCuda, whyNoVulkan } from './absence';
import { chooseDevice } from './chooseDevice';
import { findGraphicsAdapters, findNvidia } from './graphicsAdapters';
import { findGraphicsCards } from './graphicsCards';
import { deviceKey, openMeasuredDevices, readGivenDevices } from './measuredDevices';
import { probeDevice } from './probeDevice';
import { type System, thisSystem } from './system';
import { findVulkanDrivers, type VulkanDrivers } from './vulkanDrivers';

/** What is measured and kept, replaced by tests. */
export interface DeviceSources {
  readonly system: System;
  readonly measured: ReturnType<typeof openMeasuredDevices>;
  readonly probe: typeof probeDevice;
}

const sourcesHere = (): DeviceSources => ({
  system: thisSystem(),
  measured: openMeasuredDevices(),
  probe: probeDevice,
});

/** @param measure anew, even where it is known */
export async function listDevices(
  measure: boolean,
  { system, measured, probe }: DeviceSources = sourcesHere(),
): Promise<DevicesReport> {
  const { ESPALIER_DEVICES: given } = system.environment;
  if (given) return chosenAnew(readGivenDevices(given));
  const drivers = findVulkanDrivers(system);
  const key = deviceKey(system, drivers);
  const known = measure ? null : measured.find(key);
  if (known) return chosenAnew(known);
  const report = await measureDevices(system, drivers, probe);
  measured.keep(key, report);
  return report;
}

/** By today's rule, whatever the rule was when it was written. */
const chosenAnew = (report: DevicesReport): DevicesReport => ({ ...report, auto: chooseDevice(report.devices) });

/** What `auto` is here. Nothing is measured where there is but one device. */
export async function chosenDevice(sources: DeviceSources = sourcesHere()): Promise<DeviceChoice> {
  const { system } = sources;
  if (system.environment.ESPALIER_DEVICES) return (await listDevices(false, sources)).auto;
  const why = whyNoWebgpu(system);
  if (why !== null) return chooseDevice([processorFacts(system), noGraphics(why)]);
  return (await listDevices(false, sources)).auto;
}

/** Why WebGPU cannot compute here, as the end of a sentence, as far as that is to be seen; null: nothing speaks against it. */
export function whyNoWebgpu(system: System = thisSystem()): string | null {
  return whyNoVulkan(system.platform, findVulkanDrivers(system), findGraphicsCards(system));
}

const noGraphics = (why: string): DeviceFacts => ({ device: 'webgpu', state: 'absent', adapters: [], why });

function processorFacts({ processor: { name, nCores, memoryBytes } }: System): DeviceFacts {
  const adapter = { name: `${name}, ${nCores} cores`, kind: 'processor', memoryBytes, driver: null } as const;
  return { device: 'cpu', state: 'usable', adapters: [adapter], f16: null, operationsPerSecond: null };
}

/** One after the other, so that no device is slowed by the work on another. */
async function measureDevices(
  system: System,
  drivers: VulkanDrivers,
  probe: DeviceSources['probe'],
): Promise<DevicesReport> {
  const cards = findGraphicsCards(system);
  const nvidia = await findNvidia(system);
  const adapters = await findGraphicsAdapters(system, drivers.drivers, cards, nvidia.adapters);

  const cpu = await measuredFacts(processorFacts(system), probe);
  const why = whyNoVulkan(system.platform, drivers, cards);
  const graphics: DeviceFacts = why
    ? noGraphics(why)
    : { device: 'webgpu', state: 'usable', adapters, f16: null, operationsPerSecond: null };
  const devices: DeviceFacts[] = [
    cpu,
    await measuredFacts(graphics, probe),
    { device: 'cuda', state: 'absent', adapters: nvidia.adapters, why: whyNoCuda },
  ];
  return {
    devices,
    auto: chooseDevice(devices),
    notes: system.platform === 'linux' ? notesOnCards(cards, drivers, nvidia.said) : [],
    onnxruntime: system.onnxruntime,
  };
}

async function measuredFacts(facts: DeviceFacts, probe: DeviceSources['probe']): Promise<DeviceFacts> {
  const { device, adapters } = facts;
  if (facts.state !== 'usable' || device === 'cuda') return facts;
  const probed = await probe(device);
  if (probed.kind === 'failed') return { device, adapters, state: 'failed', why: probed.why };
  const { operationsPerSecond, f16 } = probed;
  return { ...facts, operationsPerSecond, f16 };
}
