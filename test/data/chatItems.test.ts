import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeAnswers, openChatItems, type TrainingItem } from '../../server/data/chatItems';
import { chatTemplateOf, type Message } from '../../server/tokenizer/chatTemplate';
import { openTokenizer, type Tokenizer } from '../../server/tokenizer/tokenizer';
import { available, dataFolder, modelFolder, repoRoot } from '../fixtures';

const dolly = join(dataFolder, 'data/dolly/dolly_hhrlhf_train_small.jsonl');
const folders: Record<string, string> = {
  'smollm2-135m': modelFolder('smollm2-135m'),
  qwen3: join(dataFolder, 'data/tokenizers/qwen3'),
  llama3: join(dataFolder, 'data/tokenizers/llama3'),
  'mistral-v0.1': join(dataFolder, 'data/tokenizers/mistral-v0.1'),
};

/** By transformers; see test/fixtures/chats/make_hashes.py. */
interface Golden {
  name: string;
  template: string | null;
  chats: 'oneTurn' | 'twoTurns';
  sha256: string[];
}
const { golden }: { golden: Golden[] } = JSON.parse(
  readFileSync(join(repoRoot, 'test/fixtures/chats/hashes.json'), 'utf8'),
);

/** With the config.json of the model, by which transformers takes its tokenizer.json as it is. */
function mistralModel(tokenizer: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'espalier-mistral-'));
  cpSync(tokenizer, folder, { recursive: true });
  writeFileSync(join(folder, 'config.json'), '{"model_type": "mistral"}');
  return folder;
}

const chat = (...contents: string[]): Message[] =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
const digest = ({ ids, counted }: TrainingItem) => createHash('sha256').update(ids).update(counted).digest('hex');
const itemsOf = async (tokenizer: Tokenizer, messages: Message[], template = tokenizer.chatTemplate) => {
  if (!template) throw new Error('no template');
  const learned = messages.map(({ role }) => role === 'assistant');
  return openChatItems(tokenizer, template)({ where: 'Row 0', messages, learned, tools: null, variables: {} });
};

describe('the ids and answers of transformers', () => {
  for (const { name, template, chats, sha256 } of golden) {
    const folder = folders[name] ?? '';
    test.skipIf(!available(folder) || !available(dolly))(`${name}, ${chats}`, async () => {
      const tokenizer = await openTokenizer(name === 'mistral-v0.1' ? mistralModel(folder) : folder);
      const rows = readFileSync(dolly, 'utf8')
        .split('\n', 40)
        .map((line): { prompt: string; response: string } => JSON.parse(line));
      const text = (i: number) => [rows[i]?.prompt ?? '', rows[i]?.response ?? ''];
      const digestOf = async (_: string, i: number) => {
        const messages = chats === 'oneTurn' ? chat(...text(i)) : chat(...text(2 * i), ...text(2 * i + 1));
        const items = await itemsOf(
          tokenizer,
          messages,
          template ? chatTemplateOf(template, { bos_token: '<s>', eos_token: '</s>' }) : tokenizer.chatTemplate,
        );
        return digest(items.at(-1)!);
      };
      expect(await Promise.all(sha256.map(digestOf))).toEqual(sha256);
    });
  }
});

