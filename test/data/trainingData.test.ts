import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { readTrainingData, type TrainingItem } from '../../server/data/trainingData';
import { readTokenSequences } from '../../server/data/tokenSequences';
import type { TrainingData } from '../../server/recipes/heal/dataOptions';
import { openTokenizer, type Tokenizer } from '../../server/tokenizer/tokenizer';
import { available, dataFolder, modelFolder, repoRoot } from '../fixtures';

const folder = mkdtempSync(join(tmpdir(), 'espalier-training-'));
const write = (name: string, content: string) => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};
const lines = (name: string, rows: unknown[]) => write(name, rows.map((row) => JSON.stringify(row)).join('\n'));
const limits = { contextLength: 512, vocabularySize: 512 };
const settings = (files: string[], changes: Partial<TrainingData> = {}): TrainingData => ({
  files,
  field: null,
  format: 'auto',
  tokens: 16,
  start: 0,
  bos: 'none',
  order: 'sequential',
  heldOutFraction: 0,
  seed: 0,
  ...changes,
});

// The tiny model's tokenizer, once as it is and once with a template.
let plain: Tokenizer;
let chatty: Tokenizer;
const template =
  "{{ bos_token }}{% for m in messages %}{{ m.role + ': ' + m.content }}{% if m.role == 'assistant' %}{{ eos_token }}{% else %}{{ '\n' }}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}";
beforeAll(async () => {
  plain = await openTokenizer(modelFolder('stories260k'));
  const copy = mkdtempSync(join(tmpdir(), 'espalier-chatty-'));
  writeFileSync(join(copy, 'tokenizer.json'), readFileSync(join(modelFolder('stories260k'), 'tokenizer.json')));
  const names = { bos_token: '<s>', eos_token: '</s>', chat_template: template };
  writeFileSync(join(copy, 'tokenizer_config.json'), JSON.stringify(names));
  chatty = await openTokenizer(copy);
});
const read = (files: string[], changes: Partial<TrainingData> = {}, tokenizer = chatty) =>
  readTrainingData(settings(files, changes), tokenizer, limits);
const textOf = ({ ids }: TrainingItem) => chatty.decode([...ids], { skipSpecialTokens: false });
const countedText = async ({ ids, counted }: TrainingItem) => {
  const answers = [...ids].filter((_, t) => counted[t] === 1);
  return (await chatty.decode(answers, { skipSpecialTokens: false })).trim();
};
const keys = (items: TrainingItem[]) => items.map(({ ids }) => ids.join());

describe('text', () => {
  const story = write('story.txt', 'Once upon a time, there was a little girl named Lily. '.repeat(40));

  for (const bos of ['none', 'each', 'tokenizer'] as const) {
    test(`bos ${bos}: the sequences are those that importance is measured on, and all but the first id count`, async () => {
      const source = { kind: 'text', sequences: null, tokens: 16, start: 3, bos, sampling: 'consecutive' } as const;
      const expected = await readTokenSequences({ ...source, files: [story], field: null, seed: 0 }, plain, limits);
      const { training, heldOut, report } = await read([story], { start: 3, bos }, plain);
      expect(training.map(({ ids }) => ids)).toEqual(expected.sequences);
      for (const { counted } of training) expect([...counted]).toEqual([0, ...Array(15).fill(1)]);
      expect(heldOut).toEqual([]);
      expect(report).toEqual({
        files: expected.report.files,
        format: 'text',
        nTrainingItems: training.length,
        nHeldOutItems: 0,
        nTokens: 16 * training.length,
        nCountedTokens: 15 * training.length,
        nTruncated: 0,
      });
    });
  }

  test('a model without a template takes text, also of a column', async () => {
    const rows = [{ text: 'Once upon a time there was a cat.' }, { text: 'The end of the story, and of the day.' }];
    const jsonl = lines('text.jsonl', rows);
    const plainText = write('text.txt', rows.map(({ text }) => text).join('\n\n'));
    expect(keys((await read([jsonl], {}, plain)).training)).toEqual(
      keys((await read([plainText], {}, plain)).training),
    );
    const other = lines(
      'other.jsonl',
      rows.map(({ text }) => ({ story: text, messages: 1 })),
    );
    expect((await read([other], { field: 'story' }, plain)).report.format).toBe('text');
    const list = write('list.json', JSON.stringify(rows.map(({ text }) => text)));
    expect((await read([list, plainText], {}, plain)).report.format).toBe('text');
  });
});

