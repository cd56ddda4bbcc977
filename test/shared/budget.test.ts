// Budgets: over shapes of real models and many targets, what is left is never above the target and within one percent of it, with
// as few blocks gone as can be; what cannot be met is refused with a sentence.
import { describe, expect, it } from 'vitest';
import type { Budget } from '../../server/protocol/recipes';
import { parseBytes, parseParameters } from '../../server/shared/amounts';
import { fitting, type ModelSizes, sizeOf, sizesOf, usualForm } from '../../server/shared/budget';

interface Shape {
  nBlocks: number;
  D: number;
  F: number;
  H: number;
  G: number;
  E: number;
  V: number;
  tied: boolean;
  bytes: number;
}

/** As config.json of these models has them. */
const shapes = {
  stories260k: { nBlocks: 5, D: 64, F: 172, H: 8, G: 4, E: 8, V: 512, tied: true, bytes: 4 },
  'SmolLM2-135M': { nBlocks: 30, D: 576, F: 1536, H: 9, G: 3, E: 64, V: 49152, tied: true, bytes: 2 },
  'Llama-3.2-3B': { nBlocks: 28, D: 3072, F: 8192, H: 24, G: 8, E: 128, V: 128256, tied: true, bytes: 2 },
  'Llama-3.1-8B': { nBlocks: 32, D: 4096, F: 14336, H: 32, G: 8, E: 128, V: 128256, tied: false, bytes: 2 },
  'Llama-3.1-70B': { nBlocks: 80, D: 8192, F: 28672, H: 64, G: 8, E: 128, V: 128256, tied: false, bytes: 2 },
} satisfies Record<string, Shape>;
type Name = keyof typeof shapes;
const names = Object.keys(shapes) as Name[];

/** Llama's weights, counted by hand. */
function sizes(name: Name): ModelSizes {
  const { nBlocks, D, F, H, G, E, V, tied, bytes } = shapes[name];
  const amount = (parameters: number) => ({ parameters, bytes: parameters * bytes });
  return {
    nBlocks,
    mlpWidth: F,
    outside: amount((tied ? 1 : 2) * V * D + D),
    block: amount(2 * H * E * D + 2 * G * E * D + 3 * D * F + 2 * D),
    channel: amount(3 * D),
    cachedPerToken: 2 * G * E,
    headerBytes: { outside: 300, block: 9 * 110 },
  };
}

const fitIn = (bytes: number, rest: Partial<Extract<Budget, { kind: 'fit' }>> = {}): Budget => ({
  kind: 'fit',
  bytes: Math.round(bytes),
  contextTokens: 0,
  cache: 'f16',
  pieces: 'channels',
  ...rest,
});
const toParameters = (parameters: number, pieces: Budget['pieces'] = 'channels'): Budget => ({
  kind: 'parameters',
  parameters: Math.round(parameters),
  pieces,
});

describe('what is left is below the target and within one percent of it', () => {
  const shares = Array.from({ length: 40 }, (_, i) => 0.4 + 0.015 * i);
  it.each(names.flatMap((name) => (['fit', 'cache', 'parameters'] as const).map((of) => ({ name, of }))))(
    '$name, by $of',
    ({ name, of }) => {
      const model = sizes(name);
      // The context of the tiny one is that short.
      const contextTokens = of === 'cache' ? (name === 'stories260k' ? 128 : 4096) : 0;
      const cacheOf = (nBlocks: number) => nBlocks * model.cachedPerToken * contextTokens * 2;
      const unit = of === 'parameters' ? 'parameters' : 'bytes';
      const whole = sizeOf(model, 0, model.mlpWidth)[unit] + cacheOf(model.nBlocks);
      for (const target of shares.map((part) => part * whole)) {
        if (target < 2 * model.outside[unit]) continue;
        const budget = of === 'parameters' ? toParameters(target) : fitIn(target, { contextTokens });
        const found = fitting(budget, model, model.nBlocks - 1);
        const measure = (count: number) => {
          const left = sizeOf(model, count, found.mlpWidth ?? model.mlpWidth);
          return { ...left, all: left[unit] + cacheOf(model.nBlocks - count) };
        };
        const { all, ...left } = measure(found.count);
        expect([found.parameters, found.weightBytes]).toEqual([left.parameters, left.bytes]);
        expect(found.cacheBytes).toBe(cacheOf(model.nBlocks - found.count));
        expect(all).toBeLessThanOrEqual(Math.round(target));
        expect(all).toBeGreaterThanOrEqual(0.99 * Math.round(target));
        expect(found.nearest).toBeNull();
        if (found.count > 0) expect(measure(found.count - 1).all).toBeGreaterThan(target);
      }
    },
  );
});

