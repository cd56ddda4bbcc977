// The real PEFT loads the adapters that we write and merges them as we do, and we merge the adapters that it makes. The
// first run makes a Python with torch (6 GB, see test/python); ESPALIER_PYTHON names one that has it already.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readAdapter, writeAdapterFiles } from '../../server/checkpoint/adapter';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { type AdapterForm, adaptedModules, moduleKey } from '../../server/model/adapter';
import { parseDropSet } from '../../server/shared/dropSets';
import { available, modelFolder, repoRoot } from '../fixtures';
import { healing, storyText } from '../recipes/healing';
import { onCpu, runHere } from '../recipes/runHere';

const root = mkdtempSync(join(tmpdir(), 'peft-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const tolerance = 1e-4;
const plain: AdapterForm = {
  rank: 4,
  alpha: 8,
  targets: ['all-linear'],
  blocks: 'all',
  rankPattern: {},
  alphaPattern: {},
  rsLora: false,
  dropout: 0,
};

/** `ours`: written by us with random numbers; `healed`: trained by us; `theirs`: made by PEFT from a LoraConfig. */
const rows: {
  name: string;
  drop: string;
  ours?: Partial<AdapterForm>;
  healed?: Partial<AdapterForm>;
  theirs?: object;
}[] = [
  { name: 'stories260k', drop: '3', ours: {} },
  {
    name: 'stories260k',
    drop: '1,2',
    ours: {
      blocks: 'cutAdjacent',
      rsLora: true,
      rankPattern: { 'layers.1.mlp.up_proj': 2, '.*_proj': 3 },
      alphaPattern: { '(q|v)_proj': 5, '^model.layers.0.mlp.down_proj': 1 },
    },
  },
  { name: 'stories260k', drop: '0a,2m,4', ours: {} },
  { name: 'stories260k', drop: '3', healed: {} },
  {
    name: 'stories260k',
    drop: '1',
    healed: { blocks: 'cutAdjacent', rsLora: true, dropout: 0.1, rankPattern: { up_proj: 2 } },
  },
  { name: 'stories260k', drop: '3', theirs: { r: 8, lora_alpha: 16 } },
  {
    name: 'stories260k',
    drop: '3',
    theirs: {
      r: 4,
      lora_alpha: 3,
      use_rslora: true,
      target_modules: 'all-linear',
      rank_pattern: { 'layers\\.[12]\\.mlp.*': 2, 'self_attn.o_proj': 7 },
      alpha_pattern: { '^model.layers.0.self_attn.q_proj': 1 },
    },
  },
  { name: 'stories260k', drop: '3', theirs: { target_modules: ['up_proj', 'k_proj'], layers_to_transform: [1, 3] } },
  { name: 'stories260k', drop: '3', theirs: { target_modules: '.*\\.2\\..*(up|down)_proj' } },
  { name: 'stories260k', drop: '1a,4', theirs: { target_modules: ['q_proj', 'v_proj'] } },
  { name: 'smollm2-135m', drop: '12-16', ours: { blocks: 'cutAdjacent', rank: 16 } },
  { name: 'smollm2-135m', drop: '12-16', theirs: { r: 8, lora_alpha: 16, target_modules: 'all-linear' } },
];

describe.each(rows)('$name without $drop, ours $ours, healed $healed, theirs $theirs', (row) => {
  const { name, drop, ours, healed, theirs } = row;
  const original = modelFolder(name);

  it.skipIf(!available(original))('means the same to PEFT', { timeout: 30 * 60_000 }, async () => {
    const folder = mkdtempSync(join(root, 'row-'));
    const [pruned, adapter, merged, ids] = ['pruned', 'adapter', 'merged', 'ids.json'].map((it) =>
      join(folder, it),
    ) as [string, string, string, string];
    const output = { dtype: 'f32', maxShardBytes: null, compute: onCpu } as const;
    const rule = { kind: 'chosen', ...parseDropSet(drop) } as const;
    const nothing = { source: null, repair: null, mergekit: null };
    await runHere({ kind: 'prune', model: original, rule, ...nothing, out: pruned, ...output });
    if (ours) await writeRandom(pruned, adapter, { ...plain, ...ours });
    else if (healed) await writeHealed(pruned, adapter, join(folder, 'text.txt'), healed);
    else peft('make', { model: pruned, lora: JSON.stringify(theirs), out: adapter });
    const { nMerged } = await runHere({ kind: 'merge', model: pruned, adapter, out: merged, ...output });
    const reference = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/reference', `${name}.json`), 'utf8'));
    writeFileSync(ids, JSON.stringify((reference.ids as number[][]).slice(0, 2).map((row) => row.slice(0, 128))));
    const found: Found = JSON.parse(peft('compare', { model: pruned, adapter, merged, ids }));
    console.log(
      `${name} without ${drop}, ${ours ? 'ours' : healed ? 'healed' : 'theirs'}: ${nMerged} weights; logits change by ${found.change}, ` +
        `off by ${found.unmerged} beside the model and ${found.merged} merged, PEFT's own two by ${found.own}`,
    );
    expect(found.problems).toEqual([]);
    expect(found.change).toBeGreaterThan(100 * tolerance);
    expect(found.unmerged).toBeLessThan(tolerance);
    expect(found.merged).toBeLessThan(tolerance);
    const modules = await readHere(pruned, adapter);
    for (const { key, rank, scaling } of modules) {
      expect(found.modules[key]?.[0], key).toBe(rank);
      expect(found.modules[key]?.[1], key).toBeCloseTo(scaling, 12);
    }
    if (!drop.includes('a') || !theirs) expect(Object.keys(found.modules)).toHaveLength(modules.length);
  });
});

interface Found {
  modules: Record<string, [number, number]>;
  change: number;
  unmerged: number;
  merged: number;
  own: number;
  problems: string[];
}

function peft(what: 'make' | 'compare', options: Record<string, string>): string {
  const args = Object.entries(options).flatMap(([option, value]) => [`--${option}`, value]);
  try {
    return execFileSync(join(repoRoot, 'test/python/run.sh'), ['adapter.py', what, ...args], { encoding: 'utf8' });
  } catch (error) {
    // It exits with 1 where it has found problems, and says which.
    const { stdout = '' } = error as { stdout?: string };
    if (stdout.startsWith('{')) return stdout;
    throw error;
  }
}

/** An adapter whose A and B are both random, so that it changes something. */
async function writeRandom(model: string, folder: string, options: AdapterForm): Promise<void> {
  const checkpoint = await openCheckpoint(model);
  const { config, provenance } = checkpoint;
  await checkpoint.close();
  const modules = adaptedModules(config, options, provenance);
  let state = 1;
  const random = (n: number) =>
    Float32Array.from({ length: n }, () => {
      // xorshift32
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state / 2 ** 31) * 0.1;
    });
  const tensors = new Map(
    modules.map((module) => {
      const { rank: R, inFeatures, outFeatures } = module;
      return [moduleKey(module), { a: random(R * inFeatures), b: random(outFeatures * R) }];
    }),
  );
  mkdirSync(folder);
  await writeAdapterFiles(folder, { options, modules, tensors, nBlocks: config.nBlocks, baseModelNameOrPath: model });
}

/** An adapter after some steps of training. */
async function writeHealed(model: string, folder: string, text: string, options: Partial<AdapterForm>): Promise<void> {
  writeFileSync(text, storyText(400));
  const { adapter, healed, pruned } = await runHere(healing(model, text, folder, { adapter: options }));
  expect(adapter.normB).toBeGreaterThan(0);
  expect(healed!.lossNats).toBeLessThan(pruned!.lossNats);
}

async function readHere(model: string, adapter: string) {
  const checkpoint = await openCheckpoint(model);
  await checkpoint.close();
  const { modules } = await readAdapter(adapter, checkpoint.config);
  return modules.map((module) => ({ key: moduleKey(module), ...module }));
}
