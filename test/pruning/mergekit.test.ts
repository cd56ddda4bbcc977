// Drop sets as mergekit recipes: read back as YAML, the slices hold the blocks that stay.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { toMergekitYaml } from '../../server/pruning/mergekit';

interface MergekitRecipe {
  slices: { sources: { model: string; layer_range: [number, number] }[] }[];
  merge_method: string;
  dtype?: string;
}
const recipe = (...args: Parameters<typeof toMergekitYaml>): MergekitRecipe => parse(toMergekitYaml(...args));
const ranges = (nBlocks: number, dropSet: number[]) =>
  recipe('m', nBlocks, dropSet, null).slices.map(({ sources }) => sources[0]!.layer_range);

describe('a recipe', () => {
  it('reads as mergekit documents it', () =>
    expect(toMergekitYaml('mistralai/Mistral-7B-Instruct-v0.2', 32, [21, 22, 23, 24, 25, 26, 27, 28], 'bf16')).toBe(
      `
slices:
  - sources:
      - model: mistralai/Mistral-7B-Instruct-v0.2
        layer_range: [ 0, 21 ]
  - sources:
      - model: mistralai/Mistral-7B-Instruct-v0.2
        layer_range: [ 29, 32 ]
merge_method: passthrough
dtype: bfloat16
`.trimStart(),
    ));

  const rows: [string, number, number[], [number, number][]][] = [
    ['nothing dropped', 4, [], [[0, 4]]],
    ['the first block', 4, [0], [[1, 4]]],
    ['the last block', 4, [3], [[0, 3]]],
    ['both ends', 4, [0, 3], [[1, 3]]],
    // biome-ignore format: a row
    ['every other block', 6, [1, 3, 5], [[0, 1], [2, 3], [4, 5]]],
    ['all but one', 4, [0, 1, 3], [[2, 3]]],
    // biome-ignore format: a row
    ['Shortened LLaMA on Llama-3-8B', 32, [8, 9, 10, 11, 23, 25], [[0, 8], [12, 23], [24, 25], [26, 32]]],
  ];
  it.each(rows)('%s', (_, nBlocks, dropSet, expected) => expect(ranges(nBlocks, dropSet)).toEqual(expected));

  it('keeps exactly the other blocks, in order', () => {
    const pair = fc
      .integer({ min: 2, max: 80 })
      .chain((n) => fc.tuple(fc.constant(n), fc.subarray([...Array(n).keys()], { maxLength: n - 1 })));
    fc.assert(
      fc.property(pair, ([n, dropSet]) => {
        const kept = ranges(n, dropSet).flatMap(([start, end]) => [...Array(end - start).keys()].map((i) => start + i));
        expect(kept).toEqual([...Array(n).keys()].filter((k) => !dropSet.includes(k)));
      }),
    );
  });

  const dtypes = [
    ['f32', 'float32'],
    ['f16', 'float16'],
    ['bf16', 'bfloat16'],
    [null, undefined],
  ] as const;
  it.each(dtypes)('%s is %s', (dtype, name) => expect(recipe('m', 2, [1], dtype).dtype).toBe(name));

  const names = [
    'owner/name',
    '/home/a b/models: new',
    'C:\\models\\x',
    '- dash',
    '#1',
    "it's",
    'null',
    '3',
    `${'long/'.repeat(60)}end`,
  ];
  it.each(names)('survives the name %s', (name) => {
    expect(recipe(name, 4, [1], null)).toMatchObject({ merge_method: 'passthrough' });
    expect(recipe(name, 4, [1], null).slices.map(({ sources }) => sources[0]!.model)).toEqual([name, name]);
  });
});
