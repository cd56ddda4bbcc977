// Perplexity: the mean over predictions, and a definition in words for every way to cut a text.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ofBlocks } from '../../server/shared/dropSets';
import type { EngineEvent } from '../../server/protocol/engine';
import type { PerplexityRecipe } from '../../server/recipes/perplexity/recipe';
import type { TokenSource } from '../../server/protocol/recipes';
import { modelFolder } from '../fixtures';
import { onCpu, runHere } from '../recipes/runHere';

const model = modelFolder('stories260k');
const root = mkdtempSync(join(tmpdir(), 'perplexity-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const story = join(root, 'story.txt');
writeFileSync(story, Array.from({ length: 60 }, (_, i) => `Once there was a dog who had ${i} red balls.\n`).join(''));

const text = (change: Partial<Extract<TokenSource, { kind: 'text' }>>): TokenSource => ({
  kind: 'text',
  files: [story],
  field: null,
  sequences: null,
  tokens: 64,
  start: 0,
  bos: 'none',
  sampling: 'consecutive',
  seed: 0,
  ...change,
});

const measured = (source: TokenSource, change: Partial<PerplexityRecipe> = {}, events: EngineEvent[] = []) =>
  runHere({ kind: 'perplexity', models: [model], drop: ofBlocks([]), source, compute: onCpu, ...change }, events);

describe('what a perplexity means is said with it', () => {
  const rows: [string, TokenSource, string][] = [
    [
      'no bos',
      text({ sequences: 4 }),
      '4 sequences of 64 tokens, consecutive, stride 64, no bos, 63 predictions a sequence',
    ],
    ['bos before each', text({ sequences: 4, bos: 'each' }), 'consecutive, stride 63, bos before each, 63 predictions'],
    ['as the tokenizer does', text({ sequences: 2, bos: 'tokenizer' }), "the tokenizer's own special tokens"],
    [
      'drawn',
      text({ sequences: 3, sampling: 'random', tokens: 32 }),
      '3 sequences of 32 tokens, drawn at random, no bos',
    ],
  ];
  it.each(rows)('%s', async (_, source, definition) => {
    const { models } = await measured(source);
    expect(models[0]!.definition).toMatch(/^token perplexity, /);
    expect(models[0]!.definition).toContain(definition);
  });
});

describe('the numbers', () => {
  it('are the mean over sequences, its error, and the exponential', async () => {
    const { models, timing } = await measured(text({ sequences: 4 }));
    const { lossNats, lossPerSequence, lossStandardError, perplexity, nTokens } = models[0]!;
    const mean = lossPerSequence.reduce((sum, loss) => sum + loss, 0) / 4;
    const squares = lossPerSequence.reduce((sum, loss) => sum + (loss - mean) ** 2, 0);
    expect(lossNats).toBeCloseTo(mean, 12);
    expect(lossStandardError).toBeCloseTo(Math.sqrt(squares / 3 / 4), 12);
    expect(perplexity).toBe(Math.exp(lossNats));
    expect([nTokens, timing.tokens]).toEqual([256, 256]);
  });

  it('of sequences do not depend on the sequences beside them', async () => {
    const all = (await measured(text({ sequences: 6 }))).models[0]!.lossPerSequence;
    for (const w of [0, 3, 5]) {
      const [alone] = (await measured(text({ sequences: 1, start: 64 * w }))).models[0]!.lossPerSequence;
      expect(alone).toBeCloseTo(all[w]!, 5);
    }
  });

  it('of several models are those of each alone, without each the same drop set', async () => {
    const { models } = await measured(text({ sequences: 2 }), { models: [model, model], drop: ofBlocks([1]) });
    const [first, second] = models;
    expect(second).toEqual(first);
    expect(first).toMatchObject({ dropSet: [1], nBlocks: 4 });
    expect(first!.lossNats).not.toBe((await measured(text({ sequences: 2 }))).models[0]!.lossNats);
  });
});

it('the last model is refused before the first is measured', async () => {
  const events: EngineEvent[] = [];
  await expect(measured(text({}), { models: [model, root] }, events)).rejects.toMatchObject({ code: 'notFound' });
  expect(events).toEqual([]);
});
