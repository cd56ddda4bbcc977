// The WebGPU provider on SwiftShader, Chromium's graphics device in software: slow, but the same code path as a real one.
// Every graph must run there whole (falling back to the CPU is switched off), and no weight may come back.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import type { HealReport } from '../../server/recipes/heal/recipe';
import type { PerplexityReport } from '../../server/recipes/perplexity/recipe';
import { available, modelFolder, repoRoot } from '../fixtures';
import { lavapipeDriver, swiftShaderDriver } from '../softwareDevices';

const driver = process.env.VK_ICD_FILENAMES ?? swiftShaderDriver;
const there = available(driver);
const folder = mkdtempSync(join(tmpdir(), 'espalier-webgpu-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = ['--text', join(repoRoot, 'media/demo/tinystories.txt'), '--sequences', '2', '--tokens', '96', '--quiet'];

const report = <T>(command: string, device: string, ...more: string[]) => reportOn<T>(driver, command, device, ...more);

function reportOn<T>(vulkan: string, command: string, device: string, ...more: string[]): T {
  const json = join(folder, `${command}-${device}.json`);
  const args = [
    'dist/espalier.cjs',
    command,
    modelFolder('stories260k'),
    ...text,
    '--device',
    device,
    '--json',
    json,
    ...more,
  ];
  execFileSync(process.execPath, args, { cwd: repoRoot, env: { ...process.env, VK_ICD_FILENAMES: vulkan } });
  return JSON.parse(readFileSync(json, 'utf8')) as T;
}

const relative = (a: unknown, b: unknown): number =>
  Array.isArray(a)
    ? Math.max(...a.map((x, i) => relative(x, (b as unknown[])[i])))
    : Math.abs((a as number) - (b as number)) / Math.abs(b as number);

describe.skipIf(!there)('on the WebGPU provider', () => {
  let cpu: AnalyzeReport;
  let gpu: AnalyzeReport;
  beforeAll(() => {
    cpu = report('analyze', 'cpu');
    gpu = report('analyze', 'webgpu');
  });

  test('the run was on the device', () => expect([cpu.device, gpu.device]).toEqual(['cpu', 'webgpu']));
  test('the loss is the same to 1e-4 nats', () => {
    for (const [w, loss] of gpu.lossPerSequence.entries())
      expect(Math.abs(loss - cpu.lossPerSequence[w]!)).toBeLessThan(1e-4);
  });
  test('every score of every method is the same to 1e-3', () => {
    expect(Object.keys(gpu.methods)).toEqual(Object.keys(cpu.methods));
    for (const name of Object.keys(gpu.methods)) {
      const difference = relative(gpu.methods[name]!.scores, cpu.methods[name]!.scores);
      expect(difference, name).toBeLessThan(1e-3);
    }
  });
  test('no weight and no table comes back, and what comes back is less than one hidden state', () => {
    const { readBytes, uploadedBytes } = gpu.transfers!;
    expect(readBytes).toMatchObject({ weight: 0, table: 0 });
    expect(readBytes.result).toBeGreaterThan(0);
    expect(readBytes.result).toBeLessThan(2 * 96 * gpu.model.width * 4);
    expect(uploadedBytes).toBeGreaterThan(gpu.model.nParameters * 4);
  });
  test('perplexity, with a drop set too, is that of the CPU', () => {
    const on = (device: string) => report<PerplexityReport>('perplexity', device, '--drop', '2').models[0]!;
    const [here, there] = [on('cpu'), on('webgpu')];
    expect(Math.abs(here.lossNats - there.lossNats)).toBeLessThan(1e-4);
    expect(there.dropSet).toEqual([2]);
  });
  test('steps of healing as one graph are those of the CPU block by block, in half as many runs', () => {
    const out = (name: string) => ['--out', join(folder, name), '--json', join(folder, `${name}.json`), '--quiet'];
    const heal = (device: string, activations: string) => {
      const name = `healed-${device}-${activations}`;
      const data = ['--data', join(repoRoot, 'media/demo/tinystories.txt'), '--tokens', '32', '--holdout', '0'];
      const loop = ['--steps', '2', '--micro-batch', '1', '--activations', activations, '--device', device];
      const args = ['dist/espalier.cjs', 'heal', modelFolder('stories260k'), ...data, ...loop, ...out(name)];
      const env = { ...process.env, VK_ICD_FILENAMES: driver, ESPALIER_TRACE: '1' };
      const { stderr } = spawnSync(process.execPath, args, { cwd: repoRoot, env, encoding: 'utf8' });
      const { steps } = JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as HealReport;
      return { steps, runs: Number(/trace \S+: (\d+) runs/.exec(stderr)![1]) };
    };
    const [blocks, segment] = [heal('cpu', 'recompute'), heal('webgpu', 'keep')];
    expect(blocks.steps).toHaveLength(2);
    for (const [s, { lossNats, gradNorm }] of blocks.steps.entries()) {
      expect(relative(segment.steps[s]!.lossNats, lossNats)).toBeLessThan(1e-6);
      expect(relative(segment.steps[s]!.gradNorm, gradNorm)).toBeLessThan(1e-4);
    }
    expect(segment.runs).toBeLessThan(blocks.runs / 2);
  });
  test('the loss is the same where some weights stay and others pass, because the memory is short', () => {
    const on = (device: string) =>
      report<AnalyzeReport>('analyze', device, '--methods', 'none', '--sequences', '1', '--device-memory', '1');
    const [here, there] = [on('cpu'), on('webgpu')];
    expect([here.memory, there.memory]).toEqual(['resident', 'streaming']);
    expect(relative(there.lossPerSequence, here.lossPerSequence)).toBeLessThan(1e-5);
    expect(there.transfers!.readBytes.weight).toBe(0);
  });
  test('loss and gradients of matrices held as int4, and the head as int8, are those of the CPU', () => {
    const on = (device: string) =>
      report<AnalyzeReport>('analyze', device, '--weights', 'int4', '--methods', 'taylor', '--sequences', '1');
    const [here, there] = [on('cpu'), on('webgpu')];
    expect(there.weights).toBe('int4');
    expect(relative(there.lossPerSequence, here.lossPerSequence)).toBeLessThan(1e-5);
    expect(relative(there.methods.taylor!.scores, here.methods.taylor!.scores)).toBeLessThan(1e-4);
    expect(there.transfers!.readBytes.weight).toBe(0);
  });
});

describe.skipIf(!available(lavapipeDriver))('on a device that has f16', () => {
  test('the loss of matrices held as f16 is that of the CPU', () => {
    const f16 = ['--weights', 'f16', '--sequences', '1', '--tokens', '32'];
    const [here, there] = ['cpu', 'webgpu'].map((device) =>
      reportOn<PerplexityReport>(lavapipeDriver, 'perplexity', device, ...f16),
    );
    expect([there!.device, there!.weights]).toEqual(['webgpu', 'f16']);
    expect(Math.abs(there!.models[0]!.lossNats - here!.models[0]!.lossNats)).toBeLessThan(1e-4);
  });
});
