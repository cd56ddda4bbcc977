// prune: what is written gives the loss that was promised, every method chooses as PyTorch's scores would, and whatever
// cannot end well is refused before anything is measured.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { ofBlocks } from '../../server/shared/dropSets';
import { importanceMethod, type ImportanceMethodName, importanceMethodNames } from '../../server/shared/methods';
import type { EngineEvent } from '../../server/protocol/engine';
import type { Dtype, TokenSource } from '../../server/protocol/recipes';
import type { PruneRecipe } from '../../server/recipes/prune/recipe';
import { available, long, modelFolder, referenceFile } from '../fixtures';
import { onCpu, runHere } from './runHere';

const stories = modelFolder('stories260k');
const smollm2 = modelFolder('smollm2-135m');
const root = mkdtempSync(join(tmpdir(), 'prune-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const reference = JSON.parse(readFileSync(referenceFile('stories260k'), 'utf8'));
const source: TokenSource = { kind: 'ids', file: referenceFile('stories260k') };

/** A new folder of its own, with the place for an output in it. */
const place = () => join(mkdtempSync(join(root, 'p-')), 'out');

const prune = (recipe: Partial<PruneRecipe>, events: EngineEvent[] = []) =>
  runHere(
    {
      kind: 'prune',
      model: stories,
      rule: { kind: 'chosen', ...ofBlocks([3]) },
      source: null,
      repair: null,
      out: place(),
      dtype: null,
      maxShardBytes: null,
      mergekit: null,
      compute: onCpu,
      ...recipe,
    },
    events,
  );

async function lossOf(model: string, drop: number[] = [], of: TokenSource = source): Promise<number> {
  const { models } = await runHere({
    kind: 'perplexity',
    models: [model],
    drop: ofBlocks(drop),
    source: of,
    compute: onCpu,
  });
  return models[0]!.lossNats;
}

const byMethod = (method: string, count: number, kept: number[] = []) =>
  ({ kind: 'method', method, count, protected: kept }) as const;

describe('a written folder has the loss of its drop set', () => {
  it.each([[[0]], [[4]], [[1, 3]], [[0, 1, 2]], [[0, 1, 2, 3]], [[]]])('stories260k without %j', async (blocks) => {
    const { out } = await prune({ rule: { kind: 'chosen', ...ofBlocks(blocks) }, dtype: 'f32' });
    expect(Math.abs((await lossOf(out)) - (await lossOf(stories, blocks)))).toBeLessThan(1e-6);
  });

  it.each(
    reference.loss_without_block.map((loss: number, k: number) => ({ k, loss })) as { k: number; loss: number }[],
  )('without block $k it is the one that PyTorch finds', async ({ k, loss }) => {
    expect(Math.abs((await lossOf(stories, [k])) - loss)).toBeLessThan(1e-5);
  });

  // What rounding costs: nothing that could be seen in a perplexity, but not nothing.
  it.each([
    ['bf16', 0.01],
    ['f16', 0.001],
  ] as const)('rounded to %s it moves by less than %d nats', async (dtype, most) => {
    const { out, sizeBytesAfter, rounding } = await prune({ dtype, source });
    const cost = (await lossOf(out)) - (await lossOf(stories, [3]));
    console.log(`stories260k without block 3, rounded to ${dtype}: ${cost.toExponential(2)} nats`);
    expect(Math.abs(cost)).toBeLessThan(most);
    expect(cost).not.toBe(0);
    expect(sizeBytesAfter).toBe(2 * (reference.model.parameters - 45440));
    expect(rounding?.dtype).toBe(dtype);
    expect(rounding!.lossNatsAfter! - rounding!.lossNatsBefore!).toBeCloseTo(cost, 9);
  });

  it('says that nothing was rounded, or that no text was there to measure it', async () => {
    expect((await prune({ dtype: 'f32', source })).rounding).toBeNull();
    expect((await prune({ dtype: null, source })).rounding).toBeNull();
    expect((await prune({ dtype: 'f16' })).rounding).toEqual({
      dtype: 'f16',
      lossNatsBefore: null,
      lossNatsAfter: null,
    });
  });

  it.skipIf(!available(smollm2))('SmolLM2-135M without 12-16', async () => {
    const { ids } = JSON.parse(readFileSync(referenceFile('smollm2-135m'), 'utf8')) as { ids: number[][] };
    const file = join(root, 'smollm2.json');
    writeFileSync(file, JSON.stringify(ids.slice(0, 2).map((row) => row.slice(0, long ? 128 : 32))));
    const few: TokenSource = { kind: 'ids', file };
    const blocks = [12, 13, 14, 15, 16];
    // As it is, which is bf16; in f32 it is twice as much to write.
    const dtype = long ? 'f32' : null;
    const report = await prune({ model: smollm2, rule: { kind: 'chosen', ...ofBlocks(blocks) }, dtype });
    expect(report).toMatchObject({ dropSet: blocks, nParamsBefore: 134515008 });
    expect(report.sizeBytesAfter).toBe((long ? 4 : 2) * report.nParamsAfter);
    const [pruned, dropped] = [await lossOf(report.out, [], few), await lossOf(smollm2, blocks, few)];
    expect(Math.abs(pruned - dropped)).toBeLessThan(1e-6);
    expect(dropped - (await lossOf(smollm2, [], few))).toBeGreaterThan(0.1);
    rmSync(report.out, { recursive: true });
  });
});

/** Where the reference keeps each method's scores; golden.test.ts holds the scores themselves against them. */
const keys: Record<ImportanceMethodName, string> = {
  blockInfluence: 'block_influence',
  blockInfluenceAsPublished: 'block_influence_final_norm',
  angularDistance: 'angular_last_token',
  angularDistanceAllTokens: 'angular_all_tokens',
  relativeMagnitude: 'relative_magnitude.over_output',
  weightMagnitude: 'magnitude.l1',
  weightFrobenius: 'magnitude.l2',
  attentionWeightNorm: 'attention_weight_norm',
  attentionOutputNorm: 'attention_output.norm',
  mlpOutputNorm: 'mlp_output.norm',
  relativeAttentionNorm: 'attention_output.over_input',
  relativeMlpNorm: 'mlp_output.over_input',
  attentionInfluence: 'sublayer_influence.attention',
  mlpInfluence: 'sublayer_influence.mlp',
  taylor: 'taylor.projections',
};

describe('choosing', () => {
  // Few tokens tell blocks apart as well as many.
  const file = referenceFile('stories260k', 'short');
  const few: TokenSource = { kind: 'ids', file };
  const scores = JSON.parse(readFileSync(file, 'utf8'));
  const scoresOf = (name: ImportanceMethodName) => keys[name].split('.').reduce((value, part) => value[part], scores);
  /** Two blocks by PyTorch's scores: the two lowest, or the two in a row across which the angle is smallest. */
  function expected(name: ImportanceMethodName, kept: number[]): number[] {
    const free = (blocks: number[]) => !blocks.some((k) => kept.includes(k));
    if (importanceMethod(name).of !== 'span') {
      const scores: number[] = scoresOf(name);
      const order = scores.map((_, k) => k).sort((a, b) => scores[a]! - scores[b]!);
      return order
        .filter((k) => free([k]))
        .slice(0, 2)
        .sort();
    }
    const ofTwo: number[] = scoresOf(name)[1];
    const starts = ofTwo.map((_, k) => k).filter((k) => free([k, k + 1]));
    const first = starts.sort((a, b) => ofTwo[a]! - ofTwo[b]!)[0]!;
    return [first, first + 1];
  }

  it.each(importanceMethodNames)('by %s, with and without a protected block', async (name) => {
    for (const kept of [[], [expected(name, [])[0]!]]) {
      const { dropSet, keptBlocks, out, timing } = await prune({ rule: byMethod(name, 2, kept), source: few });
      expect(dropSet).toEqual(expected(name, kept));
      expect(keptBlocks).toEqual([0, 1, 2, 3, 4].filter((k) => !dropSet.includes(k)));
      expect(JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')).num_hidden_layers).toBe(3);
      expect(timing.tokens).toBe(8 * 32);
    }
  });

  it('the deepest but the very last, with nothing to be measured', async () => {
    const events: EngineEvent[] = [];
    const { dropSet, timing, device } = await prune({ rule: { kind: 'deepest', count: 2, protected: [] } }, events);
    expect(dropSet).toEqual([2, 3]);
    expect(timing.tokens).toBe(0);
    expect(device).toBe('none');
    expect(events.some((event) => event.kind === 'plan')).toBe(false);
    const { dropSet: around } = await prune({ rule: { kind: 'deepest', count: 2, protected: [3] } });
    expect(around).toEqual([1, 2]);
  });
});

describe('what is written beside the weights', () => {
  const provenanceOf = (folder: string) => JSON.parse(readFileSync(join(folder, 'espalier.json'), 'utf8'));

  it('says how the blocks were chosen', async () => {
    const rule = byMethod('blockInfluence', 2, [4]);
    const { out } = await prune({ rule, source, dtype: 'bf16' });
    const { steps, ...rest } = provenanceOf(out);
    expect(rest).toEqual({
      format: 1,
      baseModel: { name: 'stories260k', nBlocks: 5 },
      sourceModel: { name: 'stories260k', nBlocks: 5 },
      removedBlocks: [2, 3],
      keptBlocks: [0, 1, 4],
    });
    expect(steps).toEqual([
      {
        kind: 'prune',
        rule,
        order: [3, 2],
        scores: [expect.closeTo(reference.block_influence[3], 5), expect.closeTo(reference.block_influence[2], 5)],
        calibration: {
          files: [expect.objectContaining({ name: 'stories260k.json' })],
          nSequences: 8,
          tokensPerSequence: 256,
          start: 0,
          bos: 'none',
          sampling: 'consecutive',
          seed: 0,
          idsSha256: reference.settings.ids_sha256_int32_le,
          nTokensInText: null,
        },
        versions: { espalier: expect.any(String), onnxruntime: expect.any(String), node: process.version },
        removedBlocks: [2, 3],
        dtype: 'bf16',
      },
    ]);
  });

  it('counts in the blocks of the first model when a model is pruned twice', async () => {
    const once = await prune({ rule: { kind: 'chosen', ...ofBlocks([1]) } });
    const twice = await prune({ model: once.out, rule: { kind: 'chosen', ...ofBlocks([0, 2]) } });
    expect(twice).toMatchObject({ dropSet: [0, 2], removedBlocks: [0, 1, 3] });
    expect(provenanceOf(twice.out)).toMatchObject({ removedBlocks: [0, 1, 3], keptBlocks: [2, 4] });
    expect(twice.model.prunedFrom).toEqual({ model: 'stories260k', removedBlocks: [1] });
    expect(Math.abs((await lossOf(twice.out)) - (await lossOf(stories, [0, 1, 3])))).toBeLessThan(1e-6);
  });

  it('a mergekit recipe, beside the folder or in it', async () => {
    const out = place();
    for (const mergekit of [join(out, '..', 'recipe.yaml'), join(place(), '..', 'x.yaml'), join(out, 'in.yaml')]) {
      rmSync(out, { recursive: true, force: true });
      await prune({ rule: { kind: 'chosen', ...ofBlocks([1, 2]) }, out, mergekit, dtype: 'bf16' });
      expect(parse(readFileSync(mergekit, 'utf8'))).toEqual({
        slices: [
          { sources: [{ model: stories, layer_range: [0, 1] }] },
          { sources: [{ model: stories, layer_range: [3, 5] }] },
        ],
        merge_method: 'passthrough',
        dtype: 'bfloat16',
      });
    }
  });

  it('the sizes that the report promises', async () => {
    const report = await prune({ rule: { kind: 'chosen', ...ofBlocks([1, 2]) } });
    expect(report).toMatchObject({ nParamsBefore: reference.model.parameters, weightFiles: ['model.safetensors'] });
    expect(report.nParamsAfter).toBe(report.nParamsBefore - 2 * 45440);
    expect(report.sizeBytesAfter).toBe(4 * report.nParamsAfter);
    expect(report.sizeBytesBefore).toBe(4 * report.nParamsBefore);
    expect(report.timing.writeMs).toBeGreaterThan(0);
  });
});

describe('refused before anything is measured', () => {
  const rule = byMethod('blockInfluence', 1);
  const taken = join(root, 'taken');
  mkdirSync(taken);
  writeFileSync(join(taken, 'something'), '');
  const rows: [string, Partial<PruneRecipe>, string, RegExp][] = [
    ['an output that is taken', { rule, source, out: taken }, 'cannotWrite', /is not empty/],
    ['an output that is a file', { rule, source, out: join(taken, 'something') }, 'cannotWrite', /is a file/],
    ['an output in a file', { rule, source, out: join(taken, 'something', 'out') }, 'cannotWrite', /is a file/],
    ['an output in the model', { rule, source, out: join(stories, 'out') }, 'cannotWrite', /lies inside/],
    [
      'a mergekit file in no folder',
      { rule, source, mergekit: join(root, 'none', 'x.yaml') },
      'cannotWrite',
      /cannot be written/,
    ],
    ['a mergekit file that is a folder', { rule, source, mergekit: taken }, 'cannotWrite', /it is a folder/],
    ['too many blocks', { rule: byMethod('blockInfluence', 5), source }, 'badChoice', /at most 4/],
    ['no block', { rule: byMethod('blockInfluence', 0), source }, 'badChoice', /0 blocks cannot be dropped/],
    ['all but the protected', { rule: byMethod('blockInfluence', 3, [0, 1, 2]), source }, 'badChoice', /at most 2/],
    ['spans all protected', { rule: byMethod('angularDistance', 2, [1, 3]), source }, 'badChoice', /No 2 consecutive/],
    [
      'a protected block that is not there',
      { rule: byMethod('angularDistance', 2, [5]), source },
      'badChoice',
      /Block 5/,
    ],
    [
      'a method that is not there',
      { rule: byMethod('magic', 1), source },
      'usage',
      /no method magic; choose from all, none, b/,
    ],
    ['no text for a method', { rule }, 'usage', /needs a text/],
    ['deepest, too many', { rule: { kind: 'deepest', count: 5, protected: [] } }, 'badChoice', /at most 4/],
    ['a block that is not there', { rule: { kind: 'chosen', ...ofBlocks([5]) } }, 'badChoice', /no block 5/],
    ['all blocks', { rule: { kind: 'chosen', ...ofBlocks([0, 1, 2, 3, 4]) } }, 'badChoice', /leaves no model/],
    ['no such model', { model: join(root, 'none') }, 'notFound', /no folder/],
  ];
  it.each(rows)('%s', async (_, recipe, code, message) => {
    const out = place();
    const events: EngineEvent[] = [];
    await expect(prune({ out, ...recipe }, events)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(events).toEqual([]);
    expect(readdirSync(join(out, '..'))).toEqual([]);
    expect(readdirSync(taken)).toEqual(['something']);
    expect(existsSync(join(stories, 'out'))).toBe(false);
  });

  it('numbers that a dtype cannot hold leave nothing', async () => {
    const big = join(root, 'big');
    const { out } = await prune({ out: big, dtype: 'f32' as Dtype });
    const file = join(out, 'model.safetensors');
    const bytes = readFileSync(file);
    bytes.writeFloatLE(1e6, bytes.length - 4);
    writeFileSync(file, bytes);
    const target = place();
    await expect(prune({ model: big, out: target, dtype: 'f16' })).rejects.toMatchObject({ code: 'badChoice' });
    expect(readdirSync(join(target, '..'))).toEqual([]);
  });
});
