// Many paths together give what each gives alone, whatever is shared, cached, spilled to disk or streamed.
import { existsSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import { type Path, pathWithout } from '../../server/model/path';
import { checkDropSet, ofBlocks } from '../../server/shared/dropSets';
import type { DropSet } from '../../server/protocol/recipes';
import { forward } from '../../server/execution/forward';
import type { MemoryPlan } from '../../server/execution/memoryPlan';
import type { Model } from '../../server/execution/model';
import { openStateCache } from '../../server/execution/stateCache';
import { measurePaths, type VariantOptions } from '../../server/execution/variants';
import { openWorkMeter } from '../../server/execution/workMeter';
import { available, long, modelFolder } from '../fixtures';
import { deviceOfFile, withModelOn } from './setting';

const device = deviceOfFile(2);
afterEach(() => device().forgetPrograms());

/** Numbers in [0, 1) from a seed (a multiplicative generator; any would do). */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

/** Drop sets of a few blocks and sublayers. */
function randomDropSets(count: number, nBlocks: number, seed: number): DropSet[] {
  const next = random(seed);
  const some = (share: number) => [...Array(nBlocks).keys()].filter(() => next() < share);
  return Array.from({ length: count }, () => {
    const drop = { blocks: some(0.2), attention: some(0.1), mlp: some(0.1) };
    const whole = drop.blocks.length === nBlocks ? { ...drop, blocks: drop.blocks.slice(1) } : drop;
    return checkDropSet(whole, nBlocks);
  });
}

const withModel = <T>(
  name: string,
  sequences: readonly Int32Array[],
  plan: Partial<MemoryPlan>,
  body: (model: Model) => Promise<T>,
) => {
  const shape = { nSequences: sequences.length, tokensPerSequence: sequences[0]!.length };
  return withModelOn(device(), { folder: modelFolder(name), ...shape, plan }, body);
};

const sequenceMeans = (nats: Float32Array, nSequences: number) =>
  Array.from({ length: nSequences }, (_, w) => {
    const each = nats.length / nSequences;
    return nats.slice(w * each, (w + 1) * each).reduce((sum, x) => sum + x, 0) / each;
  });

const largestDifference = (a: readonly number[], b: ArrayLike<number>) =>
  Math.max(...a.map((x, i) => Math.abs(x - b[i]!)));

const tinySequences = [0, 1, 2, 3, 4].map((w) => Int32Array.from({ length: 32 }, (_, i) => (7 * i * i + 31 * w) % 512));

describe('200 random drop sets of stories260k', () => {
  const name = 'stories260k';
  const drops = randomDropSets(200, 5, 7);
  let paths: Path[];
  let alone: Float64Array[];
  beforeAll(async () => {
    await withModel(name, tinySequences, { microBatchSequences: 2, groupSequences: 2 }, async (model) => {
      paths = drops.map((drop) => pathWithout(model.config, drop));
      alone = [];
      for (const path of paths) alone.push(await forward(model, tinySequences, { path }));
    });
  });

  const ways: [string, Partial<MemoryPlan>, number | null][] = [
    ['resident', { microBatchSequences: 2, groupSequences: 2 }, null],
    ['all sequences at once', { microBatchSequences: 5, groupSequences: 5 }, null],
    ['streamed in groups', { mode: 'streaming', microBatchSequences: 2, groupSequences: 4, headSliceRows: 200 }, null],
    ['with a cache', { microBatchSequences: 2, groupSequences: 2 }, 1e9],
    ['with a cache that is too small', { microBatchSequences: 2, groupSequences: 2 }, 100_000],
    ['with a cache on disk alone', { microBatchSequences: 2, groupSequences: 4, mode: 'streaming' }, 0],
  ];
  it.each(ways)('have the losses of plain passes: %s', async (_, plan, cacheBytes) => {
    await withModel(name, tinySequences, plan, async (model) => {
      const cache = cacheBytes === null ? null : openStateCache(device(), cacheBytes);
      const options: VariantOptions = cache
        ? { cache, keeps: (node) => (node.key.includes('mlpOnly') ? 'spare' : 'pinned') }
        : {};
      // In three portions, so that later ones find what earlier ones left in the cache.
      for (const [start, end] of [
        [0, 3],
        [3, 120],
        [120, 200],
      ] as const) {
        const nats = await measurePaths(model, tinySequences, paths.slice(start, end), options);
        for (const [i, of] of nats.entries())
          expect(
            largestDifference(sequenceMeans(of, 5), alone[start + i]!),
            JSON.stringify(drops[start + i]),
          ).toBeLessThan(1e-5);
      }
      cache?.[Symbol.dispose]();
    });
    expect(device().alive().length).toBe(0);
    expect(readdirSync(tmpdir()).filter((entry) => entry.startsWith(`espalier-states-${process.pid}-`))).toEqual([]);
  });

  it('are measured on a range of sequences alone', async () => {
    await withModel(name, tinySequences, { microBatchSequences: 2, groupSequences: 2 }, async (model) => {
      const cache = openStateCache(device(), 1e9);
      const common = { cache, keeps: () => 'spare' as const };
      await measurePaths(model, tinySequences, paths.slice(0, 9), common); // kept by twos, asked for by ones
      for (let sequence = 0; sequence < 5; sequence++) {
        const range = { first: sequence, end: sequence + 1 };
        const nats = await measurePaths(model, tinySequences, paths.slice(0, 40), { ...common, range });
        for (const [i, of] of nats.entries())
          expect(Math.abs(sequenceMeans(of, 1)[0]! - alone[i]![sequence]!)).toBeLessThan(1e-5);
      }
      cache[Symbol.dispose]();
    });
    expect(device().alive().length).toBe(0);
  });
});

describe('a cache that is full', () => {
  it('does not forget what a measurement has begun with', async () => {
    await withModel('stories260k', tinySequences, { microBatchSequences: 1, groupSequences: 1 }, async (model) => {
      const { config } = model;
      const paths = [[4], [0], [1], [3]].map((blocks) => pathWithout(config, ofBlocks(blocks)));
      const stateBytes = 32 * config.width * 4;
      const cache = openStateCache(device(), 5 * stateBytes);
      const options = { cache, keeps: () => 'spare' as const, range: { first: 0, end: 1 } };
      await measurePaths(model, tinySequences, paths.slice(0, 1), options); // leaves 4 states
      const nats = await measurePaths(model, tinySequences, paths, options); // needs some of them late, and adds 8
      for (const [i, path] of paths.entries()) {
        const [alone] = await forward(model, tinySequences.slice(0, 1), { path });
        expect(sequenceMeans(nats[i]!, 1)[0]).toBeCloseTo(alone!, 5);
      }
      cache[Symbol.dispose]();
    });
    expect(device().alive().length).toBe(0);
  });
});

describe('the work', () => {
  it('of all single removals is that of their distinct prefixes', async () => {
    await withModel('stories260k', tinySequences, { microBatchSequences: 2, groupSequences: 2 }, async (model) => {
      const { config } = model;
      const paths = [pathWithout(config), ...[0, 1, 2, 3, 4].map((k) => pathWithout(config, ofBlocks([k])))];
      const meter = openWorkMeter();
      meter.asked(paths, { first: 0, end: 5 });
      await measurePaths(model, tinySequences, paths, { meter });
      // 5 blocks of the original, and behind each left-out block k the 4 - k that follow.
      const least = { blockRuns: 5 * (5 + 4 + 3 + 2 + 1), headRuns: 5 * 6 };
      expect(meter.counts()).toEqual({
        ...least,
        minimum: least,
        plain: { blockRuns: 5 * (5 + 5 * 4), headRuns: 5 * 6 },
      });
    });
  });

  it('tells how far it is, up to the end, and stops where it is cancelled without leaving anything behind', async () => {
    await withModel(
      'stories260k',
      tinySequences,
      { microBatchSequences: 2, groupSequences: 4, mode: 'streaming' },
      async (model) => {
        const paths = randomDropSets(12, 5, 3).map((drop) => pathWithout(model.config, drop));
        const fractions: number[] = [];
        await measurePaths(model, tinySequences, paths, { onProgress: (fraction) => fractions.push(fraction) });
        expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
        expect(fractions.at(-1)).toBeCloseTo(1, 9);
        for (const at of [1, 9, fractions.length - 1]) {
          const controller = new AbortController();
          let runs = 0;
          const onProgress = () => void (++runs === at && controller.abort());
          const cache = openStateCache(device(), 1e6);
          const keeps = () => 'spare' as const;
          const code = await measurePaths(model, tinySequences, paths, {
            cache,
            keeps,
            onProgress,
            signal: controller.signal,
          }).catch((error: unknown) => (isUserError(error) ? error.code : error));
          cache[Symbol.dispose]();
          expect([code, runs]).toEqual(['cancelled', at]);
          expect(device().alive().length).toBe(0);
        }
      },
    );
  });
});

const real = 'smollm2-135m';
const { nDrops, nTokens } = long ? { nDrops: 10, nTokens: 96 } : { nDrops: 3, nTokens: 32 };
describe.skipIf(!available(modelFolder(real)))(`${nDrops} random drop sets of SmolLM2`, () => {
  it('have the losses of plain passes', async () => {
    expect(existsSync(modelFolder(real))).toBe(true);
    const sequences = [1, 2].map((w) =>
      Int32Array.from({ length: nTokens }, (_, i) => (i * i * 13 * w + 977 * i) % 49152),
    );
    await withModel(real, sequences, { microBatchSequences: 2, groupSequences: 2 }, async (model) => {
      const drops = randomDropSets(nDrops, 30, 11);
      const paths = drops.map((drop) => pathWithout(model.config, drop));
      const nats = await measurePaths(model, sequences, paths);
      for (const [i, path] of paths.entries()) {
        const alone = await forward(model, sequences, { path });
        expect(largestDifference(sequenceMeans(nats[i]!, 2), alone), JSON.stringify(drops[i])).toBeLessThan(1e-5);
      }
    });
  });
});
