// devices: what this machine has to compute on, measured now, and what `auto` is. What is measured is kept for runs to come.
import type { Command } from 'commander';
import { listDevices } from '../devices/devices';
import type { Adapter, DeviceFacts, DevicesReport } from '../protocol/devices';
import { gigaflops, size } from '../shared/numbers';
import { checkReport, forPeople, writeReport } from './jsonReport';
import { type OutputFlags, withOutputOptions } from './options';
import { table } from './table';

export const addDevices = (program: Command): Command =>
  withOutputOptions(program.command('devices'))
    .description('what there is to compute on, how fast it is, and which of it auto means')
    .action(async ({ json, quiet }: OutputFlags) => {
      await checkReport(json);
      const report = await listDevices(true);
      if (!quiet) forPeople(json).write(`${renderDevices(report)}\n`);
      await writeReport(json, report);
    });

/** Names of devices and adapters in a table, then what is missing and why, a sentence a line. */
export function renderDevices({ devices, auto, notes }: DevicesReport): string {
  const head = ['device', 'adapter', 'memory', 'f16', 'measured'];
  const rows = devices.flatMap((facts) => {
    const { device, adapters } = facts;
    const [first = noAdapter, ...others] = adapters;
    return [
      [device, ...ofAdapter(first), ...measured(facts)],
      ...others.map((adapter) => ['', ...ofAdapter(adapter), '', '']),
    ];
  });
  const missing = devices.flatMap((facts) => (facts.state === 'usable' ? [] : [`${facts.device}: ${facts.why}.`]));
  return [table([head, ...rows]), '', ...missing, ...notes, auto.reason].join('\n');
}

const noAdapter: Adapter = { name: '-', kind: 'unknown', memoryBytes: null, driver: null };

function ofAdapter({ name, kind, memoryBytes, driver }: Adapter): [string, string] {
  const of = kind === 'software' ? ' (software)' : '';
  const shared = kind === 'software' || kind === 'integrated' ? ' shared' : '';
  return [`${name}${of}${driver ? `, ${driver}` : ''}`, memoryBytes === null ? '-' : `${size(memoryBytes)}${shared}`];
}

function measured(facts: DeviceFacts): [string, string] {
  if (facts.state !== 'usable') return ['-', facts.state === 'failed' ? 'failed' : 'not there'];
  const { f16, operationsPerSecond } = facts;
  return [f16 === null ? '-' : f16 ? 'yes' : 'no', operationsPerSecond === null ? '-' : gigaflops(operationsPerSecond)];
}
