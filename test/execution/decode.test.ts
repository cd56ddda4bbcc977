// Generation that ends early leaves nothing behind: keys, values, tables and the state on its way belong to scopes.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Checkpoint, openCheckpoint } from '../../server/checkpoint/checkpoint';
import { type Device, openDevice } from '../../server/runtime/device';
import { type DecodeOptions, generate, generateWithoutCache } from '../../server/execution/decode';
import { planExecution } from '../../server/execution/memoryPlan';
import type { Model } from '../../server/execution/model';
import { topTokens } from '../../server/execution/topTokens';
import { residentStore, streamingStore } from '../../server/execution/weightStore';
import { modelFolder } from '../fixtures';

let device: Device;
let checkpoint: Checkpoint;
beforeAll(async () => {
  device = await openDevice({ provider: 'cpu', threads: 1 });
  checkpoint = await openCheckpoint(modelFolder('stories260k'));
});
afterAll(async () => {
  await checkpoint.close();
  await device.close();
});

/** What became of some work, and how many tensors it left. */
async function leftBy(mode: 'resident' | 'streaming', work: (model: Model) => Promise<unknown>) {
  const { config } = checkpoint;
  const request = { nWindows: 2, tokensPerWindow: 32, keepStates: false, memory: mode, limitBytes: 4e9 } as const;
  const plan = { ...planExecution(config, request), headSliceRows: 200 };
  using store = mode === 'resident' ? residentStore(checkpoint, device) : streamingStore(checkpoint, device);
  const outcome = await work({ checkpoint, config, device, store, plan }).catch((error: Error) => error.message);
  return { outcome, left: device.alive().filter(({ role }) => role !== 'weight').length };
}

const prompt = [1, 403, 407, 261];
const modes = ['resident', 'streaming'] as const;

describe.each(modes)('generation, %s', (mode) => {
  const ways = { 'with a cache': generate, 'without a cache': generateWithoutCache };
  it.each(Object.entries(ways))('%s gives its tensors back', async (_, way) => {
    const { outcome, left } = await leftBy(mode, (model) => way(model, prompt, { maxTokens: 4, endIds: [] }));
    expect(outcome).toHaveLength(4);
    expect(left).toBe(0);
  });

  it.each(Object.entries(ways))('%s gives them back when it is cancelled after some tokens', async (_, way) => {
    for (const at of [1, 3]) {
      const abort = new AbortController();
      let nTokens = 0;
      const onToken = () => void (++nTokens === at && abort.abort());
      const options: DecodeOptions = { maxTokens: 6, endIds: [], signal: abort.signal, onToken };
      const { outcome, left } = await leftBy(mode, (model) => way(model, prompt, options));
      expect([typeof outcome, nTokens, left]).toEqual(['string', at, 0]);
    }
  });

  it('gives them back when it is cancelled within the prompt', async () => {
    const options = { maxTokens: 6, endIds: [], signal: AbortSignal.abort() };
    const { outcome, left } = await leftBy(mode, (model) => generate(model, prompt, options));
    expect([typeof outcome, left]).toEqual(['string', 0]);
  });

  it('gives them back when weights cannot be read', async () => {
    const broken = (model: Model): Model => ({
      ...model,
      store: { ...model.store, run: (steps) => model.store.run([...steps.slice(0, 3), failing(steps[3]!)]) },
    });
    const failing = (step: Parameters<Model['store']['run']>[0][number]) => ({
      ...step,
      visit: () => Promise.reject(new Error('unreadable')),
    });
    const { outcome, left } = await leftBy(mode, (model) =>
      generate(broken(model), prompt, { maxTokens: 2, endIds: [] }),
    );
    expect([outcome, left]).toEqual(['unreadable', 0]);
  });
});

describe.each(modes)('likeliest tokens, %s', (mode) => {
  const windows = [0, 1].map((w) => Int32Array.from({ length: 32 }, (_, i) => (7 * i + 31 * w) % 512));
  const options = { topK: 3, temperature: 1 };

  it('give their tensors back, also when they are cancelled', async () => {
    expect((await leftBy(mode, (model) => topTokens(model, windows, options))).left).toBe(0);
    for (const at of [1, 5, 7]) {
      const abort = new AbortController();
      let runs = 0;
      const onProgress = () => void (++runs === at && abort.abort());
      const cancelled = { ...options, signal: abort.signal, onProgress };
      const { outcome, left } = await leftBy(mode, (model) => topTokens(model, windows, cancelled));
      expect([typeof outcome, runs, left]).toEqual(['string', at, 0]);
    }
  });

  it('give back what was made before embeddings could not be read', async () => {
    const unreadable = () => {
      throw new Error('no embeddings');
    };
    const { outcome, left } = await leftBy(mode, (model) =>
      topTokens({ ...model, checkpoint: { ...model.checkpoint, gatherRowsF32: unreadable } }, windows, options),
    );
    expect([outcome, left]).toEqual(['no embeddings', 0]);
  });
});
