import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { pieces, type SafeCut, safeCut } from '../../server/tokenizer/pieces';
import { openTokenizer, type Tokenizer } from '../../server/tokenizer/tokenizer';
import { tokenizerJson } from '../../server/tokenizer/tokenizerJson';
import { available, dataFolder, modelFolder } from '../fixtures';

const stories = modelFolder('stories260k');
const wikitext = join(dataFolder, 'data/wikitext-2-raw/wiki.test.raw');
const foreign = (name: string) => join(dataFolder, 'data/tokenizers', name);

// The hash of all ids of wiki.test.raw (int32, little-endian) by transformers 5.24 on tokenizers 0.23.3:
// AutoTokenizer.from_pretrained(...)(text, add_special_tokens=False).input_ids
interface Row {
  name: string;
  folder: string;
  cut: SafeCut;
  bos: number | null;
  eos: number;
  nIds: number;
  sha256: string;
  /** LlamaTokenizer takes a space at the beginning for the one that it writes before every text. */
  losesFirstSpace?: true;
}
const rows: Row[] = [
  {
    name: 'stories260k (SentencePiece)',
    folder: stories,
    cut: 'dropSpace',
    bos: 1,
    eos: 2,
    nIds: 809289,
    sha256: '361291d3bf24dbb495a949f274fbb0e48a4fe2b933a75b09e44216f22c26be88',
  },
  {
    name: 'SmolLM2 (digits, then GPT-2)',
    folder: modelFolder('smollm2-135m'),
    cut: 'keepSpace',
    bos: 1,
    eos: 2,
    nIds: 303415,
    sha256: '18e663b61dd00f49796c8a6ae498b7dbe009cac4a2eaf3c67fa7d81baf47d945',
  },
  {
    name: 'Llama 3',
    folder: foreign('llama3'),
    cut: 'keepSpace',
    bos: 128000,
    eos: 128001,
    nIds: 289076,
    sha256: '36ce8ec09afe1b1c331123fed448048f52525852f88f32bb2c544b1b11440a38',
  },
  {
    name: 'Qwen 3 (no bos)',
    folder: foreign('qwen3'),
    cut: 'keepSpace',
    bos: null,
    eos: 151645,
    nIds: 299078,
    sha256: '8557ef42be22a592e5f1704026fedbedc937b484e52f517add9f478adc0de20f',
  },
  {
    name: 'Mistral v0.1 (SentencePiece)',
    folder: foreign('mistral-v0.1'),
    cut: 'dropSpace',
    bos: 1,
    eos: 2,
    nIds: 328879,
    sha256: 'c973db2ca3846f08b94df83bdd19bc9563f0e9f79d6fbfd4a494baa75010f5b3',
    losesFirstSpace: true,
  },
];

const plain = { addSpecialTokens: false };
/** Of hundreds of thousands of ids, which nobody reads one by one. */
const digest = (ids: readonly number[]) => createHash('sha256').update(Int32Array.from(ids)).digest('hex');
const readTokenizerJson = (folder: string) =>
  tokenizerJson.parse(JSON.parse(readFileSync(join(folder, 'tokenizer.json'), 'utf8')));

// Words, white space and the characters on which tokenizers disagree.
const awkward = [
  '½',
  '²',
  '③',
  '\ufeff',
  '\u0085',
  '\u00a0',
  '\u2581',
  '\u2581\u2581',
  'e\u0301',
  'é',
  '世界',
  '🙂',
  'ſ',
];
const pieceOfText = fc.oneof(
  fc.constantFrom(
    ...awkward,
    ' the',
    ' a b',
    "don't",
    "'re",
    '  ',
    '\n',
    '\n\n',
    '\r\n',
    '\t',
    '.',
    '1',
    '23 ',
    '<|im_start|>',
    '<s>',
  ),
  fc.stringMatching(/^[A-Za-z]{1,8}$/),
  fc.constant(' '),
);
const text = fc.array(pieceOfText, { minLength: 1, maxLength: 40 }).map((parts) => parts.join(''));

