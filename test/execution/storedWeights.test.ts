// A model whose matrices are held in fewer bits computes what a float32 model of the rounded matrices does. The rounded
// matrices are made here, number by number, from what is fed to the device.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { taylorScores } from '../../server/analysis/taylor';
import { type Checkpoint, openCheckpoint } from '../../server/checkpoint/checkpoint';
import { quantiseInto } from '../../server/checkpoint/quantise';
import { generate } from '../../server/execution/decode';
import { forward } from '../../server/execution/forward';
import { planExecution } from '../../server/execution/memoryPlan';
import type { Model } from '../../server/execution/model';
import { withStoredCheckpoint } from '../../server/execution/storedWeights';
import {
  groupBytes,
  blockGroup,
  residentStore,
  streamingStore,
  withReplaced,
} from '../../server/execution/weightStore';
import { pathWithout } from '../../server/model/path';
import { embeddingName, headName } from '../../server/model/weights';
import type { WeightWidth } from '../../server/protocol/recipes';
import { makeVariant, variants } from '../checkpoint/variants';
import { modelFolder } from '../fixtures';
import { writeFaulty } from '../recipes/faults';
import { deviceOfFile } from './setting';

const device = deviceOfFile(1);
const folder = modelFolder('stories260k');
const sequences = [0, 1, 2].map((s) => Int32Array.from({ length: 24 }, (_, t) => 1 + ((7 * t + 31 * s) % 500)));
const widths = ['f16', 'int8', 'int4'] as const;

/** What whole numbers of `bits` with a scale for `blockSize` of them stand for, for rows of `nIn` numbers. */
function dequantised(data: Float32Array, nIn: number, bits: 4 | 8, blockSize: number): Float32Array {
  const nBlocks = Math.ceil(nIn / blockSize);
  const nRows = data.length / nIn;
  const numbers = new Uint8Array((nRows * nBlocks * blockSize * bits) / 8);
  const scales = new Float32Array(nRows * nBlocks);
  quantiseInto(data, { bits, blockSize, nIn }, numbers, scales);
  return data.map((_, i) => {
    const [row, column] = [Math.floor(i / nIn), i % nIn];
    const place = row * nBlocks * blockSize + column;
    const number = bits === 8 ? numbers[place]! - 128 : ((numbers[place >> 1]! >> (4 * (place % 2))) & 15) - 8;
    return number * scales[row * nBlocks + Math.floor(column / blockSize)]!;
  });
}

const toHalf = (data: Float32Array) => data.map((x) => halfNearest(x));
/** By the definition of a half: 11 bits of fraction, in steps of 2^-24 at the least. */
function halfNearest(x: number): number {
  const exponent = Math.max(-14, Math.floor(Math.log2(Math.abs(x) || 1)));
  const step = 2 ** (exponent - 10);
  const [down, rest] = [Math.floor(x / step), x / step - Math.floor(x / step)];
  return step * (rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down);
}

const roundedTo: Record<(typeof widths)[number], (data: Float32Array, nIn: number) => Float32Array> = {
  f16: toHalf,
  int8: (data, nIn) => dequantised(data, nIn, 8, 32),
  int4: (data, nIn) => dequantised(data, nIn, 4, 16),
};

/** The head has 8 bits at the least. */
const headOf = { f16: 'f16', int8: 'int8', int4: 'int8' } as const;

/** With a head of its own, so that the head can be rounded while the embeddings stay as they are. */
function untied(checkpoint: Checkpoint): Checkpoint {
  const stored = (name: string) => (name === headName ? embeddingName : name);
  return {
    ...checkpoint,
    config: { ...checkpoint.config, tiedEmbeddings: false },
    weights: new Map([...checkpoint.weights, [headName, checkpoint.weights.get(embeddingName)!]]),
    readF32: (name, into) => checkpoint.readF32(stored(name), into),
    readRowsF32: (name, first, n, into) => checkpoint.readRowsF32(stored(name), first, n, into),
    gatherRowsF32: (name, rows, into) => checkpoint.gatherRowsF32(stored(name), rows, into),
    readBytes: (name, start, length, into) => checkpoint.readBytes(stored(name), start, length, into),
  };
}

/** The checkpoint with its matrices rounded. */
function roundedCheckpoint(checkpoint: Checkpoint, width: (typeof widths)[number]): Checkpoint {
  const put = (name: string, numbers: Float32Array): Float32Array => {
    const { shape } = checkpoint.weights.get(name)!;
    if (shape.length === 2 && name !== embeddingName)
      numbers.set(roundedTo[name === headName ? headOf[width] : width](numbers, shape[1]!));
    return numbers;
  };
  return {
    ...checkpoint,
    readF32: async (name, into) => put(name, await checkpoint.readF32(name, into)),
    readRowsF32: async (name, first, n, into) => put(name, await checkpoint.readRowsF32(name, first, n, into)),
    gatherRowsF32: (name, rows, into) => put(name, checkpoint.gatherRowsF32(name, rows, into)),
  };
}

async function on<T>(checkpoint: Checkpoint, mode: 'resident' | 'streaming', body: (model: Model) => Promise<T>) {
  const { config } = checkpoint;
  const request = { nSequences: 3, tokensPerSequence: 24, keepStates: true, backward: true, limitBytes: 8e9 };
  const plan = planExecution(config, { ...request, memory: mode });
  const open = mode === 'resident' ? residentStore : streamingStore;
  using store = open(checkpoint, device());
  return await body({ checkpoint, config, device: device(), store, plan });
}