const chatMl = `{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;
const inst =
  "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}{% else %}{{ m.content + eos_token }}{% endif %}{% endfor %}";
const template = (source: string) => chatTemplateOf(source, { bos_token: '<s>', eos_token: '</s>' });
const textOf = async (source: string, messages: Message[]) => {
  const prompt = { messages, tools: null, variables: {}, addGenerationPrompt: false };
  const [written] = (await template(source)?.render([prompt])) ?? [];
  return written && 'text' in written ? written.text : '';
};

describe('what counts', () => {
  const kinds = [
    {
      name: 'words that begin with their space',
      folder: folders['smollm2-135m'] ?? '',
      source: chatMl,
      end: '<|im_end|>',
    },
    { name: 'SentencePiece', folder: modelFolder('stories260k'), source: inst, end: '</s>' },
  ];
  const content = fc
    .array(fc.constantFrom('Once', ' upon', ' a time', '\n', '\n\n', '  ', ' ', '7', 'é', '.', 'user', '<', '|', 'e'), {
      minLength: 1,
      maxLength: 8,
    })
    .map((parts) => parts.join(''));

  for (const { name, folder, source, end } of kinds) {
    describe.skipIf(!available(folder))(name, () => {
      let tokenizer: Tokenizer;
      beforeAll(async () => {
        tokenizer = await openTokenizer(folder);
      });
      const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
      const decode = (ids: Iterable<number>) => tokenizer.decode([...ids], { skipSpecialTokens: false });

      test('the ids are those of the whole text, and the first never counts', async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(content, { minLength: 2, maxLength: 6 }), async (contents) => {
            const messages = chat(...contents);
            const nMessages = messages.length - (messages.length % 2);
            const [item] = await itemsOf(tokenizer, messages, template(source));
            const text = await textOf(source, messages.slice(0, nMessages));
            expect([...(item?.ids ?? [])]).toEqual(await encode(text));
            expect(item?.counted.length).toBe(item?.ids.length);
            expect(item?.counted[0]).toBe(0);
            // Every answer has its end-of-turn token, and no question has.
            const ends = [...(item?.ids ?? [])].filter((_, t) => item?.counted[t] === 1).map((id) => decode([id]));
            expect((await Promise.all(ends)).filter((written) => written === end).length).toBe(nMessages / 2);
          }),
        );
      });

      test('an answer counts up to its end of turn, with no more than a token that it shares with what stands before', async () => {
        await fc.assert(
          fc.asyncProperty(content, content, async (question, answer) => {
            const messages = chat(question, answer);
            const [item] = await itemsOf(tokenizer, messages, template(source));
            const counted = [...(item?.ids ?? [])].filter((_, t) => item?.counted[t] === 1);
            const text = await textOf(source, messages);
            const written = await decode(counted);
            expect(text).toContain(written.trimStart());
            expect(written.replaceAll(' ', '')).toMatch(
              new RegExp(`${(answer + end).replaceAll(' ', '').replace(/[.|<>/]/g, '\\$&')}$`),
            );
          }),
        );
      });
    });
  }

  const smollm2 = folders['smollm2-135m'] ?? '';
  test.skipIf(!available(smollm2))('where segments have the ids of the whole, those of the spans count', async () => {
    const tokenizer = await openTokenizer(smollm2);
    const encode = (text: string) => tokenizer.encode(text, { addSpecialTokens: false });
    await fc.assert(
      fc.asyncProperty(fc.array(content, { minLength: 3, maxLength: 7 }), async (parts) => {
        const ids = await Promise.all(parts.map(encode));
        fc.pre(ids.flat().join() === (await encode(parts.join(''))).join());
        const starts = parts.map((_, i) => parts.slice(0, i).join('').length);
        const spans = starts.flatMap((from, i) => (i % 2 === 1 ? [{ from, to: from + (parts[i]?.length ?? 0) }] : []));
        const { counted } = await encodeAnswers(parts.join(''), spans, encode);
        expect([...counted]).toEqual(ids.flatMap((segment, i) => segment.map(() => i % 2)));
      }),
    );
  });

  const stories = modelFolder('stories260k');
  const counts = async (source: string, messages: Message[]) => {
    const tokenizer = await openTokenizer(stories);
    const answers = (await itemsOf(tokenizer, messages, template(source))).map(async ({ ids, counted }) => {
      const answer = [...ids].filter((_, t) => counted[t]);
      return (await tokenizer.decode(answer, { skipSpecialTokens: false })).trim();
    });
    return Promise.all(answers);
  };

  test('a header that a template adds behind every turn is no part of an answer', async () => {
    const always = "{% for m in messages %}{{ m.role + ': ' + m.content + '</s>' }}{% endfor %}{{ 'assistant: ' }}";
    expect(await counts(always, chat('Hi', 'Yes', 'So', 'assistant'))).toEqual(['Yes</s> assistant</s>']);
  });

  const turns = (thought: string) =>
    `{% for m in messages %}{{ m.role + ': ' }}{% if m.role == 'assistant' %}${thought}{% endif %}{{ m.content + '</s>' }}{% endfor %}{% if add_generation_prompt %}{{ 'assistant: ' }}{% endif %}`;

  test('a template that leaves out earlier thoughts makes an item of every answer', async () => {
    const source = turns("{% if loop.last %}{{ '<think></think>' }}{% endif %}");
    const items = await counts(source, chat('Hi', 'Yes', 'So', 'No'));
    expect(items.map((it) => it.replaceAll(' ', ''))).toEqual(['<think></think>Yes</s>', '<think></think>No</s>']);
  });

  test('what ends a text, but no turn, does not part the answers', async () => {
    const source = `${turns('')}{% if not add_generation_prompt %}{{ '\n</s>' }}{% endif %}`;
    expect(await counts(source, chat('Hi', 'Yes', 'So', 'No'))).toEqual(['Yes</s>No</s>']);
  });

  test('an answer without the thought that its prompt begins', async () => {
    const source = turns('').replace("'assistant: '", "'assistant: <think>'");
    expect(await counts(source, chat('Hi', 'Yes', 'So', 'No'))).toEqual(['Yes</s>No</s>']);
  });

  test('an answer to nothing', async () => {
    expect(await counts(turns(''), [{ role: 'assistant', content: 'Yes' }])).toEqual(['Yes</s>']);
  });

  test('one item of all answers where the template leaves earlier turns as they are', async () => {
    expect(await counts(inst, chat('Hi', 'Yes', 'So', 'No'))).toEqual(['Yes</s>No</s>']);
  });

  test('a chat without an answer gives no item', async () => {
    expect(await counts(inst, chat('Hi'))).toEqual([]);
  });

  test('the end-of-turn token is searched behind an answer that has one', async () => {
    expect(await counts(inst, chat('Hi', 'a</s>b'))).toEqual(['a</s> b</s>']);
  });

  test('an answer that cannot be found is refused', async () => {
    const counting =
      "{{ messages|length }}{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}{{ ':' }}{% endif %}";
    await expect(counts(counting, chat('Hi', 'Yes'))).rejects.toMatchObject({
      code: 'badData',
      message: expect.stringMatching(
        /^Row 0: the model's chat template writes what stands before the answer \(message 1\)/,
      ),
    });
  });
});
