// Generation that ends early leaves nothing behind: keys, values, tables and the state on its way belong to scopes.
import { describe, expect, it } from 'vitest';
import { type DecodeOptions, generate, generateWithoutCache } from '../../server/execution/decode';
import type { MemoryPlan } from '../../server/execution/memoryPlan';
import type { Model } from '../../server/execution/model';
import { topTokens } from '../../server/execution/topTokens';
import { deviceOfFile, leftBy } from './setting';

const device = deviceOfFile(1);

/** What became of some work, and how many tensors it left. */
const leftByWork = (mode: MemoryPlan['mode'], work: (model: Model) => Promise<unknown>) =>
  leftBy(device(), { nSequences: 2, tokensPerSequence: 32, plan: { mode, headSliceRows: 200 } }, (model) =>
    work(model).catch((error: Error) => error.message),
  );

const prompt = [1, 403, 407, 261];
const modes = ['resident', 'streaming'] as const;

describe.each(modes)('generation, %s', (mode) => {
  const ways = { 'with a cache': generate, 'without a cache': generateWithoutCache };
  it.each(Object.entries(ways))('%s gives its tensors back', async (_, way) => {
    const { outcome, left } = await leftByWork(mode, (model) => way(model, prompt, { maxTokens: 4, endIds: [] }));
    expect(outcome).toHaveLength(4);
    expect(left).toBe(0);
  });

  it.each(Object.entries(ways))('%s gives them back when it is cancelled after some tokens', async (_, way) => {
    for (const at of [1, 3]) {
      const abort = new AbortController();
      let nTokens = 0;
      const onToken = () => void (++nTokens === at && abort.abort());
      const options: DecodeOptions = { maxTokens: 6, endIds: [], signal: abort.signal, onToken };
      const { outcome, left } = await leftByWork(mode, (model) => way(model, prompt, options));
      expect([typeof outcome, nTokens, left]).toEqual(['string', at, 0]);
    }
  });

  it('gives them back when it is cancelled within the prompt', async () => {
    const options = { maxTokens: 6, endIds: [], signal: AbortSignal.abort() };
    const { outcome, left } = await leftByWork(mode, (model) => generate(model, prompt, options));
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
    const { outcome, left } = await leftByWork(mode, (model) =>
      generate(broken(model), prompt, { maxTokens: 2, endIds: [] }),
    );
    expect([outcome, left]).toEqual(['unreadable', 0]);
  });
});

describe.each(modes)('likeliest tokens, %s', (mode) => {
  const sequences = [0, 1].map((w) => Int32Array.from({ length: 32 }, (_, i) => (7 * i + 31 * w) % 512));
  const options = { topK: 3, temperature: 1 };

  it('give their tensors back, also when they are cancelled', async () => {
    expect((await leftByWork(mode, (model) => topTokens(model, sequences, options))).left).toBe(0);
    for (const at of [1, 5, 7]) {
      const abort = new AbortController();
      let runs = 0;
      const onProgress = () => void (++runs === at && abort.abort());
      const cancelled = { ...options, signal: abort.signal, onProgress };
      const { outcome, left } = await leftByWork(mode, (model) => topTokens(model, sequences, cancelled));
      expect([typeof outcome, runs, left]).toEqual(['string', at, 0]);
    }
  });

  it('give back what was made before embeddings could not be read', async () => {
    const unreadable = () => {
      throw new Error('no embeddings');
    };
    const { outcome, left } = await leftByWork(mode, (model) =>
      topTokens({ ...model, checkpoint: { ...model.checkpoint, gatherRowsF32: unreadable } }, sequences, options),
    );
    expect([outcome, left]).toEqual(['no embeddings', 0]);
  });
});
