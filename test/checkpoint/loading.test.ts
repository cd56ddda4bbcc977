// Variants of files as transformers 5 takes them: the same loss, also without a block, or a refusal by name. The table of
// all of them is printed.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../server/checkpoint/checkpoint';
import { writeWithoutBlocks } from '../../server/checkpoint/surgery';
import { isUserError } from '../../server/errors';
import { forward } from '../../server/execution/forward';
import { planExecution } from '../../server/execution/memoryPlan';
import { residentStore } from '../../server/execution/weightStore';
import { summarize } from '../../server/recipes/modelSummary';
import { type Device, openDevice } from '../../server/runtime/device';
import { ofBlocks } from '../../server/shared/dropSets';
import { type Golden, golden, ids, makeVariant, type Variant, variants } from './variants';

const root = mkdtempSync(join(tmpdir(), 'loading-'));
const table: string[] = [];
let device: Device;
beforeAll(async () => {
  device = await openDevice({ provider: 'cpu', threads: 1 });
});
afterAll(async () => {
  await device.close();
  rmSync(root, { recursive: true, force: true });
  console.log([`${'variant'.padEnd(56)} ${'transformers'.padEnd(34)} espalier`, ...table].join('\n'));
});

async function withVariant<T>(variant: Variant, body: (checkpoint: Checkpoint) => Promise<T>): Promise<T | string> {
  const folder = join(root, 'model');
  await makeVariant(variant, folder);
  try {
    const checkpoint = await openCheckpoint(folder);
    try {
      return await body(checkpoint);
    } finally {
      await checkpoint.close();
    }
  } catch (error) {
    if (!isUserError(error)) throw error;
    expect(error.message).toMatch(/^[^\n]{20,1200}\.$/);
    return error.message;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Mean over both sequences, all of the same length. */
async function lossOf(checkpoint: Checkpoint): Promise<number> {
  const { config } = checkpoint;
  const sequences = ids.map((row) => Int32Array.from(row, (id) => id % config.vocabularySize));
  const size = { nSequences: sequences.length, tokensPerSequence: sequences[0]!.length };
  const plan = planExecution(config, { ...size, keepStates: false, memory: 'resident', limitBytes: 4e9 });
  using store = residentStore(checkpoint, device);
  const losses = await forward({ checkpoint, config, device, store, plan }, sequences);
  return losses.reduce((sum, loss) => sum + loss, 0) / losses.length;
}

/** The checkpoint written without block 1, opened again: its loss, and what it holds. */
async function withoutBlock1(source: Checkpoint) {
  const out = join(root, 'pruned');
  await writeWithoutBlocks(source, { drop: ofBlocks([1]), out, dtype: null, provenance: {} });
  const pruned = await openCheckpoint(out);
  try {
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
    return { loss: await lossOf(pruned), config, names: [...pruned.weights.keys()], unused: pruned.unusedNames };
  } finally {
    await pruned.close();
    rmSync(out, { recursive: true });
  }
}

const shown = ({ raises, missing, unexpected, notTied, loss }: Golden) => {
  if (raises) return raises;
  if (missing) return `${missing} newly initialised`;
  return `${loss!.toFixed(5)}${notTied ? ', not tied' : ''}${unexpected ? `, ${unexpected.length} not used` : ''}`;
};

describe('loads, or is refused', () => {
  it.each(variants)('$name', async (variant) => {
    const expected = golden[variant.name]!;
    const found = await withVariant(variant, async (checkpoint) => {
      const loss = await lossOf(checkpoint);
      const pruned = variant.pruned ? await withoutBlock1(checkpoint) : null;
      return { loss, pruned, summary: summarize(checkpoint), unused: checkpoint.unusedNames };
    });
    const ours =
      typeof found === 'string'
        ? `refused: ${found.replaceAll(join(root, 'model'), 'MODEL').slice(0, 90)}`
        : found.loss.toFixed(5);
    table.push(`${variant.name.padEnd(56)} ${shown(expected).padEnd(34)} ${ours}`);
    if (variant.refused !== undefined) {
      expect(found).toMatch(new RegExp(variant.refused));
      return;
    }
    if (typeof found === 'string') throw new Error(`refused: ${found}`);
    const { loss, pruned, summary, unused } = found;
    expect(loss).toBeCloseTo(expected.loss!, 4);
    expect(summary.nParameters).toBe(expected.parameters);
    expect([...unused].sort()).toEqual(expected.unexpected ?? []);
    if (!pruned) return;
    expect(pruned.loss).toBeCloseTo(expected.lossWithoutBlock1!, 4);
    expect(pruned.unused).toEqual([]);
    // Whoever believes the config reads the same model as whoever looks at the weights.
    expect(pruned.names.includes('lm_head.weight')).toBe(!summary.tiedEmbeddings);
    if (expected.notTied) expect(pruned.config.tie_word_embeddings).toBe(false);
  });

  it('has a row of transformers for every variant, and no others', () => {
    expect(Object.keys(golden)).toEqual(variants.map(({ name }) => name));
    expect(variants.length).toBeGreaterThanOrEqual(40);
  });

  it('is refused wherever transformers raises an error or fills weights with random numbers', () => {
    const computed = variants.filter(({ name, refused }) => !refused && golden[name]!.loss === undefined);
    expect(computed.map(({ name }) => name)).toEqual([]);
  });

  it('is refused beyond that only where another reader reads another model, or for what is not computed', () => {
    const stricter = variants.filter(({ name, refused }) => refused && golden[name]!.loss !== undefined);
    expect(stricter.map(({ name }) => name)).toEqual([
      'a name with and without the prefix',
      'one projection in fp8, no scales',
      'one projection in i8',
      'a weight in two shards, the same',
      'a weight in two shards, different',
      'weights named in the config',
      'architectures of a classifier',
    ]);
  });
});
