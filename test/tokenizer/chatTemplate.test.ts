import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { chatTemplateOf } from '../../server/tokenizer/chatTemplate';
import { openTokenizer } from '../../server/tokenizer/tokenizer';
import { modelFolder } from '../fixtures';

const options = { addGenerationPrompt: false, where: 'Row 3 of a.jsonl' };
const messages = [{ role: 'user', content: 'Hi' }];
const render = (source: unknown, changes: Partial<typeof options> = {}) =>
  chatTemplateOf(source, { bos_token: '<s>' })?.render(messages, { ...options, ...changes });

describe('a chat template', () => {
  // Each by jinja2 3.1.6, set up as transformers 5.23 does, with the day of chatTemplate.ts.
  const rows: [string, string, string][] = [
    ['knows the special tokens', '{{ bos_token }}{{ eos_token }}|', '<s>|'],
    ['takes the line ends of blocks away', '{% if true %}\n  {% if messages %}\na\n{% endif %}\n{% endif %}', 'a\n'],
    [
      'says None, True and False in both ways',
      "{{ 'yes' if none is none and None is none and true == True and not False else 'no' }}",
      'yes',
    ],
    ['counts', '{% for i in range(3) %}{{ i }}{% endfor %}{% for i in range(5, 1, -2) %}{{ i }}{% endfor %}', '01253'],
    ['has no tools', "{{ 'no' if tools or documents is not defined else 'yes' }}", 'yes'],
    [
      'has its own names',
      '{% set ns = namespace(n=1) %}{% for m in messages %}{% set ns.n = 2 %}{% endfor %}{{ ns.n }}',
      '2',
    ],
    [
      'has a day that stands still',
      "{{ strftime_now('%d %b %Y') }}, {{ strftime_now('%A %d %B') }}",
      '26 Jul 2024, Friday 26 July',
    ],
    ['passes over the marks of an answer', '{% generation %}{{ messages[0].content }}{% endgeneration %}', 'Hi'],
  ];
  test.each(rows)('%s', (_, source, expected) => {
    expect(render(source)).toBe(expected);
  });

  test('knows whether an answer is asked for', () => {
    const source = '{% if add_generation_prompt %}assistant:{% endif %}';
    expect(render(source)).toBe('');
    expect(render(source, { addGenerationPrompt: true })).toBe('assistant:');
  });

  test('of several, the one named default', () => {
    expect(
      render([
        { name: 'rag', template: 'a' },
        { name: 'default', template: 'b' },
      ]),
    ).toBe('b');
  });

  const failures: [string, unknown, RegExp][] = [
    [
      'messages that it refuses',
      "{{ raise_exception('Roles must alternate.') }}",
      /^Row 3 of a\.jsonl does not go through the model's chat template \(Roles must alternate\); change/,
    ],
    ['a filter that is not there', '{{ messages | nothing }}', /^Row 3 of a\.jsonl does not go through/],
    [
      'no Jinja',
      '{% if %}',
      /^The model's chat template is not understood \(.+\); repair it, or give the data as text\.$/,
    ],
    ['several without a default', [{ name: 'rag', template: 'a' }], /is a list in which none is named default; /],
    ['something else', 7, /is neither a text nor a list of named ones; /],
  ];
  test.each(failures)('%s', (_, source, message) => {
    expect(() => render(source)).toThrow(
      expect.objectContaining({ code: 'badData', message: expect.stringMatching(message) }),
    );
  });
});

describe('the template of a folder', () => {
  const stories = modelFolder('stories260k');
  const open = (files: Record<string, string>) => {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-chat-'));
    writeFileSync(join(folder, 'tokenizer.json'), readFileSync(join(stories, 'tokenizer.json')));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return openTokenizer(folder);
  };
  const config = (fields: object) => JSON.stringify({ bos_token: { content: '<s>' }, ...fields });

  test('none', async () => {
    expect((await open({})).chatTemplate).toBeNull();
    expect((await open({ 'tokenizer_config.json': config({ chat_template: null }) })).chatTemplate).toBeNull();
  });

  test('in tokenizer_config.json', async () => {
    const tokenizer = await open({ 'tokenizer_config.json': config({ chat_template: '{{ bos_token }}a' }) });
    expect(tokenizer.chatTemplate?.render(messages, options)).toBe('<s>a');
  });

  test('in chat_template.jinja, which goes first', async () => {
    const files = { 'tokenizer_config.json': config({ chat_template: 'a' }), 'chat_template.jinja': 'b' };
    expect((await open(files)).chatTemplate?.render(messages, options)).toBe('b');
  });

  test('a broken one harms nobody who does not need it', async () => {
    const tokenizer = await open({ 'tokenizer_config.json': config({ chat_template: { a: 1 } }) });
    expect(tokenizer.specialTokens).toEqual(['<unk>', '<s>', '</s>']);
    expect(() => tokenizer.chatTemplate?.render(messages, options)).toThrow('is neither a text nor');
  });
});
