// What matrices of fewer bits cost SmolLM2, and that healing on frozen weights so narrow brings back no less than in float32.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TokenSource, WeightWidth } from '../../server/protocol/recipes';
import { ofBlocks } from '../../server/shared/dropSets';
import { available, dataFolder, modelFolder } from '../fixtures';
import { healing } from '../recipes/healing';
import { onCpu, runHere } from '../recipes/runHere';

const model = modelFolder('smollm2-135m');
const [test, train] = ['wiki.test.raw', 'wikitext2_train_5k.txt'].map((name) =>
  join(dataFolder, 'data/wikitext-2-raw', name),
) as [string, string];
const minutes = 60_000;

const wikitext = (sequences: number): TokenSource => ({
  ...{ kind: 'text', files: [test], field: null, sequences, tokens: 512, start: 0 },
  ...{ bos: 'none', sampling: 'consecutive', seed: 0 },
});

/** The most that a width may cost, in nats. SmolLM2 is in BF16, of which halves lose next to nothing. */
const most = { f16: 2e-4, int8: 0.01, int4: 0.15 } as const;

describe.skipIf(![model, test, train].every(available))('SmolLM2', () => {
  const root = mkdtempSync(join(tmpdir(), 'long-widths-'));
  const pruned = join(root, 'pruned');
  beforeAll(async () => {
    const nothing = { source: null, repair: null, maxShardBytes: null, mergekit: null, dtype: null };
    const rule = { kind: 'chosen', ...ofBlocks([10, 11, 12]) } as const;
    await runHere({ kind: 'prune', model, rule, ...nothing, out: pruned, compute: onCpu });
  }, minutes);
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  const once = <T>(of: (width: WeightWidth) => Promise<T>) => {
    const known = new Map<WeightWidth, Promise<T>>();
    return (width: WeightWidth) => {
      if (!known.has(width)) known.set(width, of(width));
      return known.get(width)!;
    };
  };
  const lossOf = once(async (weights) => {
    const recipe = { kind: 'perplexity', models: [model], drop: ofBlocks([]), source: wikitext(8) } as const;
    return (await runHere({ ...recipe, models: [model], compute: { ...onCpu, weights } })).models[0]!.lossNats;
  });
  const broughtBackOf = once(async (weights) => {
    const { pruned: before, evals } = await runHere(
      healing(pruned, train, join(root, `healed-${weights}`), {
        data: { tokens: 256, heldOutFraction: 0 },
        adapter: { rank: 8, alpha: 16 },
        optimizer: { learningRate: 5e-4 },
        loop: { steps: 30, microBatchSequences: 4, accumulate: 1, evaluateEverySteps: 30, heldOut: wikitext(4) },
        compute: { ...onCpu, weights },
      }),
    );
    return before!.lossNats - evals.at(-1)!.lossNats;
  });

  describe.each(['f16', 'int8', 'int4'] as const)('held as %s', (width) => {
    it('costs little on 8 x 512 tokens', { timeout: 20 * minutes }, async () => {
      const [held, float32] = [await lossOf(width), await lossOf('f32')];
      console.log(`${width}: ${held.toFixed(5)} nats, in float32 ${float32.toFixed(5)}`);
      expect(Math.abs(held - float32)).toBeLessThan(most[width]);
    });

    it('is healed by at least nine tenths of what float32 is', { timeout: 60 * minutes }, async () => {
      const [held, float32] = [await broughtBackOf(width), await broughtBackOf('f32')];
      console.log(`healing on ${width} brings back ${held.toFixed(4)} nats, on float32 ${float32.toFixed(4)}`);
      expect(float32).toBeGreaterThan(0.1);
      expect(held / float32).toBeGreaterThan(0.9);
      // On int4 an adapter brings back what the width itself has cost, too.
      if (width !== 'int4') expect(held / float32).toBeLessThan(1.1);
    });
  });
});
