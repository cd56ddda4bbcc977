// espalier devices, and what `auto` is in a real run: with the software devices that tests have, without any, with drivers that
// crash, and with a card that is faster by a report that is given.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type DevicesReport, devicesReport } from '../../server/protocol/devices';
import type { PerplexityReport } from '../../server/recipes/perplexity/recipe';
import { available, modelFolder, repoRoot } from '../fixtures';
import { lavapipeDriver, swiftShaderDriver } from '../softwareDevices';
import { program } from './espalier';

const root = mkdtempSync(join(tmpdir(), 'cli-devices-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** With a cache of its own, and with nothing given in the place of a measurement. */
function espalier(args: string[], environment: Record<string, string>) {
  const { ESPALIER_DEVICES, VK_ICD_FILENAMES, VK_DRIVER_FILES, ...inherited } = process.env;
  const env = { ...inherited, XDG_CACHE_HOME: join(root, 'cache'), ...environment };
  return spawnSync(process.execPath, [program, ...args], { env, encoding: 'utf8' });
}

function devices(environment: Record<string, string>): { report: DevicesReport; said: string } {
  const { status, stdout, stderr } = espalier(['devices', '--json', '-'], environment);
  expect({ status, stderr }).toMatchObject({ status: 0 });
  return { report: devicesReport.parse(JSON.parse(stdout)), said: stderr };
}

const of = ({ devices }: DevicesReport, name: string) => devices.find(({ device }) => device === name)!;

const software = [
  { name: 'SwiftShader', driver: swiftShaderDriver, f16: false },
  { name: 'llvmpipe', driver: lavapipeDriver, f16: true },
];
describe.each(software)('where only $name is there', ({ name, driver, f16 }) => {
  it.skipIf(!available(driver))('auto is the CPU, and says so', () => {
    const { report, said } = devices({ VK_ICD_FILENAMES: driver });
    const [cpu, webgpu] = [of(report, 'cpu'), of(report, 'webgpu')];
    expect(cpu).toMatchObject({ state: 'usable', f16: true });
    expect(webgpu).toMatchObject({ state: 'usable', f16 });
    expect(webgpu.adapters).toMatchObject([{ name: expect.stringContaining(name), kind: 'software' }]);
    expect(report.auto.device).toBe('cpu');
    expect(report.auto.reason).toMatch(
      new RegExp(String.raw`^auto is the CPU, measured at [\d.]+ GFLOP/s; WebGPU on ${name}.* does [\d.]+ GFLOP/s\.$`),
    );
    expect(said).toContain(report.auto.reason);
  });
});

describe('espalier devices', () => {
  it('says why there is no device but the CPU', () => {
    const { report, said } = devices({ VK_ICD_FILENAMES: '/nowhere/icd.json' });
    const why = 'VK_ICD_FILENAMES names /nowhere/icd.json, which is not there (correct the variable, or unset it)';
    expect(of(report, 'webgpu')).toEqual({ device: 'webgpu', state: 'absent', adapters: [], why });
    expect(report.auto).toMatchObject({ device: 'cpu' });
    expect(said).toContain(`webgpu: ${why}.`);
    expect(said).toMatch(/^device +adapter +memory +f16 +measured$/m);
    expect(said).toMatch(/^cuda: CUDA is not part of this version/m);
  });

  it('lives through a driver that crashes, and does not use it', () => {
    const source = join(root, 'crash.c');
    writeFileSync(source, '#include <stdlib.h>\n__attribute__((constructor)) static void crash(void) { abort(); }\n');
    execFileSync('g++', ['-shared', '-fPIC', '-o', join(root, 'crash.so'), source]);
    const manifest = join(root, 'crash.json');
    const icd = { library_path: './crash.so', api_version: '1.3.0' };
    writeFileSync(manifest, JSON.stringify({ file_format_version: '1.0.0', ICD: icd }));
    const { report } = devices({ VK_ICD_FILENAMES: manifest });
    expect(of(report, 'webgpu')).toMatchObject({ state: 'failed', why: expect.stringContaining('crashed (SIGABRT)') });
    expect(report.auto.device).toBe('cpu');
    expect(report.auto.reason).toMatch(/WebGPU is not used: its probe crashed \(SIGABRT\)/);
  });
});

describe.skipIf(!available(swiftShaderDriver))('a run on auto', () => {
  const text = ['--text', join(repoRoot, 'media/demo/tinystories.txt'), '--sequences', '1', '--tokens', '32'];
  const perplexity = (given: string) => {
    const json = join(root, `${given}.json`);
    const environment = {
      VK_ICD_FILENAMES: swiftShaderDriver,
      ESPALIER_DEVICES: join(repoRoot, `test/fixtures/devices/${given}.json`),
    };
    const args = ['perplexity', modelFolder('stories260k'), ...text, '--json', json];
    const { status, stderr } = espalier(args, environment);
    expect({ status, stderr }).toMatchObject({ status: 0 });
    return { report: JSON.parse(readFileSync(json, 'utf8')) as PerplexityReport, said: stderr };
  };

  it('is on the CPU where software is slower, and on WebGPU where a card is faster, and says why', () => {
    const [slow, fast] = [perplexity('software'), perplexity('faster')];
    for (const { report, said } of [slow, fast]) expect(said.split(report.deviceReason!)).toHaveLength(2);
    expect(slow.report).toMatchObject({ device: 'cpu', deviceReason: expect.stringMatching(/^auto is the CPU, /) });
    expect(fast.report).toMatchObject({
      device: 'webgpu',
      deviceReason: expect.stringMatching(/^auto is WebGPU on A /),
    });
    expect(fast.report.models[0]!.lossNats).toBeCloseTo(slow.report.models[0]!.lossNats, 4);
    expect(slow.report.transfers!.readBytes.result).toBeGreaterThan(0);
  });

  it('names no reason where the device was named, and refuses one that is not there', () => {
    const args = ['perplexity', modelFolder('stories260k'), ...text];
    const gone = espalier([...args, '--device', 'webgpu'], { VK_ICD_FILENAMES: '/nowhere/icd.json' });
    expect(gone.status).toBe(2);
    expect(gone.stderr).toContain('WebGPU is not there: VK_ICD_FILENAMES names /nowhere/icd.json');
    const named = espalier([...args, '--device', 'cpu', '--json', '-'], {});
    expect(JSON.parse(named.stdout)).not.toHaveProperty('deviceReason');
    expect(named.stderr).not.toContain('auto');
  });
});
