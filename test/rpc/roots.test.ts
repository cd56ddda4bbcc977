// Which paths lie inside of the folders that a connection may name, after every symbolic link.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import type { ComputeOptions, Recipe, TokenSource } from '../../server/protocol';
import { canonicalRoots, checkModelFolder, checkPath, checkRecipePaths } from '../../server/rpc/roots';
import { temporaryFolder } from './client';

// base/root is the only root; base/rootless and base/other lie beside it.
const base = temporaryFolder(afterAll);
const at = (...names: string[]) => join(base, ...names);
for (const folder of ['root/model', 'root/cache/blobs', 'root/cache/snapshot', 'root/mixed', 'rootless', 'other'])
  mkdirSync(at(folder), { recursive: true });
for (const file of ['root/text.txt', 'root/model/config.json', 'root/cache/blobs/0a', 'other/secret', 'rootless/text'])
  writeFileSync(at(file), 'x');
symlinkSync(at('other'), at('root/out'));
symlinkSync('../other/secret', at('root/secret'));
symlinkSync('model', at('root/alias'));
symlinkSync(at('other/not there yet'), at('root/broken'));
symlinkSync('loop', at('root/loop'));
symlinkSync('../blobs/0a', at('root/cache/snapshot/model.safetensors'));
symlinkSync('../../other/secret', at('root/mixed/config.json'));
symlinkSync(at('root'), at('also root'));

const codeOf = async (checked: Promise<unknown>) => {
  try {
    await checked;
  } catch (error) {
    if (isUserError(error)) return error.code;
    throw error;
  }
  return 'accepted';
};

const paths: [string, string][] = [
  [at('root'), 'accepted'],
  [at('root/text.txt'), 'accepted'],
  [at('root/not/there/yet'), 'accepted'],
  [at('root/alias/config.json'), 'accepted'],
  [at('also root/text.txt'), 'accepted'],
  [at('root/model/../text.txt'), 'accepted'],
  ['/', 'outsideRoots'],
  [base, 'outsideRoots'],
  [at('rootless/text'), 'outsideRoots'],
  [at('other/secret'), 'outsideRoots'],
  [at('root/../other/secret'), 'outsideRoots'],
  [`${at('root')}/model/../../other/secret`, 'outsideRoots'],
  [at('root/secret'), 'outsideRoots'],
  [at('root/out'), 'outsideRoots'],
  [at('root/out/new'), 'outsideRoots'],
  [at('root/broken'), 'outsideRoots'],
  [at('root/loop'), 'outsideRoots'],
  [at('root/loop/x'), 'outsideRoots'],
  ['root/text.txt', 'usage'],
  ['', 'usage'],
  [`${at('root')}/text.txt\0`, 'usage'],
];

it.each(paths)('the path %j is %s', async (path, outcome) => {
  expect(await codeOf(checkPath(path, await canonicalRoots([at('root')])))).toBe(outcome);
});

it.each([
  ['a link to a root is that root', [at('also root')], at('root/text.txt'), 'accepted'],
  ['a root that is not there yet counts once it is', [at('later')], at('later/text.txt'), 'accepted'],
  ['the root folder of the disk holds everything', ['/'], at('other/secret'), 'accepted'],
  ['no roots, no paths', [], at('root/text.txt'), 'outsideRoots'],
])('%s', async (_, roots, path, outcome) => {
  expect(await codeOf(checkPath(path, await canonicalRoots(roots)))).toBe(outcome);
});

it.each([
  [at('root/model'), 'accepted'],
  [at('root/cache/snapshot'), 'accepted'],
  [at('root/mixed'), 'outsideRoots'],
  [at('root/out'), 'outsideRoots'],
])('the model folder %j is %s', async (folder, outcome) => {
  expect(await codeOf(checkModelFolder(folder, await canonicalRoots([at('root')])))).toBe(outcome);
});

describe('a recipe', () => {
  const compute: ComputeOptions = { device: 'cpu', memory: 'auto', threads: null, memoryLimitBytes: null };
  const text: TokenSource = {
    kind: 'text',
    files: [at('root/text.txt')],
    field: null,
    windows: null,
    tokens: 8,
    start: 0,
    bos: 'none',
    sampling: 'consecutive',
    seed: 0,
  };
  const prune = {
    kind: 'prune',
    model: at('root/model'),
    rule: { kind: 'deepest', count: 1, protected: [] },
    source: text,
    repair: null,
    out: at('root/new'),
    dtype: null,
    maxShardBytes: null,
    mergekit: null,
    compute,
  } satisfies Recipe;
  const drop = { blocks: [], attention: [], mlp: [] };
  const outside = at('other/secret');

  const recipes: [string, Recipe, string][] = [
    ['that stays inside', prune, 'accepted'],
    ['that reads a model outside', { ...prune, model: at('other') }, 'outsideRoots'],
    ['that reads a model through links that lead outside', { ...prune, model: at('root/mixed') }, 'outsideRoots'],
    ['that writes outside', { ...prune, out: at('other/new') }, 'outsideRoots'],
    ['that writes through a link', { ...prune, out: at('root/out/new') }, 'outsideRoots'],
    [
      'that reads text outside',
      { ...prune, source: { ...text, files: [at('root/text.txt'), outside] } },
      'outsideRoots',
    ],
    ['that reads ids outside', { ...prune, source: { kind: 'ids', file: outside } }, 'outsideRoots'],
    ['that writes a mergekit recipe outside', { ...prune, mergekit: at('other/merge.yaml') }, 'outsideRoots'],
    ['that writes a mergekit recipe inside', { ...prune, mergekit: at('root/merge.yaml') }, 'accepted'],
    [
      'of several models, one of them outside',
      { kind: 'perplexity', models: [at('root/model'), at('other')], drop, source: text, compute },
      'outsideRoots',
    ],
    ['that looks at a model outside', { kind: 'inspect', model: at('other') }, 'outsideRoots'],
  ];

  it.each(recipes)('%s is judged', async (_, recipe, outcome) => {
    expect(await codeOf(checkRecipePaths(recipe, await canonicalRoots([at('root')])))).toBe(outcome);
  });
});
