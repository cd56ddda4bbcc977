// Magnitude pruning of a folder: each projection by itself, everything else as it was.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import type { SparsifyRecipe } from '../../server/recipes/sparsify/recipe';
import { modelFolder, repoRoot } from '../fixtures';
import { onCpu, runHere } from './runHere';

const root = mkdtempSync(join(tmpdir(), 'sparsify-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let n = 0;
const sparsify = (change: Partial<SparsifyRecipe> = {}) =>
  runHere({
    kind: 'sparsify',
    model: modelFolder('stories260k'),
    ratio: 0.5,
    source: null,
    out: join(root, String(n++)),
    dtype: null,
    maxShardBytes: null,
    compute: onCpu,
    ...change,
  });

describe('a sparse model', () => {
  it.each([0, 0.1, 0.5, 0.9])(
    'has exactly a share of %d of every projection zeroed, the rest as it was',
    async (ratio) => {
      const { out, matrices, nZeroed, nConsidered } = await sparsify({ ratio });
      const [before, after] = [await openCheckpoint(modelFolder('stories260k')), await openCheckpoint(out)];
      expect(matrices).toHaveLength(35);
      let total = 0;
      for (const name of before.weights.keys()) {
        const [old, made] = [await before.readF32(name), await after.readF32(name)];
        const matrix = matrices.find((it) => it.name === name);
        const kept = made.filter((x, i) => x === old[i]).length;
        if (!matrix) {
          expect(kept, name).toBe(old.length);
          continue;
        }
        const zeros = made.filter((x) => x === 0).length;
        expect([matrix.nZeroed, zeros, kept], name).toEqual([
          Math.floor(ratio * old.length),
          matrix.nZeroed,
          old.length - matrix.nZeroed,
        ]);
        const least = made.reduce((min, x) => (x === 0 ? min : Math.min(min, Math.abs(x))), Number.POSITIVE_INFINITY);
        expect(least).toBeGreaterThanOrEqual(matrix.threshold);
        total += zeros;
      }
      expect([nZeroed, after.config.nBlocks, after.provenance!.steps.at(-1)]).toMatchObject([
        total,
        5,
        { kind: 'sparsify', ratio },
      ]);
      expect(nConsidered).toBe(matrices.reduce((sum, it) => sum + it.nWeights, 0));
      await before.close();
      await after.close();
    },
  );

  it('costs more the sparser it is', async () => {
    const source = {
      kind: 'ids',
      file: join(repoRoot, 'test/fixtures/reference/stories260k.json'),
      sequences: 2,
    } as const;
    const losses: number[] = [];
    for (const ratio of [0, 0.3, 0.6]) {
      const { lossBefore, lossAfter } = await sparsify({ ratio, source });
      if (ratio === 0) expect(lossAfter).toBe(lossBefore);
      losses.push(lossAfter!);
    }
    expect(losses).toEqual(losses.toSorted((a, b) => a - b));
    expect(losses[1]).toBeGreaterThan(losses[0]! + 0.01);
  });

  it.each([1, -0.1, Number.NaN])('is refused for a ratio of %d', async (ratio) =>
    expect(sparsify({ ratio })).rejects.toThrow(/makes no sense; give --ratio/),
  );
});
