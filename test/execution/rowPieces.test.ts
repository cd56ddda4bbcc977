// A model whose matrices are held in pieces of rows computes what it computes with whole ones, forward and backward.
import { describe, expect, it } from 'vitest';
import { type Analysis, analyze } from '../../server/analysis/analyze';
import { generate } from '../../server/execution/decode';
import { forward } from '../../server/execution/forward';
import type { Model } from '../../server/execution/model';
import { packRequests } from '../../server/execution/packing';
import { type Scores, scoreRequests } from '../../server/execution/scoring';
import { withReplaced } from '../../server/execution/weightStore';
import { adaptedModules } from '../../server/model/adapter';
import { pathWithout } from '../../server/model/path';
import { freshMatrices, openAdapterState } from '../../server/training/adapterState';
import { weightedBatches } from '../../server/training/batches';
import { trainStep } from '../../server/training/step';
import { forwardMethodNames } from '../../server/shared/methods';
import { modelFolder } from '../fixtures';
import { noSpecialAdapter } from '../training/setting';
import { deviceOfFile, withModelOn } from './setting';

const device = deviceOfFile(1);
// Analysis and scoring have graphs of one name, which one process never makes on one device.
const deviceOfScoring = deviceOfFile(1);
/** The matrices of stories260k have 16 and 44 KB: two to five pieces each. */
const largestTensorBytes = 12_000;
const sequences = [0, 1].map((s) => Int32Array.from({ length: 40 }, (_, t) => 1 + ((7 * t + 31 * s) % 500)));

/** Of the same work: with matrices in pieces, and with whole ones. */
async function both<T>(
  mode: 'resident' | 'streaming',
  work: (model: Model) => Promise<T>,
  on = device(),
): Promise<[T, T]> {
  const setting = { folder: modelFolder('stories260k'), nSequences: 2, tokensPerSequence: 40, plan: { mode } };
  const held = async (model: Model) => {
    const result = await work(model);
    const weights = on.alive().filter(({ role }) => role === 'weight');
    const largest = Math.max(0, ...weights.filter(({ shape }) => shape[0] !== 512).map(({ nBytes }) => nBytes));
    return { result, largest };
  };
  const pieces = await withModelOn(on, { ...setting, config: { largestTensorBytes } }, held);
  const whole = await withModelOn(on, setting, held);
  if (mode === 'resident') {
    expect(pieces.largest).toBeLessThanOrEqual(largestTensorBytes);
    expect(whole.largest).toBeGreaterThan(largestTensorBytes);
  }
  return [pieces.result, whole.result];
}

/** The largest difference, over the largest number. */
const off = (found: ArrayLike<number>, expected: ArrayLike<number>): number => {
  const numbers = Array.from(expected);
  const scale = Math.max(...numbers.map(Math.abs));
  return Math.max(...numbers.map((x, i) => Math.abs(found[i]! - x) / scale));
};

it.each(['resident', 'streaming'] as const)('has the losses of whole matrices, %s', async (mode) => {
  const [pieces, whole] = await both(mode, (model) => forward(model, sequences));
  expect(off(pieces, whole)).toBeLessThan(1e-6);
});

it('has their scores by every method, those of weights and of gradients too', async () => {
  const methods = [...forwardMethodNames, 'taylor' as const];
  const numbersOf = ({ methods: found }: Analysis) =>
    JSON.stringify(found)
      .match(/-?\d+\.\d+(e-?\d+)?/g)!
      .map(Number);
  const [pieces, whole] = await both('resident', async (model) => numbersOf(await analyze(model, sequences, methods)));
  expect(pieces).toHaveLength(whole.length);
  for (const [i, score] of whole.entries())
    expect(Math.abs(pieces[i]! - score)).toBeLessThan(1e-5 * Math.max(1, score));
});

it('writes what they write', async () => {
  const options = { maxTokens: 15, endIds: [] };
  const [pieces, whole] = await both('resident', (model) => generate(model, [1, 403, 407], options));
  expect(pieces).toEqual(whole);
});

it('scores requests as they do', async () => {
  const ids = (n: number, seed: number) => Array.from({ length: n }, (_, i) => (i * i * 7 + seed * 31 + i) % 512);
  const requests = [1, 2, 3].map((q) => ({ context: [...ids(30, 1), ...ids(4, q)], continuation: ids(3, q + 5) }));
  const [pieces, whole] = await both(
    'resident',
    async (model) => {
      const packed = packRequests(requests, { rowTokens: [64], largestRowTokens: 128, batchTokens: 128 });
      const [scores] = await scoreRequests(model, packed, 3, [pathWithout(model.config)], { groupBytes: 1e9 });
      return (scores as Scores).logLikelihoods;
    },
    deviceOfScoring(),
  );
  expect(off(pieces, whole)).toBeLessThan(1e-6);
});

it('takes weights that replace its own', async () => {
  const name = 'model.layers.2.mlp.down_proj.weight';
  const [pieces, whole] = await both('resident', async (model) => {
    const { shape } = model.checkpoint.weights.get(name)!;
    const data = (await model.checkpoint.readF32(name)).map((x, i) => x * (1 + (i % 7) / 7));
    using store = withReplaced(model.store, model.device, new Map([[name, { data, shape }]]));
    return forward({ ...model, store }, sequences);
  });
  expect(off(pieces, whole)).toBeLessThan(1e-6);
});

describe.each(['keep', 'recompute'] as const)('a step of training, insides of blocks: %s', (activations) => {
  it.each([0, 0.2])('changes the adapter as whole matrices do, dropout %s', async (dropout) => {
    const items = sequences.map((ids) => ({ ids, counted: new Uint8Array(ids.length).fill(1) }));
    const optimizer = {
      ...{ learningRate: 1e-3, schedule: 'constant' as const, warmupSteps: 0, weightDecay: 0.1, clipNorm: 1 },
      ...{ beta1: 0.9, beta2: 0.999, epsilon: 1e-8 },
    };
    const [pieces, whole] = await both('resident', async (model) => {
      const options = { ...noSpecialAdapter, rank: 4, alpha: 8, targets: ['all-linear'] };
      const modules = adaptedModules(model.config, options, null);
      using adapter = await openAdapterState(device(), modules, freshMatrices(modules, 1));
      const how = { optimizer, steps: 2, seed: 5, dropout, activations, batchesAtOnce: 1 };
      const steps = [];
      for (const step of [0, 1]) steps.push(await trainStep(model, adapter, weightedBatches(items, 2), step, how));
      return steps.flatMap(({ lossNats, gradNorm }) => [lossNats, gradNorm]);
    });
    for (const [i, number] of whole.entries()) expect(Math.abs(pieces[i]! / number - 1)).toBeLessThan(1e-5);
  });
});
