// Steps of training on the tiny model: the same whatever way they are computed, harmless where a number is lost, and AdamW's
// change as torch's loop makes it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../server/checkpoint/checkpoint';
import { type AdaptedModule, adaptedModules } from '../../server/model/adapter';
import { gradientOf } from '../../server/model/blockGradient';
import type { OptimizerOptions } from '../../server/recipes/heal/trainingOptions';
import { type Device, openDevice } from '../../server/runtime/device';
import { adamwStep, firstMoment, next, secondMoment, stepScalars, sumsOfSquares } from '../../server/training/adamw';
import { type AdapterState, freshMatrices, openAdapterState } from '../../server/training/adapterState';
import { type CountedSequence, weightedBatches } from '../../server/training/batches';
import { type StepOptions, trainStep } from '../../server/training/step';
import { planExecution } from '../../server/execution/memoryPlan';
import type { Model } from '../../server/execution/model';
import { residentStore, streamingStore } from '../../server/execution/weightStore';
import { modelFolder } from '../fixtures';
import { evaluate, someNumbers } from '../graph/evaluate';
import { noSpecialAdapter } from './setting';

const optimizer: OptimizerOptions = {
  learningRate: 1e-3,
  schedule: 'constant',
  warmupSteps: 0,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.1,
  clipNorm: 1,
};
const options: StepOptions = {
  optimizer,
  steps: 3,
  seed: 5,
  dropout: 0.2,
  activations: 'keep',
  batchesAtOnce: 1,
};
const sequence = (length: number, seed: number): CountedSequence => ({
  ids: Int32Array.from({ length }, (_, i) => (7 * i * i + 31 * i + seed) % 512),
  counted: Uint8Array.from({ length }, (_, i) => (i > length / 4 ? 1 : 0)),
});
const sequences = [0, 1, 2, 3].map((w) => sequence(32, 13 * w));

let device: Device;
let checkpoint: Checkpoint;
let modules: AdaptedModule[];
beforeAll(async () => {
  device = await openDevice({ provider: 'cpu', threads: 1 });
  checkpoint = await openCheckpoint(modelFolder('stories260k'));
  modules = adaptedModules(
    checkpoint.config,
    { ...noSpecialAdapter, rank: 4, alpha: 8, targets: ['q_proj', 'o_proj', 'down_proj'] },
    null,
  );
});
afterAll(async () => {
  await checkpoint.close();
  await device.close();
});

interface Way {
  memory?: 'resident' | 'streaming';
  /** Sequences of a micro-batch. */
  each?: number;
  items?: readonly CountedSequence[];
  change?: Partial<StepOptions>;
}

/** Some work with a fresh adapter; then nothing may be left. */
async function withAdapter<T>({ memory = 'resident' }: Way, work: (model: Model, adapter: AdapterState) => Promise<T>) {
  const { config } = checkpoint;
  const request = { nSequences: 4, tokensPerSequence: 32, keepStates: false, memory, limitBytes: 4e9 };
  const store = memory === 'resident' ? residentStore(checkpoint, device) : streamingStore(checkpoint, device);
  const adapter = await openAdapterState(device, modules, freshMatrices(modules, 1));
  try {
    return await work({ checkpoint, config, device, store, plan: planExecution(config, request) }, adapter);
  } finally {
    adapter[Symbol.dispose]();
    store[Symbol.dispose]();
    expect(device.alive().length).toBe(0);
  }
}

/** Three steps and all numbers of the adapter after them. */
const trained = (way: Way = {}) =>
  withAdapter(way, async (model, adapter) => {
    const { each = 2, items = sequences, change = {} } = way;
    const steps = [];
    for (const step of [0, 1, 2])
      steps.push(await trainStep(model, adapter, weightedBatches(items, each), step, { ...options, ...change }));
    return { steps, numbers: await adapter.save() };
  });

type Trained = Awaited<ReturnType<typeof trained>>;
/**
 * The largest difference of losses, norms and matrices, each over its own length. Not of single numbers: Adam makes the same
 * of all gradients, also of one that is little more than rounding.
 */
