import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutSequences, parseIdRows, readTokenSequences, type SequenceCut } from '../../server/data/tokenSequences';
import type { TokenSource } from '../../server/protocol/recipes';
import { openTokenizer } from '../../server/tokenizer/tokenizer';
import { available, dataFolder, modelFolder } from '../fixtures';

type TextSource = Extract<TokenSource, { kind: 'text' }>;

const wikitext = join(dataFolder, 'data/wikitext-2-raw/wiki.test.raw');
const reference = (name: string) => join(dataFolder, 'reference', `${name}.json`);
const folder = mkdtempSync(join(tmpdir(), 'espalier-sequences-'));
const write = (name: string, content: string) => {
  const file = join(folder, name);
  writeFileSync(file, content);
  return file;
};
const stories = modelFolder('stories260k');
const limits = { contextLength: 512, vocabularySize: 512 };
const textSource = (files: string[], changes: Partial<TextSource> = {}): TextSource => ({
  kind: 'text',
  files,
  field: null,
  sequences: null,
  tokens: 8,
  start: 0,
  bos: 'none',
  sampling: 'consecutive',
  seed: 0,
  ...changes,
});

describe('the sequences of the reference', () => {
  for (const [name, tokens, limits] of [
    ['stories260k', 256, { contextLength: 512, vocabularySize: 512 }],
    ['smollm2-135m', 512, { contextLength: 8192, vocabularySize: 49152 }],
  ] as const) {
    const there = [modelFolder(name), wikitext, reference(name)].every(available);
    test.skipIf(!there)(name, async () => {
      const { settings, ids } = JSON.parse(readFileSync(reference(name), 'utf8'));
      const source = textSource([wikitext], { sequences: 8, tokens });
      const { sequences, report } = await readTokenSequences(source, await openTokenizer(modelFolder(name)), limits);
      expect(sequences.map((sequence) => [...sequence])).toEqual(ids);
      expect(report).toMatchObject({
        nSequences: 8,
        tokensPerSequence: tokens,
        idsSha256: settings.ids_sha256_int32_le,
      });
      expect(report.files).toMatchObject([{ name: 'wiki.test.raw', sizeBytes: 1290590 }]);

      // The reference itself is a file of ids.
      const byIds = await readTokenSequences({ kind: 'ids', file: reference(name) }, null, limits);
      expect(byIds.sequences).toEqual(sequences);
      expect(byIds.report.idsSha256).toBe(report.idsSha256);
    });
  }
});

