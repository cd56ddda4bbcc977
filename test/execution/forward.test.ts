// A pass as others see it: what it tells on its way, how it stops, and that it leaves no tensor behind. The numbers
// themselves are held against transformers in test/model/families.test.ts.
import { describe, expect, it } from 'vitest';
import { isUserError } from '../../server/errors';
import { forward, type ForwardOptions, preload } from '../../server/execution/forward';
import type { MemoryPlan } from '../../server/execution/memoryPlan';
import type { Path } from '../../server/model/path';
import type { Tensor } from '../../server/runtime/tensor';
import { deviceOfFile, leftBy } from './setting';

const sequences = [0, 1, 2, 3, 4].map((w) => Int32Array.from({ length: 32 }, (_, i) => (7 * i + 31 * w) % 512));

const device = deviceOfFile(1);

const whole = (...blocks: number[]): Path => blocks.map((block) => ({ block, sublayers: 'whole' }));

const pass = (mode: MemoryPlan['mode'], options: ForwardOptions = {}) => {
  const plan = { mode, microBatchSequences: 2, groupSequences: 4, headSliceRows: 200 };
  return leftBy(device(), { nSequences: 5, tokensPerSequence: 32, plan }, async (model) => {
    await preload(model, options.path);
    return await forward(model, sequences, options).catch((error: unknown) => {
      if (isUserError(error)) return error.code;
      throw error;
    });
  });
};

describe.each(['resident', 'streaming'] as const)('a pass, %s', (mode) => {
  it('leaves no tensor behind', async () => {
    const { outcome, left } = await pass(mode);
    expect(outcome).toHaveLength(5);
    expect([left, device().alive().length]).toEqual([0, 0]);
  });

  it('tells how far it is, up to the end', async () => {
    const fractions: number[] = [];
    await pass(mode, { onProgress: (fraction) => fractions.push(fraction) });
    // Three micro-batches through five blocks and three slices of the head.
    expect(fractions).toHaveLength(3 * (5 + 3));
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(fractions[0]).toBeGreaterThan(0);
    expect(fractions.at(-1)).toBeCloseTo(1, 12);
  });

  it('counts only the blocks it passes', async () => {
    const fractions: number[] = [];
    await pass(mode, { path: whole(0, 4), onProgress: (fraction) => fractions.push(fraction) });
    expect(fractions).toHaveLength(3 * (2 + 3));
    expect(fractions.at(-1)).toBeCloseTo(1, 12);
  });

  it.each([1, 7, 14, 24])('stops after run %i when it is cancelled there, and leaves nothing behind', async (at) => {
    const controller = new AbortController();
    let runs = 0;
    const onProgress = () => {
      if (++runs === at) controller.abort();
    };
    const { outcome, left } = await pass(mode, { onProgress, signal: controller.signal });
    expect([outcome, runs, left, device().alive().length]).toEqual(['cancelled', at, 0, 0]);
  });

  it('shows every block its weights once, in order', async () => {
    const seen: [number, number][] = [];
    const weights = async (block: number, { 'mlp.up_proj.weight': up }: Readonly<Record<string, Tensor>>) =>
      void seen.push([block, up!.shape[0]!]);
    await pass(mode, { path: whole(0, 2, 3), observer: { weights } });
    expect(seen).toEqual([0, 2, 3].map((block) => [block, 172]));
  });

  it('shows all hidden states of each micro-batch, and takes them back', async () => {
    const seen: string[] = [];
    const states = async (
      all: readonly Tensor[],
      { firstSequence, batch }: { firstSequence: number; batch: number },
    ) => {
      expect(all.every((state) => device().alive().includes(state))).toBe(true);
      seen.push(`${firstSequence}+${batch}: ${all.length} of ${all[0]!.shape}`);
    };
    const { left } = await pass(mode, { observer: { states } });
    expect(seen).toEqual(['0+2: 6 of 64,64', '2+2: 6 of 64,64', '4+1: 6 of 32,64']);
    expect([left, device().alive().length]).toEqual([0, 0]);
  });

  it('leaves nothing behind when an observer fails', async () => {
    const observer = { weights: () => Promise.reject(new Error('observer failed')) };
    await expect(pass(mode, { observer })).rejects.toThrow('observer failed');
    expect(device().alive().length).toBe(0);
  });
});
