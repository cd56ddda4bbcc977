// Devices measured, kept and given, with probes of the test's own; and probes that crash, hang and answer.
import { fork } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { chosenDevice, type DeviceSources, listDevices } from '../../server/devices/devices';
import { openMeasuredDevices } from '../../server/devices/measuredDevices';
import { type Probed, probeDevice } from '../../server/devices/probeDevice';
import { driver, loader, type Machine, systemOf } from './machines';

const root = mkdtempSync(join(tmpdir(), 'devices-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let nFolders = 0;
const newFolder = () => join(root, `${nFolders++}`);

const software: Machine = { files: { ...loader, ...driver('lvp_icd', '/usr/lib/libvulkan_lvp.so') } };
const rates = (webgpu: number): Record<string, Probed> => ({
  cpu: { kind: 'measured', operationsPerSecond: 50e9, f16: true },
  webgpu: { kind: 'measured', operationsPerSecond: webgpu, f16: false },
});

/** `probed` counts the probes. */
function sourcesOf(machine: Machine, results: Record<string, Probed>, folder = newFolder()) {
  const probed: string[] = [];
  const sources: DeviceSources = {
    system: systemOf(machine),
    measured: openMeasuredDevices(folder),
    async probe(device) {
      probed.push(device);
      return results[device]!;
    },
  };
  return { sources, probed, folder };
}

describe('devices', () => {
  it('are measured once, and again when somebody asks', async () => {
    const { sources, probed, folder } = sourcesOf(software, rates(1e9));
    expect((await chosenDevice(sources)).device).toBe('cpu');
    expect(probed).toEqual(['cpu', 'webgpu']);

    const later = sourcesOf(software, rates(900e9), folder);
    const reason = 'auto is the CPU, measured at 50 GFLOP/s; WebGPU on llvmpipe (software) does 1.0 GFLOP/s.';
    expect(await chosenDevice(later.sources)).toEqual({ device: 'cpu', reason });
    expect(later.probed).toEqual([]);
    expect((await listDevices(true, later.sources)).auto.device).toBe('webgpu');
    expect((await chosenDevice(sourcesOf(software, {}, folder).sources)).device).toBe('webgpu');
  });

  it('are measured again on another machine, and both are kept', async () => {
    const { sources, folder } = sourcesOf(software, rates(1e9));
    await chosenDevice(sources);
    const other: Machine = { ...software, change: { onnxruntime: '2.0.0' } };
    const there = sourcesOf(other, rates(900e9), folder);
    expect((await chosenDevice(there.sources)).device).toBe('webgpu');
    expect(there.probed).toEqual(['cpu', 'webgpu']);
    expect((await chosenDevice(sourcesOf(software, {}, folder).sources)).device).toBe('cpu');
  });

  it('are not measured for a choice where there is but one', async () => {
    const { sources, probed } = sourcesOf({ files: loader }, {});
    expect(await chosenDevice(sources)).toEqual({
      device: 'cpu',
      reason:
        'auto is the CPU; WebGPU is not there: no Vulkan driver is installed, and no graphics card is to be seen.',
    });
    expect(probed).toEqual([]);
  });

  it('are listed with what is not there, and why', async () => {
    const { sources, probed } = sourcesOf({ files: loader }, rates(1e9));
    const { devices } = await listDevices(false, sources);
    expect(probed).toEqual(['cpu']);
    expect(devices.map(({ device, state }) => [device, state])).toEqual([
      ['cpu', 'usable'],
      ['webgpu', 'absent'],
      ['cuda', 'absent'],
    ]);
  });

  it('are chosen without what is kept where the file is damaged, or can be neither read nor written', async () => {
    const folder = newFolder();
    await chosenDevice(sourcesOf(software, rates(1e9), folder).sources);
    writeFileSync(join(folder, 'devices.json'), '{"half');
    const damaged = sourcesOf(software, rates(900e9), folder);
    expect((await chosenDevice(damaged.sources)).device).toBe('webgpu');
    expect(damaged.probed).toHaveLength(2);
    const nowhere = sourcesOf(software, rates(900e9), '/dev/null/nowhere');
    expect((await chosenDevice(nowhere.sources)).device).toBe('webgpu');
  });

  it('that failed are tried again after a day', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const crash = { ...rates(1), webgpu: { kind: 'failed', why: 'its probe crashed (SIGSEGV)' } } as const;
    const { sources, folder } = sourcesOf(software, crash);
    const { device, reason } = await chosenDevice(sources);
    expect(device).toBe('cpu');
    expect(reason).toMatch(/WebGPU on llvmpipe \(software\) is not used: its probe crashed \(SIGSEGV\)\.$/);
    vi.setSystemTime(Date.now() + 23 * 3_600_000);
    expect((await chosenDevice(sourcesOf(software, rates(900e9), folder).sources)).device).toBe('cpu');
    vi.setSystemTime(Date.now() + 2 * 3_600_000);
    expect((await chosenDevice(sourcesOf(software, rates(900e9), folder).sources)).device).toBe('webgpu');
  });
  afterEach(() => void vi.useRealTimers());

  it.each([
    ['software', 'cpu'],
    ['faster', 'webgpu'],
  ])('are those of a report that is given: %s', async (name, device) => {
    const given = join(import.meta.dirname, `../fixtures/devices/${name}.json`);
    const { sources, probed } = sourcesOf({ environment: { ESPALIER_DEVICES: given } }, {});
    const report = await listDevices(false, sources);
    expect(report.auto.device).toBe(device);
    expect(await chosenDevice(sources)).toEqual(report.auto);
    expect(probed).toEqual([]);
  });

  it('are refused where what is given is no report', async () => {
    const file = join(root, 'no-report.json');
    writeFileSync(file, '{"devices": []}');
    const { sources } = sourcesOf({ environment: { ESPALIER_DEVICES: file } }, {});
    await expect(chosenDevice(sources)).rejects.toThrow(
      `ESPALIER_DEVICES names ${file}, which is no report of espalier devices --json; write one, or unset the variable.`,
    );
  });
});

describe('a probe', () => {
  const again = '(update its driver; espalier devices tries again)';
  it.each<{ name: string; does: string; mostMs?: number; probed: object }>([
    {
      name: 'that answers is believed',
      does: "process.on('message', () => process.send({ kind: 'measured', operationsPerSecond: 5e9, f16: true }));",
      probed: { kind: 'measured', operationsPerSecond: 5e9, f16: true },
    },
    {
      name: 'that is refused says by what',
      does: "process.on('message', () => process.send({ kind: 'failed', message: 'no adapter' }));",
      probed: { kind: 'failed', why: `its driver refused: no adapter ${again}` },
    },
    {
      name: 'that crashes is a device that is not used',
      does: "process.on('message', () => process.abort());",
      probed: { kind: 'failed', why: `its probe crashed (SIGABRT) ${again}` },
    },
    {
      name: 'that ends without a word is one, too',
      does: "process.on('message', () => process.exit(3));",
      probed: { kind: 'failed', why: `its probe crashed (code 3) ${again}` },
    },
    {
      name: 'that hangs is ended',
      does: "process.on('message', () => { for (;;); });",
      mostMs: 300,
      probed: { kind: 'failed', why: `its probe did not answer within 0.3 s ${again}` },
    },
    {
      name: 'that says more than a pipe holds is not stopped by that',
      does: `process.on('message', () => {
        require('node:fs').writeSync(2, Buffer.alloc(2 ** 20));
        process.send({ kind: 'failed', message: 'no adapter' });
      });`,
      probed: { kind: 'failed', why: `its driver refused: no adapter ${again}` },
    },
  ])('$name', async ({ does, mostMs = 60_000, probed }) => {
    const script = join(root, `probe-${nFolders++}.cjs`);
    writeFileSync(script, does);
    const child = fork(script, { stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    expect(await probeDevice('webgpu', () => ({ child, said: () => '' }), mostMs)).toEqual(probed);
    expect(child.exitCode !== null || child.signalCode !== null).toBe(true);
  });

  it('that cannot be started says why', async () => {
    const hindrance = Promise.resolve({
      code: 'cannotFit',
      message: 'The probe cannot be started (EAGAIN): x.',
    } as const);
    expect(await probeDevice('webgpu', () => ({ hindrance }))).toEqual({
      kind: 'failed',
      why: 'The probe cannot be started (EAGAIN): x',
    });
  });
});