for (const row of rows) {
  describe.skipIf(!available(join(row.folder, 'tokenizer.json')))(row.name, () => {
    let tokenizer: Tokenizer;
    beforeAll(async () => {
      tokenizer = await openTokenizer(row.folder);
    });

    test('knows its special tokens', () => {
      expect(tokenizer).toMatchObject({ bosTokenId: row.bos, eosTokenId: row.eos });
    });

    test.skipIf(!available(wikitext))(
      'gives the ids of the Python library on all of WikiText-2, and the text back',
      async () => {
        const text = readFileSync(wikitext, 'utf8');
        const ids = await tokenizer.encode(text, plain);
        expect(ids.length).toBe(row.nIds);
        expect(digest(ids)).toBe(row.sha256);
        const back = await tokenizer.decode(ids, { skipSpecialTokens: false });
        expect(back === (row.losesFirstSpace ? text.replace(/^ /, '') : text)).toBe(true);

        const first = await tokenizer.encode(text, { ...plain, atLeast: 4096 });
        expect(first.length).toBeGreaterThanOrEqual(4096);
        expect(first.length).toBeLessThan(ids.length);
        expect(digest(first)).toBe(digest(ids.slice(0, first.length)));

        const remembered = { ...plain, sharesBeginning: true };
        expect(digest(await tokenizer.encode(text, remembered))).toBe(row.sha256);
        const beginning = text.slice(0, 10_001);
        expect(await tokenizer.encode(beginning, remembered)).toEqual(await tokenizer.encode(beginning, plain));
      },
    );

    test('gives for the pieces of a text the ids of the text', async () => {
      expect(safeCut(readTokenizerJson(row.folder))).toBe(row.cut);
      await fc.assert(
        fc.asyncProperty(text, async (text) => {
          const ids = await Promise.all([...pieces(text, row.cut, 1)].map((piece) => tokenizer.encode(piece, plain)));
          expect(ids.flat()).toEqual(await tokenizer.encode(text, plain));
        }),
        { numRuns: 300 },
      );
    });

    test('gives a text back', async () => {
      await fc.assert(
        fc.asyncProperty(text, async (text) => {
          // U+2581 stands for a space in SentencePiece, NFC composes, and bytes of U+FEFF are taken for a mark.
          fc.pre(!/[\u2581\ufeff]|<s>|<\|/.test(text) && text.normalize('NFC') === text);
          fc.pre(!row.losesFirstSpace || !text.startsWith(' '));
          const ids = await tokenizer.encode(text, plain);
          expect(await tokenizer.decode(ids, { skipSpecialTokens: false })).toBe(text);
        }),
      );
    });
  });
}

describe('special tokens', () => {
  const encodings: [string, string, number[], number[]][] = [
    ['stories260k has no template', stories, [403, 261], [403, 261]],
    ['Mistral has one', foreign('mistral-v0.1'), [5713, 264], [1, 5713, 264]],
  ];
  for (const [name, folder, without, withThem] of encodings) {
    test.skipIf(!available(folder))(name, async () => {
      const tokenizer = await openTokenizer(folder);
      expect(await tokenizer.encode('Once a', { addSpecialTokens: false })).toEqual(without);
      expect(await tokenizer.encode('Once a', { addSpecialTokens: true })).toEqual(withThem);
      expect(await tokenizer.decode([1, ...without], { skipSpecialTokens: true })).toBe('Once a');
    });
  }

  test('ids beyond the vocabulary decode to nothing', async () => {
    const tokenizer = await openTokenizer(stories);
    expect(await tokenizer.decode([403, 512, 261], { skipSpecialTokens: false })).toBe('Once a');
    expect(await tokenizer.decode([], { skipSpecialTokens: false })).toBe('');
  });
});

describe('the expected ids of llama.cpp', () => {
  for (const [name, expected] of [
    ['llama3', 'llama-bpe'],
    ['qwen3', 'qwen2'],
  ] as const) {
    const base = join(foreign('llama.cpp-vocab-tests'), `ggml-vocab-${expected}.gguf`);
    test.skipIf(!available(`${base}.inp`))(`${expected} by ${name}`, async () => {
      const tokenizer = await openTokenizer(foreign(name));
      const texts = readFileSync(`${base}.inp`, 'utf8').split('\n__ggml_vocab_test__\n');
      const lines = readFileSync(`${base}.out`, 'utf8').split('\n');
      expect(texts.length).toBeGreaterThan(40);
      for (const [i, text] of texts.entries()) {
        const ids = (lines[i] ?? '').split(' ').filter(Boolean).map(Number);
        expect(await tokenizer.encode(text, plain), JSON.stringify(text)).toEqual(ids);
      }
    });
  }
});

