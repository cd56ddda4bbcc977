import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
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

const chat = (...contents: string[]): Message[] =>
  contents.map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content }));
const digest = ({ ids, counted }: TrainingItem) => createHash('sha256').update(ids).update(counted).digest('hex');
const itemsOf = (tokenizer: Tokenizer, messages: Message[], template = tokenizer.chatTemplate) => {
  if (!template) throw new Error('no template');
  return openChatItems(tokenizer, template)({ where: 'Row 0', messages });
};

describe('the ids and answers of transformers', () => {
  for (const { name, template, chats, sha256 } of golden) {
    const folder = folders[name] ?? '';
    test.skipIf(!available(folder) || !available(dolly))(`${name}, ${chats}`, async () => {
      const tokenizer = await openTokenizer(folder);
      const rows = readFileSync(dolly, 'utf8')
        .split('\n', 40)
        .map((line): { prompt: string; response: string } => JSON.parse(line));
      const text = (i: number) => [rows[i]?.prompt ?? '', rows[i]?.response ?? ''];
      const found = sha256.map((_, i) => {
        const messages = chats === 'oneTurn' ? chat(...text(i)) : chat(...text(2 * i), ...text(2 * i + 1));
        const items = itemsOf(
          tokenizer,
          messages,
          template ? chatTemplateOf(template, { bos_token: '<s>', eos_token: '</s>' }) : tokenizer.chatTemplate,
        );
        return digest(items.at(-1)!);
      });
      expect(found).toEqual(sha256);
    });
  }
});

const chatMl = `{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}`;
const inst =
  "{{ bos_token }}{% for m in messages %}{% if m.role == 'user' %}{{ '[INST] ' + m.content + ' [/INST]' }}{% else %}{{ m.content + eos_token }}{% endif %}{% endfor %}";
const template = (source: string) => chatTemplateOf(source, { bos_token: '<s>', eos_token: '</s>' });

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

      test('the ids are those of the whole text, and the first never counts', () => {
        fc.assert(
          fc.property(fc.array(content, { minLength: 2, maxLength: 6 }), (contents) => {
            const messages = chat(...contents);
            const nMessages = messages.length - (messages.length % 2);
            const [item] = itemsOf(tokenizer, messages, template(source));
            const options = { addGenerationPrompt: false, where: '' };
            const text = template(source)?.render(messages.slice(0, nMessages), options) ?? '';
            expect([...(item?.ids ?? [])]).toEqual(encode(text));
            expect(item?.counted.length).toBe(item?.ids.length);
            expect(item?.counted[0]).toBe(0);
            // Every answer has its end-of-turn token, and no question has.
            const nEnds = item?.ids.filter((id, t) => item.counted[t] === 1 && decode([id]) === end).length;
            expect(nEnds).toBe(nMessages / 2);
          }),
        );
      });

      test('an answer counts up to its end of turn, with no more than a token that it shares with what stands before', () => {
        fc.assert(
          fc.property(content, content, (question, answer) => {
            const messages = chat(question, answer);
            const [item] = itemsOf(tokenizer, messages, template(source));
            const counted = [...(item?.ids ?? [])].filter((_, t) => item?.counted[t] === 1);
            const text = template(source)?.render(messages, { addGenerationPrompt: false, where: '' }) ?? '';
            expect(text).toContain(decode(counted).trimStart());
            expect(decode(counted).replaceAll(' ', '')).toMatch(
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
    fc.assert(
      fc.property(fc.array(content, { minLength: 3, maxLength: 7 }), (parts) => {
        const ids = parts.map(encode);
        fc.pre(ids.flat().join() === encode(parts.join('')).join());
        const starts = parts.map((_, i) => parts.slice(0, i).join('').length);
        const spans = starts.flatMap((from, i) => (i % 2 === 1 ? [{ from, to: from + (parts[i]?.length ?? 0) }] : []));
        const { counted } = encodeAnswers(parts.join(''), spans, encode);
        expect([...counted]).toEqual(ids.flatMap((segment, i) => segment.map(() => i % 2)));
      }),
    );
  });

  const stories = modelFolder('stories260k');
  const counts = async (source: string, messages: Message[]) => {
    const tokenizer = await openTokenizer(stories);
    return itemsOf(tokenizer, messages, template(source)).map(({ ids, counted }) =>
      tokenizer
        .decode(
          [...ids].filter((_, t) => counted[t]),
          { skipSpecialTokens: false },
        )
        .trim(),
    );
  };

  test('a template that adds a header behind every turn makes an item of every answer, without that header', async () => {
    const always = "{% for m in messages %}{{ m.role + ': ' + m.content + '</s>' }}{% endfor %}{{ 'assistant: ' }}";
    expect(await counts(always, chat('Hi', 'Yes', 'So', 'No'))).toEqual(['Yes</s>', 'No</s>']);
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
    const thinking =
      "{% for m in messages %}{{ m.content }}{% endfor %}{% if add_generation_prompt %}{{ '<think>' }}{% endif %}";
    await expect(counts(thinking, chat('Hi', 'Yes'))).rejects.toMatchObject({
      code: 'badData',
      message: expect.stringMatching(
        /^Row 0: the model's chat template writes what stands before the answer \(message 1\)/,
      ),
    });
  });
});
