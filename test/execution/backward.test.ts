// There and back through whole tiny models, from token embeddings to the loss, against difference quotients of the same model
// in float64; and that a walk leaves nothing behind, however it ends.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../server/checkpoint/checkpoint';
import { configWithoutBlocks } from '../../server/checkpoint/configWithoutBlocks';
import { writeRandomCheckpoint } from '../../server/checkpoint/randomCheckpoint';
import { isUserError } from '../../server/errors';
import { type Shape, size } from '../../server/graph/value';
import { type AdaptedModule, adaptedModules, moduleKey } from '../../server/model/adapter';
import { gradientOf } from '../../server/model/blockGradient';
import { logitsSlice } from '../../server/model/head';
import { blockParts } from '../../server/model/block';
import { matrixA, matrixB } from '../../server/model/lora';
import { pathWithout } from '../../server/model/path';
import { rotaryTables } from '../../server/model/rope';
import { blockWeightName, blockWeights, embeddingName, finalNormName, headName } from '../../server/model/weights';
import { type Device, openDevice } from '../../server/runtime/device';
import { type AdapterState, openAdapterState } from '../../server/training/adapterState';
import { type BackwardOptions, lossAndGradients } from '../../server/execution/backward';
import type { WeightedBatch } from '../../server/execution/headLossGradient';
import { planExecution } from '../../server/execution/memoryPlan';
import { residentStore, streamingStore } from '../../server/execution/weightStore';
import { repoRoot } from '../fixtures';
import { dot } from '../graph/differences';
import { evaluate, someNumbers } from '../graph/evaluate';
import { noSpecialAdapter } from '../training/setting';

const V = 61;
const batchOf = (batch: number, tokens: number, seed: number): WeightedBatch => ({
  batch,
  tokens,
  ids: Int32Array.from({ length: batch * tokens }, (_, i) => (17 * i + seed) % V),
  // Some count more than others, and every fourth not at all.
  weights: Float32Array.from({ length: batch * (tokens - 1) }, (_, i) => (i % 4 === 3 ? 0 : (1 + (i % 3)) / 40)),
});
const batches = [batchOf(2, 6, 1), batchOf(1, 9, 5), batchOf(2, 6, 30)];

let device: Device;
beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
afterAll(() => device.close());

/** Small enough that the plain loops take little. */
const narrow = { hidden_size: 16, intermediate_size: 12, num_attention_heads: 2, num_key_value_heads: 1, head_dim: 4 };
const rows = [
  { family: 'llama-bias', change: {} },
  { family: 'qwen3', change: {} },
  { family: 'gemma2', change: narrow },
  { family: 'granite', change: narrow },
];

