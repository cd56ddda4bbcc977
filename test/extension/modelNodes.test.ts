import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  asGiven,
  childNodes,
  type ModelNode,
  type ModelRoot,
  rowFacts,
  topNodes,
} from '../../extension/trees/modelNodes';
import { barLevel, freeName, holds, taken } from '../../extension/trees/labels';
import type { FoundModel } from '../../server/protocol/server';
import { repoRoot } from '../fixtures';
import { analysis, foundModel, measured } from './rows';
import { blockRanges } from '../../server/shared/dropSets';
import { clock, cost, size } from '../../server/shared/numbers';

const root = (folder: string, kind: ModelRoot['kind'] = 'workspace'): ModelRoot => ({
  folder,
  givenAs: folder,
  name: folder.slice(1),
  kind,
});

/** The tree as indented lines. */
function lines(models: FoundModel[], roots: ModelRoot[], report: Parameters<typeof childNodes>[2] = null): string[] {
  const below = (nodes: readonly ModelNode[], indent: string): string[] =>
    nodes.flatMap((node) => {
      const { label, description } = rowFacts(node, models);
      const known = node.kind === 'model' && node.model.analysisRunId ? report : null;
      return [`${indent}${label} | ${description}`, ...below(childNodes(node, models, known), `${indent}  `)];
    });
  return below(topNodes(models, roots), '');
}

describe('the tree of models', () => {
  const base = foundModel('/w/SmolLM2-135M');
  const prunedFrom = { model: 'SmolLM2-135M', removedBlocks: [12, 13, 14, 15, 16] };
  const variant = foundModel(
    '/w/pruned',
    { nBlocks: 25, nParameters: 116_814_528, sizeBytes: 233_600_000, prunedFrom },
    { parentFolder: base.summary.folder },
  );

  it.each<{ name: string; models: FoundModel[]; roots: ModelRoot[]; tree: string[] }>([
    { name: 'is empty without models', models: [], roots: [root('/w')], tree: [] },
    {
      name: 'shows name, blocks, parameters and size, without the only folder',
      models: [base],
      roots: [root('/w'), root('/other')],
      tree: ['SmolLM2-135M | 30 blocks, 134.5 M, 269.1 MB'],
    },
    {
      name: 'puts variants under their base, called by what they lack',
      models: [variant, base],
      roots: [root('/w')],
      tree: ['SmolLM2-135M | 30 blocks, 134.5 M, 269.1 MB', '  Without 12–16 | 25 blocks, 116.8 M, 233.6 MB, pruned'],
    },
    {
      name: 'says which of two that lack the same was healed',
      models: [
        base,
        variant,
        foundModel('/w/whole', { healed: true }, { parentFolder: base.summary.folder }),
        { ...variant, summary: { ...variant.summary, folder: '/w/pruned-healed', healed: true } },
      ],
      roots: [root('/w')],
      tree: [
        'SmolLM2-135M | 30 blocks, 134.5 M, 269.1 MB',
        '  Without 12–16 | 25 blocks, 116.8 M, 233.6 MB, pruned',
        '  Healed | 30 blocks, 134.5 M, 269.1 MB, whole',
        '  Healed, without 12–16 | 25 blocks, 116.8 M, 233.6 MB, pruned-healed',
      ],
    },
    {
      name: 'calls a variant by its folder where its base is not there',
      models: [{ ...variant, parentFolder: null }],
      roots: [root('/w')],
      tree: ['pruned | 25 blocks, 116.8 M, 233.6 MB'],
    },
    {
      name: 'shows a variant at the top where its base was not found this time',
      models: [variant],
      roots: [root('/w')],
      tree: ['Without 12–16 | 25 blocks, 116.8 M, 233.6 MB, pruned'],
    },
    {
      name: 'names sublayers that were left out',
      models: [
        base,
        foundModel(
          '/w/halves',
          { droppedSublayers: { attention: [3], mlp: [5, 6] } },
          { parentFolder: base.summary.folder },
        ),
      ],
      roots: [root('/w')],
      tree: [
        'SmolLM2-135M | 30 blocks, 134.5 M, 269.1 MB',
        '  Without attention of 3, MLP of 5–6 | 30 blocks, 134.5 M, 269.1 MB, halves',
      ],
    },
    {
      name: 'groups by folder where there are several, and takes OWNER/NAME from the cache',
      models: [base, foundModel('/cache/models--owner--some-model/snapshots/0123abc', { sizeBytes: 1_000_000_000 })],
      roots: [root('/w'), root('/cache', 'cache')],
      tree: [
        'w | workspace',
        '  SmolLM2-135M | 30 blocks, 134.5 M, 269.1 MB',
        'cache | 1 model, 1.00 GB',
        '  owner/some-model | 30 blocks, 134.5 M, 1.00 GB',
      ],
    },
    {
      name: 'counts a model to the innermost folder',
      models: [foundModel('/w/inner/a'), foundModel('/w/b')],
      roots: [root('/w'), root('/w/inner', 'settings')],
      tree: [
        'w | workspace',
        '  b | 30 blocks, 134.5 M, 269.1 MB',
        'w/inner | from the settings',
        '  a | 30 blocks, 134.5 M, 269.1 MB',
      ],
    },
  ])('$name', ({ models, roots, tree }) => {
    expect(lines(models, roots)).toEqual(tree);
  });

  it('names what cannot be read, with the reason, below the models', () => {
    const broken = { folder: '/w/cut', message: '/w/cut/model.safetensors ends too early.' };
    const nodes = topNodes([base], [root('/w')], [broken]);
    expect(nodes.map((node) => rowFacts(node, [base]))).toMatchObject([
      { label: 'SmolLM2-135M', icon: 'package' },
      { label: 'cut', description: 'model.safetensors ends too early.', icon: 'warning', opens: 'never' },
    ]);
    expect(childNodes(nodes[1]!, [base], null)).toEqual([]);
  });

  const tiny = foundModel('/w/tiny', { nBlocks: 3 }, { analysisRunId: 'a' });
  const blockInfluence = {
    unit: '1 - cosine',
    of: 'block' as const,
    paper: '',
    scores: [0.3, 0.1, 0.2],
    standardErrors: [null, null, null],
  };

  it('shows what each block costs, and which costs more than it looks', () => {
    const report = analysis({
      methods: { blockInfluence },
      removals: { blocks: [measured(2), measured(1.9), measured(0.1)], attention: null, mlp: null },
    });
    expect(lines([tiny], [root('/w')], report).slice(1)).toEqual([
      '  Blocks | nats added without each',
      '    Block 0 | +2.000',
      '    Block 1 | +1.900, costs more than it looks',
      '    Block 2 | +0.100',
    ]);
  });

  it('shows scores where no loss was measured', () => {
    expect(lines([tiny], [root('/w')], analysis({ methods: { blockInfluence } })).slice(1)).toEqual([
      '  Blocks | score by blockInfluence',
      '    Block 0 | 0.300',
      '    Block 1 | 0.100',
      '    Block 2 | 0.200',
    ]);
  });

  it('gives every row an id of its own', () => {
    const models = [base, variant, tiny];
    const report = analysis({ methods: { blockInfluence } });
    const ids = (nodes: readonly ModelNode[]): string[] =>
      nodes.flatMap((node) => [rowFacts(node, models).id, ...ids(childNodes(node, models, report))]);
    const all = ids(topNodes(models, [root('/w'), root('/x')]));
    expect(all.length).toBeGreaterThan(9);
    expect(new Set(all).size).toBe(all.length);
  });

  it('calls a folder what the Explorer calls it, over a symbolic link', () => {
    const linked: ModelRoot = { folder: '/real/w', givenAs: '/home/w', name: 'w', kind: 'workspace' };
    expect(asGiven('/real/w/a/b', [linked])).toBe('/home/w/a/b');
    expect(asGiven('/elsewhere/a', [linked])).toBe('/elsewhere/a');
  });
});