describe('folders without a usable tokenizer', () => {
  const folderWith = (files: Record<string, string>) => {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-tokenizer-'));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return folder;
  };
  const model = { type: 'BPE', vocab: { a: 0 }, merges: [] };
  const failures: [string, Record<string, string>, string, RegExp][] = [
    ['no file', {}, 'notFound', /^There is no tokenizer\.json in .+; add the one of the original model/],
    [
      'no JSON',
      { 'tokenizer.json': '{' },
      'damagedCheckpoint',
      /^tokenizer\.json in .+: it is not valid JSON; download/,
    ],
    ['no model', { 'tokenizer.json': '{}' }, 'damagedCheckpoint', /^tokenizer\.json in .+: model: /],
    [
      'a model without vocabulary',
      { 'tokenizer.json': '{"model": {"type": "BPE", "merges": []}}' },
      'damagedCheckpoint',
      /^tokenizer\.json in .+ is not usable: .+; download/,
    ],
    [
      'a pre-tokenizer that nobody knows',
      { 'tokenizer.json': JSON.stringify({ model, pre_tokenizer: { type: 'Rhyme' } }) },
      'damagedCheckpoint',
      /Rhyme/,
    ],
    [
      'a bos token that is a number',
      { 'tokenizer.json': JSON.stringify({ model }), 'tokenizer_config.json': '{"bos_token": 1}' },
      'damagedCheckpoint',
      /^tokenizer_config\.json in .+: bos_token: /,
    ],
  ];
  for (const [name, files, code, message] of failures) {
    test(name, async () => {
      const opened = openTokenizer(folderWith(files));
      await expect(opened).rejects.toMatchObject({ name: 'UserError', code, message: expect.stringMatching(message) });
    });
  }

  const config = '{"bos_token_id": 7, "eos_token_id": [8, 9]}';
  const specials: [string, Record<string, string>, number | null, number | null][] = [
    [
      'the token of tokenizer_config.json',
      { 'tokenizer_config.json': '{"bos_token": {"content": "a"}}', 'config.json': config },
      0,
      8,
    ],
    ['null there: there is none', { 'tokenizer_config.json': '{"bos_token": null}', 'config.json': config }, null, 8],
    ['special_tokens_map.json', { 'special_tokens_map.json': '{"bos_token": "a", "eos_token": "a"}' }, 0, 0],
    ['config.json', { 'config.json': config }, 7, 8],
    ['nothing', {}, null, null],
  ];
  for (const [name, files, bos, eos] of specials) {
    test(`bos and eos: ${name}`, async () => {
      const tokenizer = await openTokenizer(folderWith({ 'tokenizer.json': JSON.stringify({ model }), ...files }));
      expect([tokenizer.bosTokenId, tokenizer.eosTokenId]).toEqual([bos, eos]);
    });
  }
});

describe('a tokenizer about which nothing is proven is not cut', () => {
  const stories = () => readTokenizerJson(modelFolder('stories260k'));
  const changed: [string, () => ReturnType<typeof stories>][] = [
    ['an added token that ends in a letter', () => ({ ...stories(), added_tokens: [{ id: 3, content: 'end' }] })],
    ['an added token with a space in it', () => ({ ...stories(), added_tokens: [{ id: 3, content: '<a b>' }] })],
    ['a normalizer that lowers', () => ({ ...stories(), normalizer: { type: 'Lowercase' } })],
    ['a pre-tokenizer of its own', () => ({ ...stories(), normalizer: null, pre_tokenizer: { type: 'Whitespace' } })],
    [
      'a merge across words',
      () => ({
        ...stories(),
        model: { ...stories().model, merges: [...(stories().model.merges as string[]), ['e', '\u2581a']] },
      }),
    ],
  ];
  for (const [name, json] of changed) test(name, () => expect(safeCut(json())).toBe('nowhere'));
});
