// What a tokenizer of strangers may take: time, and how much longer it makes a text.
import { describe, expect, it } from 'vitest';
import { openLibrary } from '../../server/tokenizer/library';
import { growthOf, type TokenizerPart } from '../../server/tokenizer/tokenizerJson';

const vocab = { '<u>': 0, a: 1, aa: 2 };
const json = JSON.stringify({ model: { type: 'BPE', unk_token: '<u>', vocab, merges: ['a a'] } });

describe('a tokenizer', () => {
  it('that does not come to an end in its time is given up, in a sentence', async () => {
    const library = await openLibrary({ json, toAdd: [], firstToken: null }, () => 20);
    await expect(library.encode(['a'.repeat(400_000)], false)).rejects.toMatchObject({
      code: 'overLimit',
      message: expect.stringMatching(
        /^The model's tokenizer does not come to an end with 400000 characters within 0 s/,
      ),
    });
  });

  it('has a minute and more for what takes a moment', async () => {
    const library = await openLibrary({ json, toAdd: [], firstToken: null });
    expect(await library.encode(['aaa'], false)).toEqual([[2, 1]]);
  });
});

const replace = (pattern: object, content: string): TokenizerPart => ({ type: 'Replace', pattern, content });
const sequence = (normalizers: readonly TokenizerPart[]): TokenizerPart => ({ type: 'Sequence', normalizers });
const doubling = replace({ String: 'a' }, 'aa');

describe('a normalizer', () => {
  it.each<[what: string, normalizer: TokenizerPart | null, growth: number]>([
    ['none', null, 1],
    ["LLaMA's", sequence([{ type: 'Prepend', prepend: '\u2581' }, replace({ String: ' ' }, '\u2581')]), 1],
    ['of a pattern', replace({ Regex: ' {2,}' }, '\u2581'), 1],
    ['of a pattern that is no JavaScript', replace({ Regex: '(?>a' }, 'b'), 1],
    ['of the empty text', replace({ Regex: '' }, 'ab'), 3],
    ['that doubles', doubling, 2],
    ['that doubles forty times', sequence(Array(40).fill(doubling)), 2 ** 40],
    ['that doubles in sequences in a sequence', sequence([sequence([doubling, doubling]), sequence([doubling])]), 8],
  ])('%s makes a text so much longer', (_, normalizer, growth) => expect(growthOf(normalizer)).toBe(growth));
});
