// Where context and continuation are parted, what is cut off, and sequences. The reference tests compare token counts; here
// are the rules, with a tokenizer whose tokens can be read: words with the space before them, and single spaces.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeRequest, maxTokensOf } from '../../server/evaluation/encode';
import type { TextRequest } from '../../server/evaluation/tasks/task';
import type { Tokenizer } from '../../server/tokenizer/tokenizer';
import type { TokenRequest } from '../../server/execution/tokenTree';
import { readGolden, storiesTokenizerWithBos, fixtures } from './golden';
import { loadTask, resolveTasks } from '../../server/evaluation/tasks';
import { join } from 'node:path';

/** Ids from 100 on are words, in the order in which they are met. */
function wordTokenizer(options: {
  bos: number | null;
  eos: number | null;
  adds: boolean;
}): Tokenizer & { words: string[] } {
  const words: string[] = [];
  const special = new Map([
    [options.bos, '<s>'],
    [options.eos, '</s>'],
  ]);
  const idOf = (word: string) => {
    for (const [id, text] of special) if (text === word && id !== null) return id;
    const at = words.indexOf(word);
    return 100 + (at >= 0 ? at : words.push(word) - 1);
  };
  return {
    words,
    bosTokenId: options.bos,
    eosTokenId: options.eos,
    specialTokens: ['<s>', '</s>'],
    chatTemplate: null,
    vocabulary: () => ({ tokens: new Map(), nBaseTokens: 0, largestId: -1, added: new Map(), specialIds: new Set() }),
    encode: async (text, { addSpecialTokens }) => [
      ...(addSpecialTokens && options.adds && options.bos !== null ? [options.bos] : []),
      ...(text.match(/<\/?s>|\s?[^\s<]+|\s/g) ?? []).map(idOf),
    ],
    decode: async (ids) => ids.map((id) => special.get(id) ?? words[id - 100] ?? '').join(''),
  };
}

const plain = { bos: 1, eos: 2, adds: false };
const llama = { bos: 1, eos: 2, adds: true };
const pair = (context: string, continuation: string): TextRequest => ({ kind: 'continuation', context, continuation });

describe('a request is parted', () => {
  const rows: {
    it: string;
    tokenizer: Parameters<typeof wordTokenizer>[0];
    request: TextRequest;
    max?: number;
    gives: string[];
  }[] = [
    {
      it: 'between context and continuation',
      tokenizer: plain,
      request: pair('a b', ' c d'),
      gives: ['a| b', ' c| d'],
    },
    {
      it: 'before the spaces that the context ends in',
      tokenizer: plain,
      request: pair('a b ', ' c'),
      gives: ['a| b', ' | c'],
    },
    {
      it: 'behind what the tokenizer puts before a text',
      tokenizer: llama,
      request: pair('a', ' c'),
      gives: ['<s>|a', ' c'],
    },
    { it: 'without putting it there twice', tokenizer: llama, request: pair('<s>a', ' c'), gives: ['<s>|a', ' c'] },
    {
      it: 'behind the first token where there is no context',
      tokenizer: llama,
      request: pair('', 'a b'),
      gives: ['<s>', 'a| b'],
    },
    {
      it: 'behind the end of a text where it has no beginning',
      tokenizer: { ...plain, bos: null },
      request: pair('', 'a'),
      gives: ['</s>', 'a'],
    },
    {
      it: 'behind the first token that is there already',
      tokenizer: plain,
      request: pair('', '<s>a b'),
      gives: ['<s>', 'a| b'],
    },
    {
      it: 'and loses what is too long on the left',
      tokenizer: llama,
      request: pair('a b c', ' d e'),
      max: 3,
      gives: [' b| c', ' d| e'],
    },
    {
      it: 'up to one token of context',
      tokenizer: llama,
      request: pair('a b c', ' d e'),
      max: 2,
      gives: [' c', ' d| e'],
    },
    {
      it: 'and keeps all that just fits',
      tokenizer: llama,
      request: pair('a b', ' d'),
      max: 3,
      gives: ['<s>|a| b', ' d'],
    },
  ];
  it.each(rows)('$it', async ({ tokenizer: options, request, max, gives }) => {
    const tokenizer = wordTokenizer(options);
    const [tokens, ...more] = await encodeRequest(tokenizer, request, max ?? 100);
    const written = async (ids: readonly number[]) =>
      (await Promise.all(ids.map((id) => tokenizer.decode([id], { skipSpecialTokens: false })))).join('|');
    expect(more).toEqual([]);
    expect([await written(tokens!.context), await written(tokens!.continuation)]).toEqual(gives);
  });

  it('by a real tokenizer in the same way, with its first token once', async () => {
    const tokenizer = await storiesTokenizerWithBos();
    const [once] = await encodeRequest(tokenizer, pair('<s>Once upon', ' a time'), 100);
    expect(once!.context.filter((id) => id === 1)).toEqual([1]);
    expect(once!.context[0]).toBe(1);
    const [bare] = await encodeRequest(tokenizer, pair('Once upon', ' a time'), 100);
    expect(bare!.continuation).toEqual(once!.continuation);
  });

  it('encodes a context once for the choices that follow it', async () => {
    const tokenizer = wordTokenizer(plain);
    const texts: string[] = [];
    const counting: Tokenizer = {
      ...tokenizer,
      encode: (text, options) => {
        texts.push(text);
        return tokenizer.encode(text, options);
      },
    };
    for (const choice of [' x', ' y']) await encodeRequest(counting, pair('a b', choice), 100);
    expect(texts).toEqual(['a b x', 'a b', 'a b y']);
  });

  it.each([
    [
      'too long a continuation',
      pair('a', ' b c d'),
      plain,
      'badChoice: A continuation has 3 tokens, and an input at most 2; allow longer inputs, or leave out the task.',
    ],
    [
      'no continuation',
      pair('a', ''),
      plain,
      'badData: The tokenizer makes no tokens of "" in its place; leave the item out.',
    ],
    [
      'nothing but spaces before it',
      pair('  ', 'a'),
      plain,
      'badData: The tokenizer makes no tokens of "  " in its place; leave the item out.',
    ],
    [
      'no token to begin with',
      pair('', 'a'),
      { bos: null, eos: null, adds: false },
      'unsupportedModel: The tokenizer has no token for the beginning or the end of a text, which a text without context needs; leave out tasks such as wikitext.',
    ],
  ])('%s is refused', async (_, request, options, expected) => {
    const [code, message] = [expected.slice(0, expected.indexOf(': ')), expected.slice(expected.indexOf(': ') + 2)];
    await expect(encodeRequest(wordTokenizer(options), request, 2)).rejects.toMatchObject({ code, message });
  });
});