function largestOff(found: Trained, expected: Trained): number {
  let worst = 0;
  for (const [s, { lossNats, gradNorm }] of expected.steps.entries()) {
    const step = found.steps[s]!;
    worst = Math.max(worst, Math.abs(step.lossNats / lossNats - 1), Math.abs(step.gradNorm / gradNorm - 1));
  }
  for (const [name, values] of expected.numbers) {
    if (!/ \S+\.lora_[AB]$/.test(name) || name.includes('moment')) continue;
    const other = found.numbers.get(name)!;
    worst = Math.max(worst, Math.hypot(...values.map((x, i) => other[i]! - x)) / Math.hypot(...values));
  }
  return worst;
}

describe('steps with dropout', () => {
  let expected: Trained;
  beforeAll(async () => void (expected = await trained()));

  it('learn', () => {
    for (const { lossNats, gradNorm } of expected.steps) expect(lossNats * gradNorm).toBeGreaterThan(0);
    expect(expected.numbers.get('0 self_attn.q_proj.lora_B')!.some((x) => x !== 0)).toBe(true);
  });

  it.each<Way>([
    { change: { activations: 'keep', batchesAtOnce: 2 } },
    { memory: 'streaming', change: { batchesAtOnce: 2 } },
    { memory: 'streaming' },
  ])('are equal to the last bit, $memory, $change', async (way) => {
    expect(await trained(way)).toEqual(expected);
  });

  it.each<Way>([
    { change: { activations: 'recompute' } },
    { change: { activations: 'recompute', batchesAtOnce: 2 } },
    { memory: 'streaming', change: { activations: 'recompute', batchesAtOnce: 2 } },
  ])('are the same but for rounding, $memory, $change', async (way) => {
    expect(largestOff(await trained(way), expected)).toBeLessThan(1e-5);
  });

  it('depend on the seed, and on whether anything is dropped', async () => {
    for (const change of [{ seed: 6 }, { dropout: 0 }, { dropout: 0.3 }])
      expect(largestOff(await trained({ change }), expected)).toBeGreaterThan(1e-4);
  });
});

describe('steps without dropout', () => {
  const change = { dropout: 0 };

  it.each([4, 3, 1])('are the same with %d sequences together as with 2', async (each) => {
    const off = largestOff(await trained({ each, change }), await trained({ each: 2, change }));
    console.log(`${each} sequences together: off by ${off.toExponential(1)}`);
    expect(off).toBeLessThan(1e-5);
  });

  it('are the same with sequences that are filled up as with each alone', async () => {
    const items = [sequence(32, 1), sequence(20, 2), sequence(27, 3)];
    expect(
      largestOff(await trained({ items, each: 3, change }), await trained({ items, each: 1, change })),
    ).toBeLessThan(1e-5);
  });
});

describe('a step that loses its numbers', () => {
  it.each<[string, number]>([
    ['the loss', Number.POSITIVE_INFINITY],
    ['the gradient', 1e30], // its squares are beyond float32
  ])('leaves the adapter as it was: %s', async (what, weight) => {
    await withAdapter({}, async (model, adapter) => {
      await trainStep(model, adapter, weightedBatches(sequences, 2), 0, options);
      const before = await adapter.save();
      const batches = weightedBatches(sequences, 2).map((it) => ({
        ...it,
        weights: it.weights.map((w) => w * weight),
      }));
      const step = trainStep(model, adapter, batches, 1, options);
      if (what === 'the loss') await expect(step).rejects.toMatchObject({ code: 'notFinite' });
      else expect(await step).toMatchObject({ lossNats: expect.any(Number), gradNorm: Number.POSITIVE_INFINITY });
      expect(await adapter.save()).toEqual(before);
    });
  });

  it('leaves nothing behind when it is cancelled', async () => {
    await withAdapter({ memory: 'streaming' }, async (model, adapter) => {
      const before = [await adapter.save(), device.alive().length] as const;
      for (const at of [1, 7, 15, 20]) {
        const controller = new AbortController();
        let runs = 0;
        const onProgress = () => void (++runs === at && controller.abort());
        const cancelled = { ...options, signal: controller.signal, onProgress };
        const step = trainStep(model, adapter, weightedBatches(sequences, 2), 0, cancelled);
        await expect(step).rejects.toMatchObject({ code: 'cancelled' });
      }
      expect([await adapter.save(), device.alive().length]).toEqual(before);
    });
  });
});

