// Devices in the editor: the rows of the picker, and what the setting means.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chosenBy, deviceRows } from '../../extension/deviceRows';
import { chooseDevice } from '../../server/devices/chooseDevice';
import { type DeviceFacts, type DevicesReport, devicesReport } from '../../server/protocol/devices';
import { repoRoot } from '../fixtures';

const read = (name: string): DevicesReport =>
  devicesReport.parse(JSON.parse(readFileSync(join(repoRoot, `test/fixtures/devices/${name}.json`), 'utf8')));
const [software, faster] = [read('software'), read('faster')];
const without: DevicesReport = {
  ...software,
  devices: software.devices.map(
    (facts): DeviceFacts =>
      facts.device === 'webgpu'
        ? { device: 'webgpu', state: 'absent', adapters: [], why: 'no driver is there' }
        : facts,
  ),
};

describe('the picker of devices', () => {
  it.each([
    [
      'software',
      software,
      [
        ['auto', 'CPU', software.auto.reason],
        ['cpu', 'Test processor, 2 cores, 8.00 GB', 'Measured at 100 GFLOP/s; holds weights in 16 bits.'],
        ['webgpu', 'SwiftShader (software), 8.00 GB shared', 'Measured at 1.0 GFLOP/s; holds no weights in 16 bits.'],
      ],
    ],
    [
      'a fast card',
      faster,
      [
        ['auto', 'WebGPU', faster.auto.reason],
        ['cpu', 'Test processor, 2 cores, 8.00 GB', 'Measured at 100 GFLOP/s; holds weights in 16 bits.'],
        ['webgpu', 'A fast card, 24.00 GB', 'Measured at 4100 GFLOP/s; holds no weights in 16 bits.'],
      ],
    ],
    [
      'no driver',
      without,
      [
        ['auto', 'CPU', software.auto.reason],
        ['cpu', 'Test processor, 2 cores, 8.00 GB', 'Measured at 100 GFLOP/s; holds weights in 16 bits.'],
        ['webgpu', '', 'Not there: no driver is there.'],
      ],
    ],
  ])('with %s', (_, report, rows) =>
    expect(deviceRows(report).map(({ label, description, detail }) => [label, description, detail])).toEqual(rows),
  );

  it('refuses what is not there', () => {
    expect(deviceRows(without).map(({ refusal }) => refusal)).toEqual([
      null,
      null,
      'WebGPU cannot be used: no driver is there.',
    ]);
    expect(deviceRows(faster).every(({ refusal }) => refusal === null)).toBe(true);
  });
});

describe('the setting espalier.device', () => {
  it.each([
    ['auto', faster, faster.auto],
    ['auto', software, software.auto],
    ['cpu', faster, { device: 'cpu', reason: 'CPU, as the setting espalier.device says.' }],
    [
      'webgpu',
      without,
      {
        device: 'webgpu',
        reason: 'WebGPU, as the setting espalier.device says. It cannot be used: no driver is there.',
      },
    ],
  ] as const)('%s', (setting, report, choice) => expect(chosenBy(setting, report)).toEqual(choice));

  it('has, in what tests are given, the choice that the rule makes', () => {
    for (const report of [software, faster]) expect(chooseDevice(report.devices)).toEqual(report.auto);
  });
});