describe('instructions and messages', () => {
  const csv = (rows: Record<string, string>[]) =>
    [Object.keys(rows[0] ?? {}), ...rows.map((row) => Object.values(row))]
      .map((cells) => cells.map((cell) => `"${cell}"`).join(','))
      .join('\n');
  const alpaca = [
    { instruction: 'Say yes', input: '', output: 'Yes' },
    { instruction: 'Add', input: '1 and 2', output: '3' },
  ];
  const dolly = alpaca.map(({ instruction, input, output }) => ({ instruction, context: input, response: output }));
  const turns = alpaca.map(({ instruction, input, output }) => [
    { role: 'user', content: input === '' ? instruction : `${instruction}\n\n${input}` },
    { role: 'assistant', content: output },
  ]);
  const shareGpt = turns.map(([user, assistant]) => [
    { from: 'human', value: user?.content },
    { from: 'gpt', value: assistant?.content },
  ]);

  const files: [string, 'instructions' | 'messages', () => string][] = [
    ['alpaca in JSON lines', 'instructions', () => lines('alpaca.jsonl', alpaca)],
    ['alpaca in JSON', 'instructions', () => write('alpaca.json', JSON.stringify(alpaca))],
    ['alpaca in CSV', 'instructions', () => write('alpaca.csv', csv(alpaca))],
    [
      'alpaca beside its text',
      'instructions',
      () =>
        lines(
          'text.jsonl',
          alpaca.map((row) => ({ ...row, text: 'x' })),
        ),
    ],
    ['dolly in JSON lines', 'instructions', () => lines('dolly.jsonl', dolly)],
    ['dolly in CSV', 'instructions', () => write('dolly.csv', csv(dolly))],
    [
      'messages',
      'messages',
      () =>
        lines(
          'messages.jsonl',
          turns.map((messages) => ({ messages })),
        ),
    ],
    [
      'ShareGPT',
      'messages',
      () =>
        lines(
          'share.jsonl',
          shareGpt.map((conversations) => ({ conversations })),
        ),
    ],
    ['alpaca in Parquet', 'instructions', () => join(repoRoot, 'test/fixtures/chats/alpaca.parquet')],
    ['messages in Parquet', 'messages', () => join(repoRoot, 'test/fixtures/chats/messages.parquet')],
    ['ShareGPT in Parquet', 'messages', () => join(repoRoot, 'test/fixtures/chats/sharegpt.parquet')],
  ];
  test.each(files)('%s', async (_, format, file) => {
    const { training, report } = await read([file()], { tokens: 64 });
    expect(await Promise.all(training.map(textOf))).toEqual([
      '<s> user: Say yes\nassistant: Yes</s>',
      '<s> user: Add\n\n1 and 2\nassistant: 3</s>',
    ]);
    expect(await Promise.all(training.map(countedText))).toEqual(['Yes</s>', '3</s>']);
    expect(report).toMatchObject({ format, nTrainingItems: 2, nHeldOutItems: 0, nTruncated: 0 });
    expect(report.nTokens).toBe(training.reduce((sum, { ids }) => sum + ids.length, 0));
    expect(report.nCountedTokens).toBe(training.flatMap(({ counted }) => [...counted]).filter((one) => one).length);
    expect(await read([file()], { tokens: 64, format })).toEqual({ training, heldOut: [], report });
  });

  test('several files one after the other, from an item on, each with its hash', async () => {
    const a = lines('a.jsonl', alpaca);
    const b = lines('b.jsonl', dolly);
    const { training, report } = await read([a, b], { tokens: 64, start: 1 });
    expect(await Promise.all(training.map(countedText))).toEqual(['3</s>', 'Yes</s>', '3</s>']);
    const sha256 = createHash('sha256').update(readFileSync(b)).digest('hex');
    expect(report.files[1]).toEqual({ name: 'b.jsonl', sha256, sizeBytes: readFileSync(b).length });
  });

  test('a context that is null or not there is none', async () => {
    const rows = [
      { instruction: 'Hi', input: null, output: 'Yes' },
      { instruction: 'Hi', output: 'Yes' },
    ];
    const [first, second] = (await read([lines('null.jsonl', rows)], { tokens: 64 })).training;
    expect(first).toEqual(second);
  });

  test('a long item is cut off on the right, and one without an answer left is left out', async () => {
    const rows = [
      { instruction: 'Hi', output: 'Yes '.repeat(50) },
      { instruction: 'Hi '.repeat(50), output: 'Yes' },
      { instruction: 'Hi', output: 'Yes' },
    ];
    const { training, report } = await read([lines('long.jsonl', rows)], { tokens: 32 });
    expect(training.map(({ ids }) => ids.length <= 32)).toEqual([true, true]);
    expect(training[0]?.ids.length).toBe(32);
    expect(report).toMatchObject({ nTrainingItems: 2, nTruncated: 2 });
  });

  test('a chat in which nobody answers is left out', async () => {
    const rows = [{ messages: [{ role: 'user', content: 'Hi' }] }, { messages: turns[0] }];
    const { report } = await read([lines('silent.jsonl', rows)], { tokens: 64 });
    expect(report).toMatchObject({ nTrainingItems: 1, nTruncated: 1 });
  });

  const file = join(dataFolder, 'data/dolly/dolly_hhrlhf_train_small.jsonl');
  const smollm2 = modelFolder('smollm2-135m');
  const there = available(file) && available(smollm2);
  test.skipIf(!there)('a thousand real ones have as many tokens as transformers finds', async () => {
    const { cutOff } = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/chats/hashes.json'), 'utf8'));
    const wide = { contextLength: 8192, vocabularySize: 49152 };
    const data = settings([file], { tokens: cutOff.tokens });
    const { report, training } = await readTrainingData(data, await openTokenizer(smollm2), wide);
    const { nTrainingItems: nItems, nTokens, nCountedTokens, nTruncated } = report;
    expect({ tokens: cutOff.tokens, nItems, nTokens, nCountedTokens, nTruncated }).toEqual(cutOff);
    expect(training.every(({ ids, counted }) => ids.length <= cutOff.tokens && counted[0] === 0)).toBe(true);
  });
});

