// What the command line does with the WebGPU provider on SwiftShader, Chromium's graphics device in software: slow, but the same
// code path as a real one. Golden numbers of every job are in test/webgpu.
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import type { HealReport } from '../../server/recipes/heal/recipe';
import type { PerplexityReport } from '../../server/recipes/perplexity/recipe';
import { available, modelFolder, repoRoot } from '../fixtures';
import { swiftShaderDriver } from '../softwareDevices';

const driver = process.env.VK_ICD_FILENAMES ?? swiftShaderDriver;
const there = available(driver);
const folder = mkdtempSync(join(tmpdir(), 'espalier-webgpu-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = ['--text', join(repoRoot, 'media/demo/tinystories.txt'), '--sequences', '2', '--tokens', '96', '--quiet'];

function report<T>(command: string, device: string, ...more: string[]): T {
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
  execFileSync(process.execPath, args, { cwd: repoRoot, env: { ...process.env, VK_ICD_FILENAMES: driver } });
  return JSON.parse(readFileSync(json, 'utf8')) as T;
}

const relative = (a: unknown, b: unknown): number =>
  Array.isArray(a)
    ? Math.max(...a.map((x, i) => relative(x, (b as unknown[])[i])))
    : Math.abs((a as number) - (b as number)) / Math.abs(b as number);

describe.skipIf(!there)('on the WebGPU provider', () => {
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
