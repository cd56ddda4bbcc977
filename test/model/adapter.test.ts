// Which modules get an adapter, and how large and strong it is. What PEFT does with the same options is asked in test/long.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type AdapterForm, adaptedModules, moduleKey } from '../../server/model/adapter';
import type { Sublayers, ModelConfig } from '../../server/model/config';
import { readModelConfig } from '../../server/model/readConfig';
import { modelFolder, repoRoot } from '../fixtures';
import { refusal } from '../refusal';

const ownTargets = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'];
/** Five blocks, D 64, F 172, 8 query heads and 4 key/value heads of width 8. */
const stories = readModelConfig(JSON.parse(readFileSync(join(modelFolder('stories260k'), 'config.json'), 'utf8')));

const phi3 = readModelConfig(
  JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/families/phi3/config.json'), 'utf8')),
);

const withForms = (forms: Record<number, Sublayers>): ModelConfig => ({
  ...stories,
  blocks: stories.blocks.map((block, k) => ({ ...block, sublayers: forms[k] ?? 'whole' })),
});

const options = (change: Partial<AdapterForm> = {}): AdapterForm => ({
  rank: 8,
  alpha: 16,
  targets: ['q_proj', 'v_proj'],
  blocks: 'all',
  rankPattern: {},
  alphaPattern: {},
  rsLora: false,
  dropout: 0,
  ...change,
});

/** A model of five blocks that was cut from one of `nBlocks`. */
const cutFrom = (nBlocks: number, keptBlocks: number[]) => ({ keptBlocks, baseModel: { nBlocks } });

const many = (n: number, key: string) => Object.fromEntries(Array.from({ length: n }, (_, i) => [`${key}${i}`, 4]));
const shortName = (key: string) => key.replace('model.layers.', '').replace(/\.(self_attn|mlp)\./, '.');

describe('the modules', () => {
  const sublayers = withForms({ 1: 'attentionOnly', 3: 'mlpOnly' });
  it.each([
    {
      what: 'blocks in order, targets in the order of use',
      change: { targets: ['v_proj', 'q_proj'], blocks: [4, 1] },
      expected: ['1.q_proj', '1.v_proj', '4.q_proj', '4.v_proj'],
    },
    {
      what: 'all-linear is all seven',
      change: { targets: ['all-linear'], blocks: [2] },
      expected: ownTargets.map((target) => `2.${target}`),
    },
    {
      what: 'all-linear is the fused four of Phi-3',
      config: phi3,
      change: { targets: ['all-linear'], blocks: [2] },
      expected: ['2.qkv_proj', '2.o_proj', '2.gate_up_proj', '2.down_proj'],
    },
    {
      what: 'a block named twice counts once',
      change: { targets: ['q_proj'], blocks: [2, 2] },
      expected: ['2.q_proj'],
    },
    {
      what: 'without a sublayer no modules of it',
      config: sublayers,
      change: { targets: ['q_proj', 'up_proj'] },
      expected: ['0.q_proj', '0.up_proj', '1.q_proj', '2.q_proj', '2.up_proj', '3.up_proj', '4.q_proj', '4.up_proj'],
    },
  ])('$what', ({ config = stories, change, expected }) => {
    const modules = adaptedModules(config, options(change), null);
    expect(modules.map((module) => shortName(moduleKey(module)))).toEqual(expected);
  });

  it('have the names and shapes of the model', () => {
    const modules = adaptedModules(stories, options({ targets: ['all-linear'], blocks: [3] }), null);
    expect(modules.map(({ suffix, outFeatures, inFeatures }) => [suffix, outFeatures, inFeatures])).toEqual([
      ['self_attn.q_proj', 64, 64],
      ['self_attn.k_proj', 32, 64],
      ['self_attn.v_proj', 32, 64],
      ['self_attn.o_proj', 64, 64],
      ['mlp.gate_proj', 172, 64],
      ['mlp.up_proj', 172, 64],
      ['mlp.down_proj', 64, 172],
    ]);
    expect(moduleKey(modules[5]!)).toBe('model.layers.3.mlp.up_proj');
  });
});

describe('beside a gap', () => {
  it.each([
    { kept: [0, 1, 2, 6, 7], of: 8, expected: [2, 3] },
    { kept: [0, 2, 4, 5, 6], of: 7, expected: [0, 1, 2] },
    { kept: [2, 3, 4, 5, 6], of: 7, expected: [0] },
    { kept: [0, 1, 2, 3, 4], of: 7, expected: [4] },
    { kept: [1, 2, 3, 4, 5], of: 7, expected: [0, 4] },
  ])('$kept of $of blocks: $expected', ({ kept, of, expected }) => {
    const modules = adaptedModules(stories, options({ targets: ['q_proj'], blocks: 'cutAdjacent' }), cutFrom(of, kept));
    expect(modules.map(({ block }) => block)).toEqual(expected);
  });
});