describe('known cases', () => {
  it.each<[string, Name, Budget, number, number | null]>([
    // 134 515 008 parameters, 3 540 096 a block, 51 840 to a channel of all blocks.
    ['four blocks, to the parameter', 'SmolLM2-135M', toParameters(134515008 - 4 * 3540096), 4, null],
    [
      'just under one percent above four blocks',
      'SmolLM2-135M',
      toParameters(134515008 - 4 * 3540096 + 1000000),
      4,
      null,
    ],
    // 2.5 million above: three blocks go, and 24 of 1536 channels, the fewest in a group that is close enough.
    ['between three and four', 'SmolLM2-135M', toParameters(134515008 - 4 * 3540096 + 2500000), 3, 1504],
    ['channels alone', 'SmolLM2-135M', toParameters(133500000), 0, 1504],
    ['whole blocks when they are wanted', 'SmolLM2-135M', toParameters(133500000, 'blocks'), 1, null],
    ['4 GB of Llama-3.2-3B', 'Llama-3.2-3B', fitIn(4e9), 12, 8064],
    ['the same with a cache of 8192 tokens', 'Llama-3.2-3B', fitIn(4e9, { contextTokens: 8192 }), 14, 7808],
  ])('%s', (_, name, budget, count, mlpWidth) => {
    const model = sizes(name);
    const found = fitting(budget, model, model.nBlocks - 1);
    expect([found.count, found.mlpWidth]).toEqual([count, mlpWidth]);
  });

  it('says what is nearest, and why, where only blocks may go', () => {
    const found = fitting(toParameters(133500000, 'blocks'), sizes('SmolLM2-135M'), 29);
    expect(found.nearest).toBe(
      'The nearest below 133.5 M parameters is 131.0 M parameters, 1.9 % less: with a block more it would be 134.5 M parameters.',
    );
  });

  it('counts a cache in its width', () => {
    const of = (cache: 'f32' | 'f16' | 'int8') =>
      fitting(fitIn(6e9, { contextTokens: 8192, cache }), sizes('Llama-3.2-3B'), 27);
    const perBlock = (cache: 'f32' | 'f16' | 'int8') => of(cache).cacheBytes / (28 - of(cache).count);
    expect([perBlock('f32'), perBlock('f16'), perBlock('int8')]).toEqual([
      8192 * 2048 * 4,
      8192 * 2048 * 2,
      8192 * 2048,
    ]);
  });
});

describe('what cannot be met is refused', () => {
  it.each<[string, Budget, number, RegExp]>([
    [
      'more than there is',
      fitIn(1e9),
      29,
      /takes 269\.1 MB as it is, and may take 1\.00 GB: nothing has to go; ask for less\.$/,
    ],
    ['as many parameters as there are', toParameters(134515008), 29, /as it is, .* nothing has to go/],
    [
      'less than stays',
      fitIn(5e7),
      29,
      /^Without all 29 blocks that may go, the model still takes 63\.7 MB, and not 50\.0 MB; allow more/,
    ],
    ['less than the protected ones', fitIn(2e8), 5, /^Without all 5 blocks/],
    [
      'a cache alone',
      fitIn(2e8, { contextTokens: 1000000 }),
      29,
      /with the cache of 1000000 tokens in f16.*count fewer tokens/,
    ],
  ])('%s', (_, budget, most, sentence) => {
    expect(() => fitting(budget, sizes('SmolLM2-135M'), most)).toThrow(sentence);
  });

  it('reports of versions that knew no budgets', () => {
    expect(() => sizesOf({ nBlocks: 5, mlpWidth: 172, sizeBytes: 1 }, usualForm)).toThrow(/analyze the model again/);
  });
});

it.each([
  [null, 2, 990],
  ['f32', 4, 1089],
  ['bf16', 2, 1089],
] as const)('a model that is written as %s has %d bytes a number', (dtype, bytes, headerBytes) => {
  const { nBlocks, mlpWidth, ...parts } = { ...sizes('SmolLM2-135M'), headerBytes: { outside: 300, block: 990 } };
  const written = sizesOf({ nBlocks, mlpWidth, sizeBytes: 1, parts }, { ...usualForm, dtype });
  expect([written.block.bytes / written.block.parameters, written.headerBytes.block]).toEqual([bytes, headerBytes]);
});

describe('sizes as people write them', () => {
  it.each<[string, number]>([
    ['4GB', 4e9],
    [' 800 MB ', 8e8],
    ['3.5GiB', 3.5 * 2 ** 30],
    ['1.1gb', 1.1e9],
    ['135000000B', 135000000],
    ['12kB', 12000],
  ])('%s is %d bytes', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it.each<[string, number]>([
    ['2.5B', 2.5e9],
    ['135M', 1.35e8],
    ['135000000', 1.35e8],
    ['1.1b', 1.1e9],
    ['260k', 260000],
  ])('%s is %d parameters', (text, n) => expect(parseParameters(text)).toBe(n));

  it.each(['4', '4 apples', 'GB', '-4GB', '0GB', '4e9', '4GBit', '1e99GB', '9999999999999TB', ''])(
    '"%s" is no size',
    (text) => expect(() => parseBytes(text)).toThrow(/such as 4GB, 800MB or 3\.5GiB/),
  );
  it.each(['2.5GB', 'many', '-1', '0', '0.4', '1e9', ''])('"%s" is no number of parameters', (text) =>
    expect(() => parseParameters(text)).toThrow(/such as 2\.5B or 135M/),
  );
});
