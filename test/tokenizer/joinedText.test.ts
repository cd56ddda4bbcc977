// The text of ids that is joined from pieces is the text that the library writes of all of them at once.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { joinedDecoder, joiningOf } from '../../server/tokenizer/joinedText';
import { openLibrary } from '../../server/tokenizer/library';
import type { TokenizerPart } from '../../server/tokenizer/tokenizerJson';
import { available, dataFolder, modelFolder } from '../fixtures';

const replace = { type: 'Replace', pattern: { String: '\u2581' }, content: ' ' };
const bytes = { type: 'ByteFallback' };
const fuse = { type: 'Fuse' };
const strip = { type: 'Strip', content: ' ', start: 1, stop: 0 };
const sequence = (...decoders: TokenizerPart[]): TokenizerPart => ({ type: 'Sequence', decoders });
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: true };

const llama = sequence(replace, bytes, fuse, strip);
const proven: [string, TokenizerPart][] = [
  ["LLaMA's decoder", llama],
  ["Gemma's decoder", sequence(replace, bytes, fuse)],
  ["GPT-2's decoder", byteLevel],
];

// Bytes that make characters together, bytes that make none, spaces where one is taken away, and tokens of nothing.
const tokens =
  `a,b c,\u2581,\u2581\u2581,\u2581a,é,,\uFFFD,<0x20>,<0xC3>,<0xA9>,<0x41>,<0xF0>,<0x9F>,<0x99>,<0x82>,<0x+A>,<0xZZ>,<0xe2>`
    .split(',')
    // As ByteLevel writes a space, a line end, and the bytes of U+1F642 and of U+FFFD.
    .concat(['\u0120', '\u010a', '\u00f0', '\u0141', '\u013b', '\u0124', '\u00ef\u00bf\u00bd', '\u00c3', '\u00a9']);
const flags = { single_word: false, lstrip: false, rstrip: false, normalized: false };
const json = (decoder: TokenizerPart) =>
  JSON.stringify({
    added_tokens: [
      { id: tokens.length, content: '<s>', special: true, ...flags },
      { id: tokens.length + 1, content: ' <word>', special: false, ...flags },
    ],
    decoder,
    model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: [] },
  });

async function bothDecoders(text: string, added: readonly string[]) {
  const { decoder } = JSON.parse(text) as { decoder: TokenizerPart };
  const library = await openLibrary({ json: text, toAdd: [], firstToken: null });
  const joining = joiningOf(decoder);
  if (joining === null) throw new Error('nothing is proven of this decoder');
  return { whole: library.decode, joined: joinedDecoder(library, joining, added) };
}

async function holdsFor(text: string, added: readonly string[], nIds: number, numRuns: number) {
  const { whole, joined } = await bothDecoders(text, added);
  // Small ids are bytes and special tokens in most vocabularies; one id has no token.
  const id = fc.oneof(fc.nat({ max: Math.min(nIds, 300) }), fc.nat({ max: nIds }));
  await fc.assert(
    fc.asyncProperty(fc.array(id, { maxLength: 40 }), fc.boolean(), async (ids, skips) => {
      expect(await joined(ids, skips)).toBe(await whole(ids, skips));
    }),
    { numRuns },
  );
}

test.each(proven)('%s, of tokens in any order', async (_, decoder) => {
  await holdsFor(json(decoder), ['<s>', ' <word>'], tokens.length + 2, 1500);
});

const real = [
  modelFolder('stories260k'),
  modelFolder('smollm2-135m'),
  ...['llama3', 'qwen3', 'mistral-v0.1'].map((name) => join(dataFolder, 'data/tokenizers', name)),
];
describe.each(real)('%s', (folder) => {
  const file = join(folder, 'tokenizer.json');
  test.skipIf(!available(file))('ids in any order', async () => {
    const text = readFileSync(file, 'utf8');
    const { added_tokens: added, model } = JSON.parse(text) as {
      added_tokens: { content: string }[];
      model: { vocab: object };
    };
    const contents = added.map(({ content }) => content);
    await holdsFor(text, contents, Object.keys(model.vocab).length + added.length, 400);
  });
});

const unproven: [string, TokenizerPart | null][] = [
  ['no decoder', null],
  ['WordPiece', { type: 'WordPiece', prefix: '##', cleanup: true }],
  ['Metaspace', { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'always', split: true }],
  ['two spaces taken away', sequence(replace, bytes, fuse, { ...strip, start: 2 })],
  ['a space taken away at the end', sequence(replace, bytes, fuse, { ...strip, stop: 1 })],
  ['a step more', sequence(replace, bytes, fuse, strip, { ...replace, pattern: { String: 'a' } })],
  ['another order', sequence(bytes, replace, fuse, strip)],
  ['a pattern', sequence({ ...replace, pattern: { Regex: '\u2581' } }, bytes, fuse)],
];
test.each(unproven)('nothing is said of %s', (_, decoder) => expect(joiningOf(decoder)).toBeNull());

test('a token is written by the library once', async () => {
  const library = await openLibrary({ json: json(llama), toAdd: [], firstToken: null });
  const asked: (readonly number[])[] = [];
  const counting = {
    ...library,
    decodeEach: (lists: readonly (readonly number[])[], skipSpecialTokens: boolean) => {
      asked.push(...lists);
      return library.decodeEach(lists, skipSpecialTokens);
    },
  };
  const decode = joinedDecoder(counting, joiningOf(llama)!, []);
  const accented = [9, 10]; // the two bytes of é
  expect(await decode([0, 0, ...accented, 0], false)).toBe('aaéa');
  expect(await decode([...accented, 0, ...accented], true)).toBe('éaé');
  expect(asked.length).toBe(4); // three ids, and the bytes together
});