/** Of the same work: held in a width, and in float32 of the rounded matrices. */
async function both<T>(
  width: (typeof widths)[number],
  mode: 'resident' | 'streaming',
  work: (model: Model) => Promise<T>,
): Promise<[T, T]> {
  const held = await withStoredCheckpoint(folder, width, (checkpoint) => on(untied(checkpoint), mode, work));
  const plain = await openCheckpoint(folder);
  try {
    return [held, await on(roundedCheckpoint(untied(plain), width), mode, work)];
  } finally {
    await plain.close();
  }
}

describe.each(widths)('matrices held as %s', (width) => {
  it.each(['resident', 'streaming'] as const)('%s, give the loss of the rounded ones', async (mode) => {
    const [held, rounded] = await both(width, mode, async (model) => [...(await forward(model, sequences))]);
    for (const [i, loss] of held.entries()) expect(Math.abs(loss - rounded[i]!)).toBeLessThan(2e-5);
  });

  it('give the gradients of the rounded ones', async () => {
    const [held, rounded] = await both(width, 'resident', (model) => taylorScores(model, sequences, {}));
    for (const [block, score] of held.entries()) expect(score / rounded[block]! - 1).toBeCloseTo(0, 3);
  });

  it('write what the rounded ones write', async () => {
    const [held, rounded] = await both(width, 'resident', (model) =>
      generate(model, [1, 403, 407], { path: pathWithout(model.config), maxTokens: 20, endIds: [] }),
    );
    expect(held).toEqual(rounded);
  });

  it('may be replaced by others', async () => {
    const name = 'model.layers.2.mlp.down_proj.weight';
    const work = async (model: Model) => {
      const { shape } = model.checkpoint.weights.get(name)!;
      const data = (await model.checkpoint.readF32(name)).map((x) => 0.5 * x);
      using store = withReplaced(model.store, model.device, new Map([[name, { data, shape }]]));
      return [...(await forward({ ...model, store }, sequences))];
    };
    // Halving changes neither the whole numbers nor the fractions of halves, but the scales.
    const [held, rounded] = await both(width, 'resident', work);
    for (const [i, loss] of held.entries()) expect(Math.abs(loss - rounded[i]!)).toBeLessThan(2e-5);
  });
});

it('holds as many bytes as planned', async () => {
  const bytes = async (width: WeightWidth) =>
    withStoredCheckpoint(folder, width, async (checkpoint) => {
      const { config } = checkpoint;
      const planned = planExecution(config, {
        nSequences: 1,
        tokensPerSequence: 24,
        keepStates: false,
        memory: 'resident',
        limitBytes: 8e9,
      }).bytes.weights;
      const held = await on(checkpoint, 'resident', async (model) => {
        await forward(model, sequences);
        return device()
          .alive()
          .filter(({ role }) => role === 'weight')
          .reduce((sum, { nBytes }) => sum + nBytes, 0);
      });
      expect(held).toBe(planned);
      return groupBytes(blockGroup(config, 0)) / groupBytes(blockGroup({ ...config, storage: undefined } as never, 0));
    });
  // 2 and 4 bytes; 32 bytes and a scale for 32 numbers; 8 bytes and a scale for 16. Rows of 172 numbers are filled up.
  expect([await bytes('f16'), await bytes('int8'), await bytes('int4')].map((share) => share.toFixed(2))).toEqual([
    '0.50',
    '0.29',
    '0.19',
  ]);
});

describe('what a width cannot hold', () => {
  const root = mkdtempSync(join(tmpdir(), 'stored-weights-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  let n = 0;
  const weight = 'model.layers.2.mlp.down_proj.weight';
  const faulty = (value: number) => writeFaulty(folder, join(root, `${n++}`), [{ weight, at: 173, value }]);
  const lossesOf = (model: string, width: WeightWidth) =>
    withStoredCheckpoint(model, width, (checkpoint) =>
      on(checkpoint, 'resident', async (open) => [...(await forward(open, sequences))]),
    );

  it.each([
    [65_519, []],
    [65_520, ['mlp.down_proj.weight']],
  ])('a matrix with the number %s stays float32 where halves would be infinite', async (value, kept) => {
    const model = await faulty(value);
    await withStoredCheckpoint(model, 'f16', async ({ config }) => {
      expect(config.blocks[2]!.float32Weights).toEqual(kept);
      expect(config.blocks.filter(({ float32Weights }) => float32Weights!.length > 0).length).toBe(kept.length);
    });
    for (const [i, loss] of (await lossesOf(model, 'f16')).entries())
      expect(Math.abs(loss - (await lossesOf(model, 'f32'))[i]!)).toBeLessThan(5e-3);
  });

  it.each(widths)('a NaN is not hidden by %s', async (width) => {
    const model = await faulty(Number.NaN);
    await expect(lossesOf(model, width)).rejects.toThrow(`${weight}[1, 1] in model.safetensors is NaN`);
  });

  it.each(['f16', 'int8'] as const)('float64 is held as %s like the float32 that it is rounded to', async (width) => {
    const model = join(root, `${n++}`);
    await makeVariant(variants.find(({ name }) => name === 'all in f64')!, model);
    expect(await lossesOf(model, width)).toEqual(await lossesOf(folder, width));
  });
});
