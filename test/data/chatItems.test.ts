import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
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
const golden: Golden[] = JSON.parse(readFileSync(join(repoRoot, 'test/fixtures/chats/hashes.json'), 'utf8'));

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