describe('held out', () => {
  const answers = Array.from({ length: 20 }, (_, i) => ({ instruction: 'Say', output: `${i}` }));
  const file = lines('twenty.jsonl', answers);

  test('a share of the items, rounded up, by the seed; the rest is trained on in its order', async () => {
    const all = keys((await read([file], { tokens: 64 })).training);
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.integer({ min: 0, max: 19 }), async (seed, twentieths) => {
        const changes: Partial<TrainingData> = {
          tokens: 64,
          order: 'shuffled',
          heldOutFraction: twentieths / 20,
          seed,
        };
        const { training, heldOut, report } = await read([file], changes);
        expect(report).toMatchObject({ nTrainingItems: 20 - twentieths, nHeldOutItems: twentieths });
        expect([...keys(training), ...keys(heldOut)].toSorted()).toEqual(all.toSorted());
        expect(keys(training)).toEqual(all.filter((key) => keys(training).includes(key)));
        expect(await read([file], changes)).toEqual({ training, heldOut, report });
      }),
      { numRuns: 20 },
    );
    const others = await read([file], { tokens: 64, order: 'shuffled', heldOutFraction: 0.01 });
    expect(others.heldOut.length).toBe(1);
  });

  test('a sequence holds nothing out', async () => {
    expect((await read([file], { tokens: 64, heldOutFraction: 0.5 })).heldOut).toEqual([]);
  });
});