describe.each(rows)('$family of two random blocks', ({ family, change }) => {
  const root = mkdtempSync(join(tmpdir(), 'backward-'));
  let checkpoint: Checkpoint;
  let modules: AdaptedModule[];
  let adapter: AdapterState;
  /** All numbers of the model, weights by their names in the checkpoint and matrices by block and name. */
  const numbers = new Map<string, Float64Array>();
  const shapes = new Map<string, Shape>();

  beforeAll(async () => {
    const json = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/families', family, 'config.json'), 'utf8'));
    const configJson = configWithoutBlocks({ ...json, ...change }, [0, 1], 'f32');
    await writeRandomCheckpoint({
      configJson,
      tokenizerFolder: null,
      out: join(root, 'model'),
      seed: 1,
      maxShardBytes: 1e9,
    });
    checkpoint = await openCheckpoint(join(root, 'model'));
    const { config } = checkpoint;
    modules = adaptedModules(config, { ...noSpecialAdapter, rank: 2, alpha: 6, targets: ['all-linear'] }, null);
    const random = (n: number, seed: number) => someNumbers(n, seed).map((x) => x / 8);
    const matrices = new Map(
      modules.map(({ rank, inFeatures, outFeatures, ...module }, i) => [
        moduleKey({ ...module, inFeatures, outFeatures }),
        { a: random(rank * inFeatures, i), b: random(outFeatures * rank, 1000 + i) },
      ]),
    );
    adapter = await openAdapterState(device, modules, matrices);
    for (const name of checkpoint.weights.keys()) numbers.set(name, Float64Array.from(await checkpoint.readF32(name)));
    for (const module of modules) {
      const { a, b } = matrices.get(moduleKey(module))!;
      numbers.set(blockWeightName(module.block, matrixA(module.suffix)), Float64Array.from(a));
      numbers.set(blockWeightName(module.block, matrixB(module.suffix)), Float64Array.from(b));
    }
    for (const block of [0, 1]) {
      for (const { suffix, shape } of blockWeights(config)) shapes.set(blockWeightName(block, suffix), shape);
      for (const [name, shape] of Object.entries(adapter.shapes(block)))
        shapes.set(blockWeightName(block, name), shape);
    }
  });
  afterAll(async () => {
    adapter[Symbol.dispose]();
    await checkpoint.close();
    await device.forgetPrograms(); // they are compiled for one model's shapes
    rmSync(root, { recursive: true, force: true });
    expect(device.alive().length).toBe(0);
  });

  /** The loss of all batches, in float64, with some of the numbers changed. */
  function plainLoss(changed: ReadonlyMap<string, Float64Array> = new Map()): number {
    const { config } = checkpoint;
    const { width: D, headWidth: E, tiedEmbeddings, form } = config;
    const at = (name: string) => changed.get(name) ?? numbers.get(name)!;
    let loss = 0;
    for (const batch of batches) {
      const { tokens: T, ids, weights } = batch;
      const tables = rotaryTables(config, T);
      const positions = BigInt64Array.from(ids, (_, i) => BigInt(i % T));
      let hidden: Float64Array = Float64Array.from(
        [...ids].flatMap((id) => [...at(embeddingName).subarray(id * D, (id + 1) * D)]),
      ).map((x) => x * form.scales.embedding);
      for (const stage of pathWithout(config)) {
        const { hiddenOut } = blockParts(config, stage, batch, {
          adapters: { layers: adapter.layers(stage.block), dropout: false },
        });
        const names = [...shapes.keys()].filter((name) => name.startsWith(blockWeightName(stage.block, '')));
        const own = names.map((name) => [name.slice(blockWeightName(stage.block, '').length), at(name)]);
        const feeds = { ...Object.fromEntries(own), hidden, positions, ...tables };
        hidden = evaluate({ name: 'block', outputs: { hiddenOut } }, feeds).hiddenOut!.data;
      }
      expect(tables.cos).toHaveLength((T * E) / 2);
      const head = at(tiedEmbeddings ? embeddingName : headName);
      const graph = logitsSlice(config, ids.length, V);
      const logits = evaluate(graph, { hidden, norm: at(finalNormName), head }).logits!.data;
      for (const [i, weight] of weights.entries()) {
        const place = Math.floor(i / (T - 1)) * T + (i % (T - 1));
        const row = logits.subarray(place * V, (place + 1) * V);
        loss += weight * (Math.log(row.reduce((sum, x) => sum + Math.exp(x), 0)) - row[ids[place + 1]!]!);
      }
    }
    return loss;
  }

  type Mode = 'resident' | 'streaming';
  /** In a segment the last block is one graph with the head. */
  const optionsOf = {
    recompute: { activations: 'recompute' },
    keep: { activations: 'keep' },
    segment: { activations: 'keep', segmentBlocks: 1 },
  } as const;
  type Way = keyof typeof optionsOf;
  async function walk(mode: Mode, way: Way, change: Partial<BackwardOptions> = {}, which = batches) {
    const { config } = checkpoint;
    const request = { nSequences: 2, tokensPerSequence: 9, keepStates: false, memory: mode, limitBytes: 4e9 };
    const plan = { ...planExecution(config, request), headSliceRows: 25 };
    const store = mode === 'resident' ? residentStore(checkpoint, device) : streamingStore(checkpoint, device);
    const before = device.alive().length;
    const sums = new Map<string, Float64Array>();
    try {
      const loss = await lossAndGradients({ checkpoint, config, device, store, plan }, which, {
        adapters: adapter,
        wrt: (block) => [...blockWeights(config).map(({ suffix }) => suffix), ...Object.keys(adapter.shapes(block))],
        async take(block, gradients) {
          for (const [output, tensor] of Object.entries(gradients)) {
            const name = blockWeightName(block, output.slice(gradientOf('').length));
            expect(tensor.shape).toEqual(shapes.get(name));
            const sum = sums.get(name) ?? new Float64Array(size(tensor.shape));
            for (const [i, x] of (await device.read(tensor)).entries()) sum[i]! += x;
            sums.set(name, sum);
          }
        },
        ...optionsOf[way],
        ...change,
      }).catch((error: unknown) => {
        if (isUserError(error)) return error.code;
        throw error;
      });
      return { loss, sums };
    } finally {
      store[Symbol.dispose]();
      expect(device.alive()).toHaveLength(before);
    }
  }

  it('has the loss and the gradients by every weight and matrix', async () => {
    const { loss, sums } = await walk('resident', 'recompute');
    const expected = plainLoss();
    expect(Math.abs((loss as number) / expected - 1)).toBeLessThan(1e-6);
    expect([...sums.keys()].sort()).toEqual([...shapes.keys()].sort());
    let worst = { name: '', error: -1 };
    for (const [i, [name, sum]] of [...sums].entries()) {
      const direction = Float64Array.from(someNumbers(sum.length, i));
      const step = 1e-5;
      const along = (sign: number) =>
        plainLoss(new Map([[name, numbers.get(name)!.map((x, j) => x + sign * step * direction[j]!)]]));
      const numeric = (along(1) - along(-1)) / (2 * step);
      // A product with a random direction may lie near zero: how far it is off counts against a typical one.
      const typical = Math.hypot(...sum) * 1.15;
      const error = Math.abs(dot(sum, direction) - numeric) / Math.max(typical, Math.abs(numeric));
      if (error > worst.error) worst = { name, error };
      // All keys moved alike change no softmax: the gradient by their bias is zero, and what is found is rounding.
      if (Math.abs(numeric) > 1e-9) expect(error, name).toBeLessThan(1e-3);
    }
    console.log(
      `${family}: by ${sums.size} weights and matrices within ${worst.error.toExponential(1)} (${worst.name})`,
    );
  });

  const ways: [Mode, Way][] = [
    ['resident', 'recompute'],
    ['resident', 'keep'],
    ['resident', 'segment'],
    ['streaming', 'recompute'],
    ['streaming', 'keep'],
  ];
  it.each(ways)('has the same, %s and %s, together and one batch after the other', async (mode, way) => {
    const expected = await walk('resident', 'recompute');
    const together = await walk(mode, way);
    let alone = 0;
    const sums = new Map<string, Float64Array>();
    for (const batch of batches) {
      const one = await walk(mode, way, {}, [batch]);
      alone += one.loss as number;
      for (const [name, x] of one.sums) sums.set(name, sums.get(name)?.map((y, i) => y + x[i]!) ?? x);
    }
    expect(together.loss).toBe(expected.loss);
    expect(alone).toBeCloseTo(expected.loss as number, 12);
    for (const [name, sum] of expected.sums) {
      const largest = Math.max(...sum.map(Math.abs));
      for (const found of [together.sums, sums])
        for (const [i, x] of found.get(name)!.entries())
          expect(Math.abs(x - sum[i]!), name).toBeLessThanOrEqual(1e-5 * largest + 1e-9);
    }
  });

  it.each(ways.flatMap(([mode, way]) => [0, 1].map((only): [number, Mode, Way] => [only, mode, way])))(
    'differentiates with respect to block %d alone, %s and %s',
    async (only, mode, way) => {
      const name = 'mlp.down_proj.weight';
      const told: number[] = [];
      const take: BackwardOptions['take'] = async (block, { [gradientOf(name)]: gradient }) => {
        told.push(block);
        const found = await device.read(gradient!);
        sum = sum.map((x, i) => x + found[i]!);
      };
      let sum = new Float64Array(size(shapes.get(blockWeightName(only, name))!));
      await walk(mode, way, { wrt: (block) => (block === only ? [name] : []), take });
      const expected = (await walk(mode, way)).sums.get(blockWeightName(only, name))!;
      expect(told).toEqual(batches.map(() => only));
      expect(Math.hypot(...sum.map((x, i) => x - expected[i]!)) / Math.hypot(...expected)).toBeLessThan(1e-5);
    },
  );

  it.each(ways)('leaves nothing behind when it is cancelled or its taker fails, %s and %s', async (mode, way) => {
    // Three batches: six runs up, nine over the three slices of the head, six down; half of those up and down in a segment.
    for (const at of way === 'segment' ? [1, 3, 4, 8, 12, 13, 15] : [1, 4, 6, 8, 14, 15, 16, 21]) {
      const controller = new AbortController();
      let runs = 0;
      const onProgress = () => void (++runs === at && controller.abort());
      const { loss } = await walk(mode, way, { onProgress, signal: controller.signal });
      expect([loss, runs]).toEqual(['cancelled', at]);
    }
    const take: BackwardOptions['take'] = () => Promise.reject(new Error('no room'));
    await expect(walk(mode, way, { take })).rejects.toThrow('no room');
  });
});
