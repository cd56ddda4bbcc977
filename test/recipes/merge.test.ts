// Merging: the folder means what PEFT's merged model means, and only the weights that have an adapter change.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withCheckpoint } from '../../server/checkpoint/checkpoint';
import { readAdapter, writeAdapterFiles } from '../../server/checkpoint/adapter';
import { moduleKey } from '../../server/model/adapter';
import { ofBlocks } from '../../server/shared/dropSets';
import type { MergeRecipe } from '../../server/recipes/merge/recipe';
import type { TokenSource } from '../../server/protocol/recipes';
import { addLowRank } from '../../server/recipes/merge/merge';
import { available, dataFolder, modelFolder } from '../fixtures';
import { onCpu, runHere } from './runHere';

const root = mkdtempSync(join(tmpdir(), 'merge-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const reference = join(dataFolder, 'reference');
const text = join(dataFolder, 'data/wikitext-2-raw/wiki.test.raw');
const adapter = (which: 'init' | 'final') => join(reference, `lora-stories260k-${which}`);
const pruned = join(root, 'pruned');
const [empty, taken] = [join(root, 'empty'), join(root, 'taken')];
for (const folder of [empty, taken]) mkdirSync(folder);
writeFileSync(join(taken, 'something'), '');

let n = 0;
const merge = (change: Partial<MergeRecipe> = {}) =>
  runHere({
    kind: 'merge',
    model: pruned,
    adapter: adapter('final'),
    out: join(root, String(n++)),
    dtype: null,
    maxShardBytes: null,
    compute: onCpu,
    ...change,
  });

beforeAll(() =>
  runHere({
    kind: 'prune',
    model: modelFolder('stories260k'),
    rule: { kind: 'chosen', ...ofBlocks([3]) },
    source: null,
    repair: null,
    out: pruned,
    dtype: 'f32',
    maxShardBytes: null,
    mergekit: null,
    compute: onCpu,
  }),
);

const weightsOf = (folder: string) =>
  withCheckpoint(folder, async (checkpoint) => {
    const weights = new Map<string, Float32Array>();
    for (const name of checkpoint.weights.keys()) weights.set(name, await checkpoint.readF32(name));
    return weights;
  });

async function lossOf(folder: string): Promise<number> {
  const source: TokenSource = {
    kind: 'text',
    files: [text],
    field: null,
    sequences: 4,
    tokens: 128,
    start: 500 * 4 * 128, // the reference's micro-batch that is held out
    bos: 'none',
    sampling: 'consecutive',
    seed: 0,
  };
  const { models } = await runHere({
    kind: 'perplexity',
    models: [folder],
    drop: ofBlocks([]),
    source,
    compute: onCpu,
  });
  return models[0]!.lossNats;
}

describe.skipIf(!available(adapter('final')) || !available(text))(
  "PEFT's adapter for stories260K without block 3",
  () => {
    it('has the loss that PEFT finds after merging', async () => {
      const expected = JSON.parse(readFileSync(join(reference, 'lora-stories260k.json'), 'utf8'));
      const { out } = await merge();
      const [before, after] = [await lossOf(pruned), await lossOf(out)];
      expect(Math.abs(before / expected.held_out_before - 1)).toBeLessThan(1e-5);
      expect(Math.abs(after / expected.held_out_merged - 1)).toBeLessThan(1e-5);
    });

    it('changes the weights that it adapts, in float32 without rounding, and says what was done', async () => {
      const report = await merge();
      expect(report).toMatchObject({ kind: 'merge', adapter: adapter('final'), nMerged: 8, roundingShare: 0 });
      const [before, after] = [await weightsOf(pruned), await weightsOf(report.out)];
      const changed = [...before].filter(([name, old]) => old.some((x, i) => x !== after.get(name)![i]));
      const blocks = [0, 1, 2, 3].flatMap((k) => ['q', 'v'].map((p) => `model.layers.${k}.self_attn.${p}_proj.weight`));
      expect(changed.map(([name]) => name)).toEqual(blocks);
      await withCheckpoint(report.out, async ({ provenance, config }) => {
        expect(provenance).toMatchObject({ keptBlocks: [0, 1, 2, 4], removedBlocks: [3] });
        expect(provenance!.steps.map(({ kind }) => kind)).toEqual(['prune', 'merge']);
        expect(provenance!.steps[1]).toMatchObject({
          adapter: 'lora-stories260k-final',
          options: { rank: 4, alpha: 8 },
        });
        expect(config.nBlocks).toBe(4);
      });
    });

    it.each(['f16', 'bf16'] as const)(
      'to %s rounds each weight to the nearest, and says how much that is',
      async (dtype) => {
        const [exact, rounded] = [await merge(), await merge({ dtype })];
        const [before, full, half] = [
          await weightsOf(pruned),
          await weightsOf(exact.out),
          await weightsOf(rounded.out),
        ];
        let [squaredChange, squaredRounding] = [0, 0];
        for (const [name, old] of before) {
          if (!/[qv]_proj/.test(name)) continue;
          for (const [i, x] of full.get(name)!.entries()) {
            squaredChange += (x - old[i]!) ** 2;
            squaredRounding += (half.get(name)![i]! - x) ** 2;
          }
        }
        expect(rounded.nMerged).toBe(8);
        expect(rounded.roundingShare / Math.sqrt(squaredRounding / squaredChange)).toBeCloseTo(1, 3);
        expect(rounded.roundingShare).toBeGreaterThan(1e-5);
        await withCheckpoint(rounded.out, async ({ weights }) => {
          for (const { dtype: written } of weights.values()) expect(written).toBe(dtype.toUpperCase());
        });
      },
    );

    it('changes nothing while B is zero', async () => {
      const report = await merge({ adapter: adapter('init') });
      expect(report).toMatchObject({ nMerged: 0, roundingShare: 0 });
      expect(await weightsOf(report.out)).toEqual(await weightsOf(pruned));
    });

    it('comes in shards when they are to be small', async () => {
      const { weightFiles, out } = await merge({ maxShardBytes: 3e5 });
      expect(weightFiles.length).toBeGreaterThan(2);
      expect(await weightsOf(out)).toEqual(await weightsOf((await merge()).out));
    });

    it('scales every module by its own rank and alpha', async () => {
      const folder = mkdtempSync(join(root, 'adapter-'));
      const made = await withCheckpoint(pruned, ({ config }) => readAdapter(adapter('final'), config));
      const options = { ...made.options, rsLora: true, alphaPattern: { 'layers.2.self_attn.v_proj': 3 } };
      await writeAdapterFiles(folder, { ...made, options });
      const { out } = await merge({ adapter: folder });
      const [before, after] = [await weightsOf(pruned), await weightsOf(out)];
      for (const module of made.modules) {
        const key = moduleKey(module);
        const alpha = key === 'model.layers.2.self_attn.v_proj' ? 3 : 8;
        const expectedWeight = before.get(`${key}.weight`)!;
        addLowRank(expectedWeight, { ...module, scaling: alpha / Math.sqrt(4) }, made.tensors.get(key)!);
        expect(after.get(`${key}.weight`), key).toEqual(expectedWeight);
      }
    });

    it.each<[string, Partial<MergeRecipe>, RegExp]>([
      [
        'a model with another number of blocks',
        { model: modelFolder('stories260k') },
        /has nothing for model\.layers\.4/,
      ],
      ['no adapter', { adapter: empty }, /has no adapter_config\.json; give the folder of a LoRA adapter/],
      ['a taken output', { out: taken }, /exists and is not empty/],
      [
        'an output inside the adapter',
        { out: join(reference, 'lora-stories260k-final/out') },
        /lies inside|Cannot write/,
      ],
    ])('%s is refused, and nothing is written', async (_, change, says) => {
      const out = join(root, String(n++));
      await expect(merge({ out, ...change })).rejects.toThrow(says);
      expect(existsSync(out)).toBe(false);
    });
  },
);

describe('W + scaling B A', () => {
  it('is the matrix product', () => {
    // W [2, 3], B [2, 2], A [2, 3]
    const module = { block: 0, target: 'q_proj', suffix: 'self_attn.q_proj', outFeatures: 2, inFeatures: 3 };
    const weight = Float32Array.of(1, 0, 0, 0, 1, 0);
    const pair = { a: Float32Array.of(1, 2, 3, 4, 5, 6), b: Float32Array.of(1, -1, 0, 2) };
    const squared = addLowRank(weight, { ...module, rank: 2, alpha: 1, scaling: 0.5 }, pair);
    expect([...weight]).toEqual([1 - 1.5, -1.5, -1.5, 4, 1 + 5, 6]);
    expect(squared).toBe(3 * 1.5 ** 2 + 16 + 25 + 36);
  });
});
