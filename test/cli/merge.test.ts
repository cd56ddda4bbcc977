// espalier merge, as a person types it: an adapter of ours into the bundled model without a block.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { writeAdapterFiles } from '../../server/checkpoint/adapter';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { adaptedModules, moduleKey } from '../../server/model/adapter';
import { modelFolder } from '../fixtures';
import { espalier } from './inProcess';

const root = mkdtempSync(join(tmpdir(), 'merge-command-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const [pruned, adapter] = [join(root, 'pruned'), join(root, 'adapter')];

/** Beside the gap, with all of A and B alike. */
async function makeAdapter(): Promise<void> {
  const checkpoint = await openCheckpoint(pruned);
  await checkpoint.close();
  const { config, provenance } = checkpoint;
  const none = { rankPattern: {}, alphaPattern: {}, rsLora: false, dropout: 0 };
  const options = { rank: 2, alpha: 4, targets: ['q_proj', 'down_proj'], blocks: 'cutAdjacent' as const, ...none };
  const modules = adaptedModules(config, options, provenance);
  const tensors = new Map(
    modules.map((module) => {
      const { rank: R, inFeatures, outFeatures } = module;
      const pair = { a: new Float32Array(R * inFeatures).fill(0.1), b: new Float32Array(outFeatures * R).fill(0.01) };
      return [moduleKey(module), pair];
    }),
  );
  mkdirSync(adapter);
  await writeAdapterFiles(adapter, { options, modules, tensors, nBlocks: config.nBlocks, baseModelNameOrPath: pruned });
}

it('merges, and says what it did', async () => {
  await espalier(['prune', modelFolder('stories260k'), '--drop', '2', '--dtype', 'bf16', '--out', pruned]);
  await makeAdapter();
  const [out, file] = [join(root, 'merged'), join(root, 'report.json')];
  const { code, stdout } = await espalier(['merge', pruned, adapter, '--out', out, '--json', file]);
  expect(code).toBe(0);
  expect(stdout).toMatch(/^merged +4 weights of pruned\nrounding +[\d.]+ % of the change\nwritten to +.*merged\n$/);
  const report = JSON.parse(readFileSync(file, 'utf8'));
  expect(report).toMatchObject({ kind: 'merge', adapter, out, nMerged: 4, weightFiles: ['model.safetensors'] });
  expect(report.roundingShare).toBeGreaterThan(0);
  const { steps } = JSON.parse(readFileSync(join(out, 'espalier.json'), 'utf8'));
  expect(steps[1]).toMatchObject({ kind: 'merge', adapter: 'adapter', options: { blocks: [1, 2] }, removedBlocks: [] });
  const inspected = await espalier(['inspect', out]);
  expect(inspected.stdout).toMatch(/\nmade from +stories260k, without blocks 2, healed\n/);
});