describe("AdamW's change", () => {
  const shapes = { W: [3, 4], b: [5] };
  const names = Object.keys(shapes) as (keyof typeof shapes)[];
  const sizes = { W: 12, b: 5 };

  it.each([
    { weightDecay: 0, epsilon: 1e-8, clip: 1, beta2: 0.999 },
    { weightDecay: 0.1, epsilon: 1e-8, clip: 1, beta2: 0.999 },
    { weightDecay: 0.3, epsilon: 0.5, clip: 0.25, beta2: 0.9 },
  ])("over five steps is torch's: $weightDecay, $epsilon, $clip, $beta2", ({ weightDecay, epsilon, clip, beta2 }) => {
    const constants = { beta1: 0.9, beta2, epsilon };
    const graph = adamwStep(shapes, constants);
    const start = (name: keyof typeof shapes, seed: number) => Float64Array.from(someNumbers(sizes[name], seed));
    const state: Record<string, Float64Array> = {};
    for (const [i, name] of names.entries()) {
      state[name] = start(name, i);
      state[firstMoment(name)] = new Float64Array(sizes[name]);
      state[secondMoment(name)] = new Float64Array(sizes[name]);
    }
    const plain = Object.fromEntries(names.map((name) => [name, state[name]!.slice()]));
    const m = Object.fromEntries(names.map((name) => [name, new Float64Array(sizes[name])]));
    const v = Object.fromEntries(names.map((name) => [name, new Float64Array(sizes[name])]));
    for (let step = 0; step < 5; step++) {
      const rate = 0.01 * (step + 1);
      const gradients = Object.fromEntries(names.map((name, i) => [name, start(name, 50 + 10 * step + i)]));
      const scalars = Object.entries(stepScalars({ ...constants, weightDecay }, rate, step, clip));
      const after = evaluate(graph, {
        ...state,
        ...Object.fromEntries(names.map((name) => [gradientOf(name), gradients[name]!])),
        ...Object.fromEntries(scalars.map(([name, x]) => [name, Float64Array.of(x)])),
      });
      for (const name of names)
        for (const of of [name, firstMoment(name), secondMoment(name)]) state[of] = after[next(of)]!.data;
      // torch.optim.AdamW, single tensor: decay, then moments, then the change with both corrections.
      for (const name of names)
        for (let i = 0; i < sizes[name]; i++) {
          const g = clip * gradients[name]![i]!;
          plain[name]![i]! *= 1 - rate * weightDecay;
          m[name]![i] = 0.9 * m[name]![i]! + 0.1 * g;
          v[name]![i] = beta2 * v[name]![i]! + (1 - beta2) * g * g;
          const corrected = m[name]![i]! / (1 - 0.9 ** (step + 1));
          const spread = Math.sqrt(v[name]![i]!) / Math.sqrt(1 - beta2 ** (step + 1));
          plain[name]![i]! -= (rate * corrected) / (spread + epsilon);
        }
    }
    // The graph's constants are float32.
    for (const name of names) for (const [i, x] of plain[name]!.entries()) expect(state[name]![i]).toBeCloseTo(x, 6);
  });

  it('is made after a norm over all gradients', () => {
    const feeds = Object.fromEntries(
      names.map((name) => [gradientOf(name), Float64Array.from(someNumbers(sizes[name], 3))]),
    );
    const squares = Object.values(feeds).reduce((sum, x) => sum + x.reduce((s, y) => s + y * y, 0), 0);
    expect(evaluate(sumsOfSquares([shapes]), feeds).sums!.data[0]).toBeCloseTo(squares, 12);
  });
});