describe('words and numbers', () => {
  it.each([
    [[], ''],
    [[4], '4'],
    [[13, 14, 15, 17, 26], '13–15, 17, 26'],
  ])('blocks %j are %j', (blocks, text) => expect(blockRanges(blocks)).toBe(text));

  it.each([
    [999_400, '999 kB'],
    [1_100_000, '1.1 MB'],
    [5_100_000_000, '5.10 GB'],
  ])('%d bytes are %s', (bytes, text) => expect(size(bytes)).toBe(text));

  it.each([
    [0.913, '+0.913'],
    [-0.02, '−0.020'],
    [0, '0.000'],
    [-0.0001, '0.000'],
  ])('%d nats are %s', (nats, text) => expect(cost(nats)).toBe(text));

  it.each([
    [12, '0:12'],
    [212, '3:32'],
    [3725, '1:02:05'],
  ])('%d seconds that are left are %s', (seconds, text) => expect(clock(seconds)).toBe(text));

  it.each([
    [1.84, '1.8 s'],
    [59.9, '59.9 s'],
    [137, '2:17'],
  ])('%d seconds that were taken are %s', (seconds, text) => expect(taken(seconds)).toBe(text));

  it.each([
    [-1, 1],
    [0.1, 1],
    [0.63, 5],
    [4, 9],
    [7.49, 9],
  ])('a cost of %d nats is a bar of level %d', (nats, level) => expect(barLevel(nats)).toBe(level));

  it.each(['light', 'dark'])('every level has a bar in %s, and each is longer than the one before', (theme) => {
    const widths = Array.from({ length: 9 }, (_, i) => {
      const file = join(repoRoot, 'media/bars', theme, `${i + 1}.svg`);
      expect(existsSync(file)).toBe(true);
      return Number(/.*width="([\d.]+)"/.exec(readFileSync(file, 'utf8'))![1]);
    });
    expect(widths).toEqual([...widths].sort((a, b) => a - b));
    expect(new Set(widths).size).toBe(9);
  });

  it.each([
    [[], 'tiny-pruned'],
    [['tiny-pruned'], 'tiny-pruned-2'],
    [['tiny-pruned', 'tiny-pruned-2'], 'tiny-pruned-3'],
  ])('with %j there already, the next is %s', (taken: string[], name) =>
    expect(freeName('tiny', (it) => taken.includes(it))).toBe(name),
  );

  it.each([
    ['/a', '/a', true],
    ['/a', '/a/b', true],
    ['/a', '/ab', false],
    ['/a/b', '/a', false],
    ['/a', '/a/..b', true],
  ])('%s holds %s: %s', (folder, other, yes) => expect(holds(folder, other)).toBe(yes));
});