describe('a text of its own', () => {
  const text = (n: number): string => Array.from({ length: n }, (_, i) => `w${i}`).join(' ');

  it.each([
    { n: 3, max: 4, adds: false, gives: [{ context: [1], continuation: [100, 101, 102] }] },
    { n: 4, max: 4, adds: false, gives: [{ context: [1], continuation: [100, 101, 102, 103] }] },
    {
      n: 6,
      max: 4,
      adds: false,
      gives: [
        { context: [1], continuation: [100, 101, 102, 103] },
        { context: [101, 102, 103], continuation: [104, 105] },
      ],
    },
    // The first token is foretold from itself.
    { n: 2, max: 4, adds: true, gives: [{ context: [1], continuation: [1, 100, 101] }] },
    { n: 0, max: 4, adds: false, gives: [] },
  ])('of $n words is scored in sequences of $max', async ({ n, max, adds, gives }) => {
    expect(await encodeRequest(wordTokenizer({ ...plain, adds }), { kind: 'rolling', text: text(n) }, max)).toEqual(
      gives,
    );
  });

  it('has every token scored once, in order, behind as much as fits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 20 }), async (n, max) => {
        const tokenizer = wordTokenizer(plain);
        const sequences = await encodeRequest(tokenizer, { kind: 'rolling', text: text(n) }, max);
        expect(sequences.flatMap((sequence: TokenRequest) => sequence.continuation)).toEqual(
          Array.from({ length: n }, (_, i) => 100 + i),
        );
        sequences.forEach(({ context, continuation }, i) => {
          const inputs = context.length + continuation.length - 1;
          expect(inputs).toBe(i === 0 ? Math.min(n, max) : max);
        });
      }),
    );
  });

  it('is cut as the harness cut it', async () => {
    const golden = readGolden(join(fixtures, 'lm-eval-stories260k-bos.json'));
    const task = golden.tasks.find((it) => it.task === 'wikitext')!;
    const { items } = await loadTask(resolveTasks(['wikitext']).tasks[0]!, {
      data: join(fixtures, 'data'),
      items: { first: 0, end: 1 },
      fewShot: null,
    });
    const max = golden.settings.max_length;
    const sequences = await encodeRequest(await storiesTokenizerWithBos(), items[0]!.requests[0]!, max);
    expect(sequences.reduce((sum, { continuation }) => sum + continuation.length, 0)).toBe(
      task.items[0]!.requests[0]!.nContinuationTokens,
    );
    expect(sequences[0]!.context).toEqual([1]);
    expect(sequences[0]!.continuation[0]).toBe(1);
  });
});

it.each([
  [{ contextLength: 8192 }, null, 8192],
  [{ contextLength: 8192 }, 512, 512],
])('of %j, asked for %j, an input has at most %i tokens', (config, explicit, expected) => {
  expect(maxTokensOf(config, explicit)).toBe(expected);
});
