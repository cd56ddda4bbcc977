// A model whose matrices and head are larger than a buffer that the device binds, on Mesa's lavapipe, which takes 128 MiB: two
// blocks of Llama-3.1-8B's shape with random weights have the CPU's loss and gradients, resident and with weights that pass.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AnalyzeReport } from '../../server/recipes/analyze/recipe';
import { available, dataFolder, modelFolder, repoRoot } from '../fixtures';
import { lavapipeDriver } from '../softwareDevices';

const config = join(dataFolder, 'data/configs/mlc-presets/llama3_1_8b.json');
const driver = lavapipeDriver;
const model = modelFolder('llama-3.1-8b-two-blocks');
const minutes = 60_000;

describe.skipIf(![config, driver].every(available))("two blocks of Llama-3.1-8B's shape on lavapipe", () => {
  let root: string;
  let ids: string;
  beforeAll(() => {
    if (!existsSync(model)) {
      const shape = `${model}.config.json`;
      writeFileSync(shape, JSON.stringify({ ...JSON.parse(readFileSync(config, 'utf8')), num_hidden_layers: 2 }));
      execFileSync(process.execPath, [join(repoRoot, 'dist/makeShape.cjs'), '--config', shape, '--out', model]);
    }
    root = mkdtempSync(join(dirname(model), '.device-memory-'));
    ids = join(root, 'ids.json');
    writeFileSync(ids, JSON.stringify([Array.from({ length: 24 }, (_, t) => (977 * t + t * t) % 128_000)]));
  }, 10 * minutes);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  function analyzed(device: string, ...more: string[]): AnalyzeReport {
    const json = join(root, 'report.json');
    const args = ['analyze', model, '--ids', ids, '--device', device, '--quiet', '--json', json, ...more];
    const env = { ...process.env, VK_ICD_FILENAMES: driver };
    execFileSync(process.execPath, [join(repoRoot, 'dist/espalier.cjs'), ...args], { env });
    return JSON.parse(readFileSync(json, 'utf8')) as AnalyzeReport;
  }

  const rows: [string, string[], 'resident' | 'streaming'][] = [
    ['resident', ['--methods', 'taylor'], 'resident'],
    ['some stays, the rest passes', ['--methods', 'none', '--device-memory', '3600'], 'streaming'],
    ['none stays', ['--methods', 'none', '--memory', 'streaming'], 'streaming'],
    ['halves', ['--methods', 'none', '--weights', 'f16'], 'resident'],
  ];
  it.each(rows)('%s', { timeout: 60 * minutes }, (name, options, memory) => {
    const withoutLimit = options.filter(
      (_, i) => options[i] !== '--device-memory' && options[i - 1] !== '--device-memory',
    );
    const here = analyzed('cpu', ...withoutLimit);
    const there = analyzed('webgpu', ...options);
    const difference = Math.abs(there.lossNats - here.lossNats);
    console.log(
      `${name}: ${there.lossNats} nats, ${difference.toExponential(1)} off, ${(there.peakTensorBytes! / 1e9).toFixed(2)} GB of tensors`,
    );
    expect(there.memory).toBe(memory);
    expect(difference).toBeLessThan(1e-4);
    expect(there.transfers!.readBytes.weight).toBe(0);
    for (const [method, { scores }] of Object.entries(here.methods)) {
      const [found, expected] = [there.methods[method]!.scores.flat(), scores.flat()];
      const largest = Math.max(...expected.map(Math.abs));
      for (const [k, x] of expected.entries()) expect(Math.abs(found[k]! - x) / largest, method).toBeLessThan(1e-3);
    }
  });
});