describe('refusals', () => {
  const row = { instruction: 'Hi', input: '', output: 'Yes' };
  const one = lines('one.jsonl', [row]);
  const say = (messages: unknown) => lines('bad.jsonl', [{ messages }]);
  const failures: [string, () => string[], Partial<TrainingData>, string, RegExp][] = [
    ['one token', () => [one], { tokens: 1 }, 'usage', /^A sequence of 1 tokens predicts nothing/],
    ['beyond the context', () => [one], { tokens: 513 }, 'usage', /longer than the model's context of 512/],
    [
      'a broken start',
      () => [one],
      { start: 0.5 },
      'usage',
      /^The start must be a whole number from 0 on, not 0\.5\.$/,
    ],
    [
      'a broken seed',
      () => [one],
      { seed: Number.NaN },
      'usage',
      /^The seed must be a whole number from 0 on, not NaN\.$/,
    ],
    [
      'no fraction',
      () => [one],
      { heldOutFraction: Number.NaN },
      'usage',
      /^The held-out fraction must be from 0 up to below 1, not NaN\.$/,
    ],
    ['a fraction of all', () => [one], { heldOutFraction: 1 }, 'usage', /below 1, not 1\.$/],
    ['a negative fraction', () => [one], { heldOutFraction: -0.1 }, 'usage', /not -0\.1\.$/],
    [
      'nothing left to train on',
      () => [one],
      { heldOutFraction: 0.1, order: 'shuffled', tokens: 64 },
      'badData',
      /^The data gives 1 item, of which a held-out fraction of 0\.1 leaves none to train on; /,
    ],
    [
      'a start beyond the end',
      () => [one],
      { start: 1 },
      'badData',
      /^The start 1 lies beyond the 1 item of the data; /,
    ],
    [
      'no answer within a sequence',
      () => [one],
      { tokens: 4 },
      'badData',
      /^None of the 1 item of the data has an answer within 4 tokens; /,
    ],
    ['a missing file', () => [join(folder, 'none.jsonl')], {}, 'notFound', /^There is no file /],
    ['an empty text', () => [write('empty.txt', ' \n')], {}, 'badData', /^There is no text in empty\.txt; /],
    ['an empty list', () => [write('empty.json', '[]')], {}, 'badData', /^empty\.json has no rows; /],
    [
      'a text shorter than a sequence',
      () => [write('short.txt', 'Hi')],
      {},
      'badData',
      /^The text has \d+ tokens, from 0 on enough for 0 sequences of 16/,
    ],
    [
      'unknown columns',
      () => [lines('odd.jsonl', [{ q: 'a', a: 'b' }])],
      {},
      'badData',
      /^odd\.jsonl has the columns q, a, but we know text; or messages; or conversations; or instruction and output; or instruction and response; /,
    ],
    [
      'columns of another format',
      () => [one],
      { format: 'messages' },
      'badData',
      /^one\.jsonl has the columns instruction, input, output, but we know messages; or conversations; /,
    ],
    [
      'plain text for instructions',
      () => [write('a.txt', 'Hi')],
      { format: 'instructions' },
      'badData',
      /^a\.txt is plain text, but we know instruction and output; /,
    ],
    [
      'files of several kinds',
      () => [one, write('a.txt', 'Hi')],
      {},
      'badData',
      /^The files are of several kinds, one\.jsonl \(instructions\), a\.txt \(text\); /,
    ],
    [
      'a row that is no object',
      () => [lines('bad.jsonl', [row, 7])],
      {},
      'badData',
      /^Line 2 of bad\.jsonl is not an object/,
    ],
    [
      'a row without an answer',
      () => [lines('bad.jsonl', [row, { instruction: 'Hi' }])],
      {},
      'badData',
      /^Line 2 of bad\.jsonl has no "output"; /,
    ],
    [
      'an answer that is no text',
      () => [lines('bad.jsonl', [{ ...row, output: 3 }])],
      {},
      'badData',
      /^Line 1 of bad\.jsonl has something else than a text as "output"; /,
    ],
    [
      'broken JSON',
      () => [write('bad.jsonl', '{"instruction":')],
      {},
      'badData',
      /^Line 1 of bad\.jsonl is not valid JSON; /,
    ],
    [
      'no list of messages',
      () => [say('Hi')],
      {},
      'badData',
      /^Line 1 of bad\.jsonl has no list of messages as "messages"; /,
    ],
    ['an empty list of messages', () => [say([])], {}, 'badData', /has no list of messages/],
    [
      'a message without a role',
      () => [say([{ content: 'Hi' }])],
      {},
      'badData',
      /^Message 0 of messages in Line 1 of bad\.jsonl has neither a role/,
    ],
    [
      'a message that is no text',
      () => [say([{ role: 'user', content: [] }])],
      {},
      'badData',
      /has something else than a text as "content"/,
    ],
    [
      'an unknown speaker',
      () => [say([{ from: 'constructor', value: 'Hi' }])],
      {},
      'badData',
      /is from "constructor", which is none of human, user, gpt, assistant, system, observation, tool, function_call; /,
    ],
  ];
  test.each(failures)('%s', async (_, files, changes, code, message) => {
    await expect(read(files(), changes)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });

  test('a model without a template', async () => {
    await expect(read([one], {}, plain)).rejects.toMatchObject({
      code: 'badData',
      message:
        'The data is instructions, but the model has no chat template to write them with; give text, or take a model with a chat_template.',
    });
  });

  test('the tokenizer of another model', async () => {
    const reading = readTrainingData(settings([one], { tokens: 64 }), chatty, { ...limits, vocabularySize: 100 });
    await expect(reading).rejects.toMatchObject({
      code: 'badData',
      message: expect.stringContaining('not this model'),
    });
  });
});
