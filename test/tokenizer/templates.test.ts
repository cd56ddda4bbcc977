import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { parseExactJson } from '../../server/shared/exactJson';
import { chatTemplateOf, type Message, type Prompt, type WrittenOrRefused } from '../../server/tokenizer/chatTemplate';
import { dataFolder, modelFolder, repoRoot } from '../fixtures';

// golden.json is what transformers writes, as hashes; make_golden.py makes it.
const fixtures = join(repoRoot, 'test/fixtures/templates');
const read = (name: string) => readFileSync(join(fixtures, name), 'utf8');
const { golden }: { golden: Record<string, (string | null)[]> } = JSON.parse(read('golden.json'));
interface Shape {
  messages: Message[];
  tools?: unknown[];
  add_generation_prompt?: boolean;
  kw?: Record<string, unknown>;
}
const shapes = parseExactJson(read('shapes.json')) as Record<string, Shape>;
const prompts = Object.values(shapes).map(
  (shape): Prompt => ({
    messages: shape.messages,
    tools: shape.tools ?? null,
    addGenerationPrompt: shape.add_generation_prompt ?? false,
    variables: shape.kw ?? {},
  }),
);
const tokens = { bos_token: '<s>', eos_token: '</s>', unk_token: '<unk>', pad_token: '<pad>' };

const digest = (written: WrittenOrRefused): string | null => {
  if ('error' in written) return null;
  const parts = [written.text, ...written.generated.map(([from, to]) => written.text.slice(from, to))];
  return createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 12);
};

/** Those beside golden.json, and those of models that are there, which golden.json knows by their hash. */
function sources(): Map<string, string> {
  const found = new Map<string, string>();
  for (const name of readdirSync(fixtures).filter((it) => it.endsWith('.jinja'))) found.set(name, read(name));
  const folders = [join(dataFolder, 'data/tokenizers'), join(dataFolder, 'data/configs'), modelFolder('smollm2-135m')];
  for (const folder of folders.filter(existsSync))
    for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!name.endsWith('tokenizer_config.json')) continue;
      const { chat_template } = JSON.parse(readFileSync(join(folder, name), 'utf8'));
      if (typeof chat_template !== 'string') continue;
      found.set(createHash('sha256').update(chat_template).digest('hex'), chat_template);
    }
  return found;
}

describe('what transformers writes', () => {
  let nWritten = 0;
  let nRefused = 0;
  const all = [...sources()];
  for (const [name, source] of all)
    test(`with the template ${name.slice(0, 16)}`, async () => {
      const written = await chatTemplateOf(source, tokens)!.render(prompts);
      expect(Object.fromEntries(Object.keys(shapes).map((shape, i) => [shape, digest(written[i]!)]))).toEqual(
        Object.fromEntries(Object.keys(shapes).map((shape, i) => [shape, golden[name]?.[i]])),
      );
      nWritten += written.filter((it) => 'text' in it).length;
      nRefused += written.filter((it) => 'error' in it).length;
    });

  afterAll(() => {
    console.log(
      `${all.length} templates, ${prompts.length} shapes of messages: ${nWritten} texts are equal, ${nRefused} are refused by both.`,
    );
  });
});
