// Devices as rows of the picker, and what a setting means among them. Pure.
import type { Adapter, DeviceChoice, DeviceFacts, DevicesReport } from '../server/protocol/devices';
import type { DeviceName } from '../server/protocol/recipes';
import { deviceTitles } from '../server/shared/deviceTitles';
import { gigaflops, size } from '../server/shared/numbers';

export interface DeviceRow {
  readonly device: 'auto' | 'cpu' | 'webgpu';
  readonly label: string;
  readonly description: string;
  readonly detail: string;
  /** Why it cannot be chosen, in one sentence; null: it can. */
  readonly refusal: string | null;
}

/** `auto` first. A device that no recipe of the editor can name is not offered. */
export function deviceRows({ devices, auto }: DevicesReport): DeviceRow[] {
  const rows = devices.flatMap((facts): DeviceRow[] => {
    const { device, adapters } = facts;
    if (device === 'cuda') return [];
    const [adapter] = adapters;
    const refusal = facts.state === 'usable' ? null : `${deviceTitles[device]} cannot be used: ${facts.why}.`;
    const description = adapter ? adapterInWords(adapter) : '';
    return [{ device, label: device, description, detail: measuredInWords(facts), refusal }];
  });
  return [
    { device: 'auto', label: 'auto', description: deviceTitles[auto.device], detail: auto.reason, refusal: null },
    ...rows,
  ];
}

const adapterInWords = ({ name, kind, memoryBytes }: Adapter): string =>
  [
    `${name}${kind === 'software' ? ' (software)' : ''}`,
    ...(memoryBytes === null ? [] : [`${size(memoryBytes)}${kind === 'software' ? ' shared' : ''}`]),
  ].join(', ');

function measuredInWords(facts: DeviceFacts): string {
  if (facts.state !== 'usable') return `Not ${facts.state === 'absent' ? 'there' : 'used'}: ${facts.why}.`;
  const { operationsPerSecond, f16 } = facts;
  const speed = operationsPerSecond === null ? 'Not measured' : `Measured at ${gigaflops(operationsPerSecond)}`;
  return `${speed}${f16 === null ? '' : f16 ? '; holds weights in 16 bits' : '; holds no weights in 16 bits'}.`;
}

/** What runs compute on under a setting. */
export function chosenBy(setting: DeviceName, { devices, auto }: DevicesReport): DeviceChoice {
  if (setting !== 'cpu' && setting !== 'webgpu') return auto;
  const facts = devices.find(({ device }) => device === setting);
  const why = facts && facts.state !== 'usable' ? ` It cannot be used: ${facts.why}.` : '';
  return { device: setting, reason: `${deviceTitles[setting]}, as the setting espalier.device says.${why}` };
}
