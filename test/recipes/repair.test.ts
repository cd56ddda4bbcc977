// Linear repair against the reference's numbers, measured on the folders that are written; and what it refuses.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { readModelConfig } from '../../server/model/readConfig';
import { pathWithout } from '../../server/model/path';
import { formatDropSet, ofBlocks, parseDropSet } from '../../server/shared/dropSets';
import { gapsOf } from '../../server/pruning/repair';
import type { EngineEvent } from '../../server/protocol/engine';
import type { DropSet, TokenSource } from '../../server/protocol/recipes';
import { withFloat64 } from '../../server/recipes/recipeContext';
import type { Device } from '../../server/runtime/device';
import type { ProviderName } from '../../server/runtime/sessions';
import type { PruneRecipe, RepairOptions } from '../../server/recipes/prune/recipe';
import { available, dataFolder, long, modelFolder, referenceFile, repoRoot } from '../fixtures';
import { onCpu, runHere } from './runHere';

const root = mkdtempSync(join(tmpdir(), 'repair-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const place = () => join(mkdtempSync(join(root, 'r-')), 'out');

const wiki = join(dataFolder, 'data/wikitext-2-raw/wiki.test.raw');
const textOf = (sequences: number, tokens: number, start = 0): TokenSource => ({
  kind: 'text',
  files: [wiki],
  field: null,
  sequences,
  tokens,
  start,
  bos: 'none',
  sampling: 'consecutive',
  seed: 0,
});

const prune = (change: Partial<PruneRecipe> & Pick<PruneRecipe, 'model'>, events: EngineEvent[] = []) =>
  runHere(
    {
      kind: 'prune',
      rule: { kind: 'chosen', ...ofBlocks([3]) },
      source: null,
      repair: null,
      out: place(),
      dtype: 'f32',
      maxShardBytes: null,
      mergekit: null,
      compute: onCpu,
      ...change,
    },
    events,
  );

const linear = (change: Partial<RepairOptions> = {}): RepairOptions => ({
  kind: 'linear',
  ridge: 0,
  heldOutSequences: null,
  ...change,
});

async function lossOf(model: string, source: TokenSource, drop: DropSet = ofBlocks([])): Promise<number> {
  const { models } = await runHere({ kind: 'perplexity', models: [model], drop, source, compute: onCpu });
  return models[0]!.lossNats;
}

interface Reference {
  settings: { windows: number; length: number; removal_windows: number };
  linear_repair: {
    removed: [number, number];
    repaired_block: number;
    without_repair: { calibration: number; held_out: number };
    repair: { ridge: number; relative_residual: number; loss: { calibration: number; held_out: number } }[];
  };
}

// The real model by one ridge on few tokens, fewer than its projections are wide; the long tests do all of them.
const models = [
  { model: 'stories260k', ridges: [0, 1e-6, 1e-3] },
  { model: 'smollm2-135m', ridges: long ? [0, 1e-6, 1e-3] : [1e-3] },
];
describe.each(models)('$model', ({ model, ridges }) => {
  describe.skipIf(!available(modelFolder(model)) || !available(wiki))('beside PyTorch', () => {
    const { settings, linear_repair: expected } = JSON.parse(readFileSync(referenceFile(model), 'utf8')) as Reference;
    const { windows, length, removal_windows: few } = settings;
    const [first, last] = expected.removed;
    const blocks = Array.from({ length: last - first + 1 }, (_, i) => first + i);

    it.each(ridges)('is repaired to the same losses, ridge %d', { timeout: 600_000 }, async (ridge) => {
      const { out, repair } = await prune({
        model: modelFolder(model),
        rule: { kind: 'chosen', ...ofBlocks(blocks) },
        source: textOf(windows, length),
        repair: linear({ ridge, heldOutSequences: few }),
      });
      const row = expected.repair.find((it) => it.ridge === ridge)!;
      const off = (found: number, wanted: number) => Math.abs(found - wanted) / wanted;
      expect(repair!.gaps).toHaveLength(1);
      expect(repair!.gaps[0]!.after).toEqual({ block: expected.repaired_block, half: 'mlp' });
      expect(off(repair!.gaps[0]!.relativeResidual, row.relative_residual)).toBeLessThan(1e-4);
      const folder = await lossOf(out, textOf(few, length));
      const heldOut = await lossOf(out, textOf(few, length, windows * length));
      console.log(
        `${model}, ridge ${ridge}: off by ${off(folder, row.loss.calibration).toExponential(1)} and ${off(heldOut, row.loss.held_out).toExponential(1)}`,
      );
      expect(off(folder, row.loss.calibration)).toBeLessThan(1e-4);
      expect(off(heldOut, row.loss.held_out)).toBeLessThan(1e-4);
      expect(off(repair!.heldOutBefore!, expected.without_repair.held_out)).toBeLessThan(1e-5);
      expect(repair!.heldOutAfter).toBeCloseTo(heldOut, 5);
    });
  });
});

const stories = modelFolder('stories260k');
describe.skipIf(!available(wiki))('a repair', () => {
  const source = textOf(12, 128);
  const repaired = (drop: DropSet, change: Partial<RepairOptions> = {}, of: Partial<PruneRecipe> = {}) =>
    prune({
      model: stories,
      rule: { kind: 'chosen', ...drop },
      source,
      repair: linear({ ridge: 1e-4, ...change }),
      ...of,
    });

  it.each(['1', '3,4', '1,3', '2m', '2a', '1a,3m', '1m,2a,4', '0,2', '0a,0m,3a'])(
    'of a model without %s lowers its loss, and the folder has the loss that the report says',
    async (text) => {
      const drop = parseDropSet(text);
      const { repair, out } = await repaired(drop);
      expect(repair!.lossBefore).toBeCloseTo(await lossOf(stories, source, drop), 5);
      expect(repair!.lossAfter).toBeLessThan(repair!.lossBefore);
      expect(await lossOf(out, source)).toBeCloseTo(repair!.lossAfter, 5);
    },
  );

  it('streams weights to the same result', async () => {
    const drop = ofBlocks([1, 3]);
    const [resident, streaming] = [
      await repaired(drop),
      await repaired(drop, {}, { compute: { ...onCpu, memory: 'streaming' } }),
    ];
    expect(streaming.memory).toBe('streaming');
    expect(streaming.repair!.lossAfter).toBeCloseTo(resident.repair!.lossAfter, 5);
  });

  it('is solved on the CPU, wherever the model runs', async () => {
    const on = (provider: ProviderName) => withFloat64({ provider } as Device, onCpu, async (host) => host.provider);
    expect([await on('webgpu'), await on('cpu')]).toEqual(['cpu', 'cpu']);
  });

  it('finds the ridge that is best on the sequences held out', async () => {
    const { repair } = await repaired(ofBlocks([2]), { ridge: 'auto', heldOutSequences: 4 });
    const best = Math.min(...repair!.ridges.map((it) => it.heldOutLossNats));
    expect(repair!.ridges.length).toBeGreaterThan(4);
    expect(repair!.heldOutAfter).toBeCloseTo(best, 6);
    expect(repair!.ridges.find((it) => it.ridge === repair!.ridge)!.heldOutLossNats).toBe(best);
  });

  it('is remembered beside the weights', async () => {
    const { out } = await repaired(ofBlocks([3]));
    const checkpoint = await openCheckpoint(out);
    const step = checkpoint.provenance!.steps.at(-1)!;
    await checkpoint.close();
    expect(step).toMatchObject({ kind: 'prune', removedBlocks: [3], repair: { kind: 'linear', ridge: 1e-4 } });
  });

  it('says what rounding to the dtype of the folder cost', async () => {
    const { rounding, repair } = await repaired(ofBlocks([3]), {}, { dtype: 'bf16' });
    expect(rounding).toMatchObject({ dtype: 'bf16', lossNatsBefore: repair!.lossAfter });
    expect(Math.abs(rounding!.lossNatsAfter! - repair!.lossAfter)).toBeLessThan(0.05);
  });

  const rows: [string, Partial<PruneRecipe>, RegExp][] = [
    ['without a text', { source: null }, /^A repair needs a text to calibrate by/],
    [
      'behind whose projections norms follow',
      { model: join(repoRoot, 'test/fixtures/families/gemma2'), rule: { kind: 'chosen', ...ofBlocks([1]) } },
      /^A gemma2 model cannot be repaired: its output projections are followed by a norm/,
    ],
    ['of the very beginning', { rule: { kind: 'chosen', ...ofBlocks([0]) } }, /^There is nothing to repair/],
    ['with a negative ridge', { repair: linear({ ridge: -1 }) }, /^A ridge of -1 makes no sense/],
    [
      'with more held out than there is',
      { repair: linear({ heldOutSequences: 1e6 }) },
      /^The text leaves \d+ sequences to hold out/,
    ],
    [
      'with all rows held out',
      {
        source: { kind: 'ids', file: join(repoRoot, 'test/fixtures/reference/stories260k.json') },
        repair: linear({ heldOutSequences: 8 }),
      },
      /leave none to calibrate by/,
    ],
    [
      'of sublayers as a mergekit recipe',
      { rule: { kind: 'chosen', blocks: [], attention: [2], mlp: [] }, mergekit: join(root, 'm.yaml') },
      /^mergekit knows no sublayers/,
    ],
  ];
  it.each(rows)('is refused %s, and nothing is written', async (_, change, says) => {
    const out = place();
    await expect(prune({ model: stories, source, repair: linear(), out, ...change })).rejects.toThrow(says);
    expect(existsSync(out)).toBe(false);
  });
});

describe('gaps', () => {
  const config = readModelConfig(JSON.parse(readFileSync(join(stories, 'config.json'), 'utf8')));
  it.each([
    ['3', ['2 whole']],
    ['4', ['3 whole']],
    ['0', []],
    ['1,3', ['0 whole', '2 whole']],
    ['1-3', ['0 whole']],
    ['2m', ['2 attentionOnly']],
    ['2a', ['1 whole']],
    ['1m,2a', ['1 attentionOnly']],
    ['1m,2,3a', ['1 attentionOnly']],
    ['0a', []],
  ])('of %s lie behind %s', (text, stages) => {
    const drop = parseDropSet(text);
    expect(
      gapsOf(config, pathWithout(config, drop)).map(({ stage }) => `${stage.block} ${stage.sublayers}`),
      formatDropSet(drop),
    ).toEqual(stages);
  });
});
