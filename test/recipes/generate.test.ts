// Greedy text: llama2.c's published output to the character, the same with and without the cache, and where it ends.
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ofBlocks } from '../../server/shared/dropSets';
import type { GenerateRecipe } from '../../server/recipes/generate/recipe';
import { openTokenizer } from '../../server/tokenizer/tokenizer';
import { available, long, modelFolder } from '../fixtures';
import { onCpu, runHere } from './runHere';

const stories = modelFolder('stories260k');
const smollm2 = modelFolder('smollm2-135m');
const root = mkdtempSync(join(tmpdir(), 'generate-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** `run stories260K.bin -t 0 -n 200`, published with llama2.c. It counts a step for every token that follows the bos. */
const published = `Once upon a time, there was a little girl named Lily. She loved to play outside in the park. One day, she saw a big, red ball. She wanted to play with it, but it was too high.
Lily's mom said, "Lily, let's go to the park." Lily was sad and didn't know what to do. She said, "I want to play with your ball, but I can't find it."
Lily was sad and didn't know what to do. She said, "I'm sorry, Lily. I didn't know what to do."
Lily didn't want to help her mom, so she`;
const publishedSteps = 200;

const generate = (recipe: Partial<GenerateRecipe>, events: Parameters<typeof runHere>[1] = []) =>
  runHere(
    {
      kind: 'generate',
      model: stories,
      prompt: '',
      maxTokens: publishedSteps,
      drop: ofBlocks([]),
      bos: 'tokenizer',
      cache: true,
      compute: onCpu,
      ...recipe,
    },
    events,
  );

describe('stories260k writes what llama2.c writes', () => {
  it.each([
    ['with the cache', {}],
    ['without the cache', { cache: false }],
    ['with weights streamed', { compute: { ...onCpu, memory: 'streaming' as const } }],
    ['on one thread', { compute: { ...onCpu, threads: 1 } }],
  ])('%s', async (_, how) => {
    const report = await generate(how);
    expect(report.text).toBe(published);
    expect(report).toMatchObject({ nPromptTokens: 1, nNewTokens: publishedSteps, stoppedBy: 'maxTokens' });
  });

  it('step by step: as many tokens less, as much text less', async () => {
    const { text } = await generate({ maxTokens: publishedSteps - 1 });
    expect(text).toBe(published.slice(0, -' she'.length));
  });

  it.each([true, false])('from the middle on, when its beginning is the prompt (cache: %s)', async (cache) => {
    const beginning = published.slice(0, published.indexOf(' One day'));
    const { text, nPromptTokens } = await generate({ prompt: beginning, bos: 'each', maxTokens: 60, cache });
    expect(nPromptTokens).toBeGreaterThan(20);
    expect(text.length).toBeGreaterThan(100);
    expect(published).toContain(beginning + text);
  });

  it('piece by piece as it comes', async () => {
    const events: NonNullable<Parameters<typeof runHere>[1]> = [];
    await generate({}, events);
    const pieces = events.flatMap((event) => (event.kind === 'text' ? [event.text] : []));
    expect(pieces.length).toBeGreaterThan(publishedSteps / 2);
    expect(pieces.join('')).toBe(published);
  });
});

describe('the end', () => {
  /** The same model, with another token for the end of the text. */
  /** @param file that says it; generation_config.json goes before config.json where it is there */
  async function endingWith(piece: string, file: 'config.json' | 'generation_config.json'): Promise<string> {
    const folder = mkdtempSync(join(root, 'ending-'));
    cpSync(stories, folder, { recursive: true });
    const content = JSON.parse(readFileSync(join(stories, file), 'utf8'));
    if (file === 'config.json') rmSync(join(folder, 'generation_config.json'));
    const tokenizer = await openTokenizer(stories);
    const id = (await tokenizer.encode(piece, { addSpecialTokens: false })).at(-1);
    writeFileSync(join(folder, file), JSON.stringify({ ...content, eos_token_id: [511, id] }));
    return folder;
  }

  it.each([
    [true, 'generation_config.json'],
    [true, 'config.json'],
    [false, 'config.json'],
  ] as const)('comes with the end-of-text token, which is not shown (cache: %s, said by %s)', async (cache, file) => {
    const report = await generate({ model: await endingWith('park.', file), cache });
    expect(report.text).toBe(published.slice(0, published.indexOf('.')));
    expect(report.stoppedBy).toBe('endOfText');
    expect(report.nNewTokens).toBeLessThan(publishedSteps);
  });

  it.each([
    ['one token too many from nothing', { maxTokens: 512 }],
    ['one token too many after a prompt', { prompt: 'Once upon a time', bos: 'each' as const, maxTokens: 508 }],
  ])('the context is kept: %s', async (_, recipe) => {
    const events: NonNullable<Parameters<typeof runHere>[1]> = [];
    await expect(generate(recipe, events)).rejects.toMatchObject({
      code: 'badData',
      message: expect.stringMatching(/^The prompt has \d tokens .* context of 512; ask for fewer --max-tokens\.$/),
    });
    expect(events).toEqual([]);
  });

  it('the context is used to its last token', async () => {
    const { nPromptTokens, nNewTokens } = await generate({ maxTokens: 511 });
    expect(nPromptTokens + nNewTokens).toBe(512);
  });
});

describe('a drop set', () => {
  it.each([
    ['the first', [0]],
    ['one in the middle', [3]],
    ['two', [1, 3]],
  ])('is left out: %s', async (_, drop) => {
    const [cached, uncached] = [
      await generate({ drop: ofBlocks(drop), maxTokens: 60 }),
      await generate({ drop: ofBlocks(drop), maxTokens: 60, cache: false }),
    ];
    expect(cached.text).toBe(uncached.text);
    expect(cached.dropSet).toEqual(drop);
    expect(published.startsWith(cached.text)).toBe(false);
  });

  it('gives what the pruned folder gives', async () => {
    const out = join(root, 'pruned');
    await runHere({
      kind: 'prune',
      model: stories,
      rule: { kind: 'chosen', ...ofBlocks([2]) },
      source: null,
      out,
      dtype: null,
      maxShardBytes: null,
      repair: null,
      mergekit: null,
      compute: onCpu,
    });
    const [dropped, pruned] = [
      await generate({ drop: ofBlocks([2]), maxTokens: 100 }),
      await generate({ model: out, maxTokens: 100 }),
    ];
    expect(pruned.text).toBe(dropped.text);
  });
});

describe.skipIf(!available(smollm2))('SmolLM2-135M', () => {
  it('writes the same with and without the cache', async () => {
    // Without the cache every token costs a whole pass.
    const maxTokens = long ? 20 : 6;
    const recipe = { model: smollm2, prompt: 'The capital of France is', maxTokens };
    const [cached, uncached] = [await generate(recipe), await generate({ ...recipe, cache: false })];
    expect(cached.text).toBe(uncached.text);
    expect(cached.nNewTokens).toBe(maxTokens);
    expect(cached.text).toContain('Paris');
  });
});