describe('sequences of a text', () => {
  const story = write('story.txt', 'Once upon a time, there was a little girl named Lily. '.repeat(40));
  const read = async (changes: Partial<TextSource>) =>
    readTokenSequences(textSource([story], changes), await openTokenizer(stories), limits);

  test('asking for some sequences or for all gives the same beginning', async () => {
    const all = await read({});
    const some = await read({ sequences: 3, start: 5 });
    const from5 = await read({ start: 5 });
    expect(some.sequences).toEqual(from5.sequences.slice(0, 3));
    expect(some.report).toMatchObject({ nSequences: 3, start: 5, nTokensInText: null });
    expect(all.report.nSequences).toBe(Math.floor((all.report.nTokensInText ?? 0) / 8));
  });

  test('bos each: every sequence begins with bos and holds T - 1 ids of the text', async () => {
    const none = await read({});
    const each = await read({ bos: 'each', tokens: 9 });
    expect(each.sequences).toEqual(none.sequences.map((sequence) => Int32Array.of(1, ...sequence)));
  });

  test('the hash is that of all ids as little-endian int32', async () => {
    const { sequences, report } = await read({ sequences: 2 });
    const bytes = Buffer.alloc(2 * 8 * 4);
    sequences.flatMap((sequence) => [...sequence]).forEach((id, i) => bytes.writeInt32LE(id, 4 * i));
    expect(report.idsSha256).toBe(createHash('sha256').update(bytes).digest('hex'));
  });

  const mistral = join(dataFolder, 'data/tokenizers/mistral-v0.1');
  test.skipIf(!available(mistral))('bos tokenizer: the tokenizer puts its own ids around the text, once', async () => {
    const tokenizer = await openTokenizer(mistral);
    const wide = { contextLength: 512, vocabularySize: 32000 };
    const none = await readTokenSequences(textSource([story], { tokens: 15, sequences: 1 }), tokenizer, wide);
    const own = await readTokenSequences(textSource([story], { tokens: 16, bos: 'tokenizer' }), tokenizer, wide);
    expect(own.sequences[0]).toEqual(Int32Array.of(1, ...(none.sequences[0] ?? [])));
    expect(own.sequences[1]?.[0]).not.toBe(1);
    // The tokenizer of another model gives ids that this one does not know.
    await expect(readTokenSequences(textSource([story]), tokenizer, limits)).rejects.toMatchObject({
      code: 'badData',
      message: expect.stringMatching(/^The tokenizer gives id \d+, but the model knows only ids below 512; it is not/),
    });
  });

  const qwen = join(dataFolder, 'data/tokenizers/qwen3');
  test.skipIf(!available(qwen))('bos each needs a tokenizer that has one', async () => {
    await expect(
      readTokenSequences(textSource([story], { bos: 'each' }), await openTokenizer(qwen), limits),
    ).rejects.toMatchObject({ code: 'usage', message: expect.stringContaining('no bos token') });
  });

  test('a text needs a tokenizer', async () => {
    await expect(readTokenSequences(textSource([story]), null, limits)).rejects.toMatchObject({ code: 'notFound' });
  });

  const failures: [string, Partial<TextSource>, string, RegExp][] = [
    ['one token', { tokens: 1 }, 'usage', /^A sequence of 1 tokens predicts nothing; take at least 2\.$/],
    ['half a token', { tokens: 2.5 }, 'usage', /^A sequence of 2\.5 tokens/],
    [
      'beyond the context',
      { tokens: 513 },
      'usage',
      /^A sequence of 513 tokens is longer than the model's context of 512; /,
    ],
    ['no sequence', { sequences: 0 }, 'usage', /^The number of sequences must be a whole number from 1 on, not 0\.$/],
    ['a negative start', { start: -1 }, 'usage', /^The start must be a whole number from 0 on, not -1\.$/],
    ['a start beyond the end', { start: 99999 }, 'badData', /^The start 99999 lies beyond the text's \d+ tokens; /],
    [
      'too many sequences',
      { sequences: 999 },
      'badData',
      /^The text has \d+ tokens, from 0 on enough for \d+ sequences of 8, but 999 are /,
    ],
    [
      'too many random sequences',
      { sequences: 999, sampling: 'random' },
      'badData',
      /enough for \d+ sequences of 8, but 999 are/,
    ],
    ['an empty file', { files: [write('none.txt', '')] }, 'badData', /^There is no text in none\.txt; /],
    [
      'a text shorter than a sequence',
      { files: [write('one.txt', 'a')] },
      'badData',
      /enough for 0 sequences of 8, but at least 1 is/,
    ],
  ];
  for (const [name, changes, code, message] of failures) {
    test(name, async () => {
      await expect(read(changes)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    });
  }
});

describe('cutting', () => {
  const cuts = fc.record({
    nIds: fc.integer({ min: 2, max: 300 }),
    tokens: fc.integer({ min: 2, max: 20 }),
    start: fc.integer({ min: 0, max: 30 }),
    firstId: fc.constantFrom(null, 7777),
    seed: fc.nat(),
  });
  const countThere = (nIds: number, start: number, stride: number) => Math.floor((nIds - start) / stride);

  test('consecutive sequences are the ids from the start on, without gap or overlap', () => {
    fc.assert(
      fc.property(cuts, ({ nIds, tokens, start, firstId, seed }) => {
        const stride = firstId === null ? tokens : tokens - 1;
        fc.pre(countThere(nIds, start, stride) > 0);
        const ids = Array.from({ length: nIds }, (_, i) => i);
        const cut: SequenceCut = { sequences: null, tokens, start, sampling: 'consecutive', seed, firstId };
        const sequences = cutSequences(ids, cut);
        expect(sequences.every((sequence) => sequence.length === tokens)).toBe(true);
        const joined = sequences.flatMap((sequence) => [...sequence].filter((id) => id !== firstId));
        expect(joined).toEqual(ids.slice(start, start + sequences.length * stride));
        expect(nIds - start - joined.length).toBeLessThan(stride);
      }),
    );
  });

  test('random sequences are some of the consecutive ones, none twice, the same for the same seed', () => {
    fc.assert(
      fc.property(cuts, fc.integer({ min: 1, max: 20 }), ({ nIds, tokens, start, firstId, seed }, nWanted) => {
        const nThere = countThere(nIds, start, firstId === null ? tokens : tokens - 1);
        fc.pre(nThere > 0);
        const ids = Array.from({ length: nIds }, (_, i) => i);
        const cut: SequenceCut = { sequences: null, tokens, start, sampling: 'consecutive', seed, firstId };
        const sequences = Math.min(nWanted, nThere);
        const random = cutSequences(ids, { ...cut, sampling: 'random', sequences });
        const keys = random.map(String);
        expect(new Set(keys).size).toBe(sequences);
        expect(cutSequences(ids, cut).map(String)).toEqual(expect.arrayContaining(keys));
        expect(cutSequences(ids, { ...cut, sampling: 'random', sequences })).toEqual(random);
        // Asking for more keeps what was drawn before.
        expect(cutSequences(ids, { ...cut, sampling: 'random' }).slice(0, sequences)).toEqual(random);
      }),
    );
  });

  test('a draw is the same on every machine', () => {
    const ids = Array.from({ length: 200 }, (_, i) => i);
    const cut: SequenceCut = { sequences: 5, tokens: 2, start: 0, sampling: 'random', seed: 1, firstId: null };
    const starts = (seed: number) => cutSequences(ids, { ...cut, seed }).map((sequence) => (sequence[0] ?? 0) / 2);
    // Made by a Python version of mulberry32 and the shuffle.
    expect(starts(1)).toEqual([62, 1, 53, 98, 96]);
    expect(starts(2)).toEqual([73, 33, 29, 55, 88]);
  });
});

describe('rows of ids', () => {
  test('an array of rows, or an object with one', async () => {
    const rows = [Int32Array.of(1, 2, 3), Int32Array.of(4, 5, 6)];
    expect(parseIdRows('[[1,2,3],[4,5,6]]', 'a.json', 512)).toEqual(rows);
    const file = write('ids.json', '{"about": "x", "ids": [[1,2,3],[4,5,6]]}');
    const { sequences, report } = await readTokenSequences({ kind: 'ids', file }, null, limits);
    expect(sequences).toEqual(rows);
    expect(report).toMatchObject({ nSequences: 2, tokensPerSequence: 3, bos: 'none', nTokensInText: null });
    expect(report.files).toMatchObject([{ name: 'ids.json' }]);
  });

  const failures: [string, string, string][] = [
    ['no JSON', '[[1,', 'a.json is not valid JSON; give rows of token ids of equal length.'],
    ['no array', '{"rows": []}', 'a.json holds no array of rows; '],
    ['no rows', '[]', 'a.json holds no row; '],
    ['a flat array', '[1, 2]', 'a.json has something else than an array as row 0; '],
    ['ragged rows', '[[1, 2], [1, 2, 3]]', 'a.json has 3 ids in row 1 but 2 in row 0; '],
    [
      'an id beyond the vocabulary',
      '[[1, 2], [3, 512]]',
      'a.json has 512 in row 1 at position 1, which is no id from 0 to 511; ',
    ],
    ['a negative id', '[[1, -2]]', 'a.json has -2 in row 0 at position 1'],
    ['a broken id', '[[1.5, 2]]', 'a.json has 1.5 in row 0 at position 0'],
    ['a text for an id', '[["1", 2]]', 'a.json has "1" in row 0 at position 0'],
    ['rows of one', '[[1], [2]]', 'A sequence of 1 tokens predicts nothing; '],
    [
      'rows beyond the context',
      `[[${Array(513).fill(1)}]]`,
      "A sequence of 513 tokens is longer than the model's context of 512; ",
    ],
  ];
  for (const [name, json, message] of failures) {
    test(name, async () => {
      const reading = readTokenSequences({ kind: 'ids', file: write('a.json', json) }, null, limits);
      await expect(reading).rejects.toMatchObject({ name: 'UserError', message: expect.stringContaining(message) });
    });
  }
});