describe('rank, alpha and scaling', () => {
  it.each<{ what: string; change: Partial<AdapterForm>; name: string; expected: number[] | null }>([
    { what: 'alpha / rank', change: {}, name: '3.q_proj', expected: [8, 16, 2] },
    { what: 'rsLoRA', change: { rank: 16, rsLora: true }, name: '3.q_proj', expected: [16, 16, 4] },
    { what: 'a pattern for a target', change: { rankPattern: { q_proj: 2 } }, name: '3.q_proj', expected: [2, 16, 8] },
    { what: 'not for others', change: { rankPattern: { q_proj: 2 } }, name: '3.v_proj', expected: [8, 16, 2] },
    {
      what: 'the first pattern that matches counts',
      change: { rankPattern: { 'layers.3.self_attn.q_proj': 4, q_proj: 2 } },
      name: '3.q_proj',
      expected: [4, 16, 4],
    },
    {
      what: 'a whole name with a caret',
      change: { alphaPattern: { '^model.layers.3.self_attn.q_proj': 32 } },
      name: '3.q_proj',
      expected: [8, 32, 4],
    },
    {
      what: 'a regular expression',
      change: { rankPattern: { 'layers\\.[0-2]\\..*_proj': 1 }, alphaPattern: { 'layers\\.(1|3)\\..*': 1 } },
      name: '1.v_proj',
      expected: [1, 1, 1],
    },
    {
      what: 'only behind a dot',
      change: { rankPattern: { 'ayers.3.self_attn.q_proj': 4, q_proj: 2 }, blocks: [3] },
      name: '3.q_proj',
      expected: null,
    },
  ])('$what', ({ change, name, expected }) => {
    const made = () => adaptedModules(stories, options(change), null);
    if (expected === null) return expect(refusal(made)).toMatch(/^badChoice: The pattern ayers/);
    const module = made().find((it) => shortName(moduleKey(it)) === name)!;
    expect([module.rank, module.alpha, module.scaling]).toEqual(expected);
  });
});

describe('refused', () => {
  const whole = cutFrom(5, [0, 1, 2, 3, 4]);
  it.each<{ change: Partial<AdapterForm>; pruned?: typeof whole; config?: ModelConfig; says: RegExp }>([
    {
      change: { targets: ['lm_head'] },
      says: /^usage: lm_head is no target .*choose from q_proj, .*, or all-linear alone\.$/,
    },
    { change: { targets: ['all-linear', 'q_proj'] }, says: /^usage: all-linear is no target .*all-linear alone/ },
    { change: { targets: [] }, says: /^usage: The adapter has no targets; choose from/ },
    { change: { rank: 0 }, says: /^usage: A rank of 0 makes no sense; give/ },
    { change: { rank: 1.5 }, says: /^usage: A rank of 1.5 makes no sense/ },
    { change: { rank: Number.NaN }, says: /^usage: A rank of NaN/ },
    { change: { rankPattern: { q_proj: 0 } }, says: /^usage: A rank of 0/ },
    { change: { alpha: 0 }, says: /^usage: An alpha of 0 makes no sense; give/ },
    { change: { alpha: -1 }, says: /^usage: An alpha of -1/ },
    { change: { alpha: Number.POSITIVE_INFINITY }, says: /^usage: An alpha of Infinity/ },
    { change: { alphaPattern: { q_proj: Number.NaN } }, says: /^usage: An alpha of NaN/ },
    { change: { dropout: 1 }, says: /^usage: A dropout of 1 makes no sense; give/ },
    { change: { dropout: -0.1 }, says: /^usage: A dropout of -0.1/ },
    { change: { dropout: Number.NaN }, says: /^usage: A dropout of NaN/ },
    { change: { blocks: [5] }, says: /^badChoice: Block 5 cannot get an adapter; the model has blocks 0 to 4\.$/ },
    { change: { blocks: [-1] }, says: /^badChoice: Block -1/ },
    { change: { blocks: [0.5] }, says: /^badChoice: Block 0.5/ },
    { change: { blocks: [] }, says: /^usage: The adapter has no blocks; name some/ },
    {
      change: { blocks: 'cutAdjacent' },
      says: /^badChoice: No block lies beside a gap, since no whole block was pruned/,
    },
    { change: { blocks: 'cutAdjacent' }, pruned: whole, says: /^badChoice: No block lies beside a gap/ },
    {
      change: { blocks: [2], targets: ['up_proj', 'down_proj'] },
      config: withForms({ 2: 'attentionOnly' }),
      says: /^badChoice: The adapter would be empty: blocks 2 have no up_proj, down_proj; choose other/,
    },
    {
      change: { rankPattern: { up_proj: 4 } },
      says: /^badChoice: The pattern up_proj matches no module of the adapter, such as model\.layers\.0/,
    },
    { change: { rankPattern: { '(q_proj': 4 } }, says: /^usage: The pattern "\(q_proj" is no regular expression/ },
    { change: { rankPattern: { '(a+)+q_proj': 4 } }, says: /^usage: The pattern .* is too involved; name the end/ },
    { change: { rankPattern: { '.*.*.*.*.*.*q': 4 } }, says: /^usage: The pattern .* is too involved/ },
    {
      change: { rankPattern: many(1001, 'x') },
      says: /^usage: An adapter with 1001 patterns .* at most 1000; give one for many/,
    },
    { change: { rankPattern: many(400, '.*[a-z]*') }, says: /^usage: The 400 patterns .* take too long to try/ },
    { change: { rankPattern: { '(a)\\1q_proj': 4 } }, says: /^usage: The pattern .* is too involved/ },
    { change: { alphaPattern: { ['q'.repeat(201)]: 4 } }, says: /^usage: The pattern .* has 201 letters/ },
  ])('$change', ({ change, pruned = null, config = stories, says }) => {
    const said = refusal(() => adaptedModules(config, options(change), pruned));
    expect(said).toMatch(says);
    expect(said).not.toMatch(/\n/);
  });
});
