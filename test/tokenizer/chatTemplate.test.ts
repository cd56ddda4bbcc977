import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type ChatTemplate, chatTemplateOf, type Prompt, textOrThrow } from '../../server/tokenizer/chatTemplate';
import { renderJobs } from '../../server/tokenizer/templateThread';
import { openTokenizer } from '../../server/tokenizer/tokenizer';
import { modelFolder } from '../fixtures';

const prompt: Prompt = {
  messages: [{ role: 'user', content: 'Hi' }],
  tools: null,
  variables: {},
  addGenerationPrompt: false,
};
const written = async (template: ChatTemplate | null, changes: Partial<Prompt> = {}) => {
  const [result] = (await template?.render([{ ...prompt, ...changes }])) ?? [];
  return textOrThrow(result!, 'Row 3 of a.jsonl').text;
};
const render = (source: unknown, changes: Partial<Prompt> = {}) =>
  written(chatTemplateOf(source, { bos_token: '<s>' }), changes);

describe('a chat template', () => {
  // Each by jinja2 3.1.6, set up as transformers 5.24 does, with the day of render.py.
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
  test.each(rows)('%s', async (_, source, expected) => {
    expect(await render(source)).toBe(expected);
  });

  test('knows whether an answer is asked for', async () => {
    const source = '{% if add_generation_prompt %}assistant:{% endif %}';
    expect(await render(source)).toBe('');
    expect(await render(source, { addGenerationPrompt: true })).toBe('assistant:');
  });

  const several = [
    { name: 'tool_use', template: '{{ tools|length }} tools' },
    { name: 'default', template: 'first' },
    { name: 'default', template: 'last' },
  ];
  test.each([
    ['of several, the last one named default', several, null, 'last'],
    ['of several, the one for tools where there are some', several, [{ name: 'f' }], '1 tools'],
    ['of several, the one for tools where there could be some', several, [], '0 tools'],
    ['without one for tools, the one named default', several.slice(1), [{ name: 'f' }], 'last'],
  ])('%s', async (_, source, tools, expected) => {
    expect(await render(source, { tools })).toBe(expected);
  });

  const failures: [string, unknown, RegExp][] = [
    [
      'messages that it refuses',
      "{{ raise_exception('Roles must alternate.') }}",
      /^Row 3 of a\.jsonl does not go through the model's chat template \(Roles must alternate\); change/,
    ],
    ['a filter that is not there', '{{ messages | nothing }}', /is not understood \(No filter named 'nothing'\); /],
    ['a method that is not there', "{{ 'a'.nothing() }}", /\('str object' has no attribute 'nothing'\); change/],
    [
      'what leads out of the sandbox',
      "{{ ''.__class__.__mro__ }}",
      /\(access to attribute '__class__' of 'str' object/,
    ],
    ['a value of another kind', "{{ 'a' + 1 }}", /\(TypeError: can only concatenate str/],
    [
      'a macro that calls itself',
      '{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}',
      /\(it calls itself without an end\)/,
    ],
    ['a range that is too long', '{% for i in range(1000000) %}a{% endfor %}', /\(OverflowError: Range too big/],
    [
      'too long a text',
      "{% for i in range(99) %}{{ 'a' * 500000 * (i + 1) }}{% endfor %}",
      /\(it needs more memory than a template may have\)/,
    ],
    [
      'a list that grows without an end',
      "{% set ns = namespace(a=['a']) %}{% for i in range(99) %}{% set ns.a = ns.a + ns.a %}{% endfor %}",
      /\(it needs more memory/,
    ],
    [
      'no Jinja',
      '{% if %}',
      /^The model's chat template is not understood \(.+\); repair it, or give the data as text\.$/,
    ],
    [
      'several without a default',
      [{ name: 'rag', template: 'a' }],
      /is a list in which none is named default, but rag; /,
    ],
    ['something else', 7, /is neither a text nor a list of named ones; /],
  ];
  test.each(failures)('%s', async (_, source, message) => {
    await expect(render(source)).rejects.toMatchObject({ code: 'badData', message: expect.stringMatching(message) });
  });

  test('one that does not end is ended, and the next is written', async () => {
    const loop = '{% for a in range(99999) %}{% for b in range(99999) %}{% set c = a %}{% endfor %}{% endfor %}';
    const request = { source: loop, variables: {}, jobs: [prompt] };
    expect(await renderJobs(request, 200)).toEqual([{ error: 'it does not end within 0.2 s' }]);
    expect(await render('{{ 1 }}')).toBe('1');
  });
});

describe('the template of a folder', () => {
  const stories = modelFolder('stories260k');
  const open = (files: Record<string, string>) => {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-chat-'));
    writeFileSync(join(folder, 'tokenizer.json'), readFileSync(join(stories, 'tokenizer.json')));
    mkdirSync(join(folder, 'additional_chat_templates'));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    return openTokenizer(folder);
  };
  const config = (fields: object) => JSON.stringify({ bos_token: { content: '<s>' }, ...fields });

  test('none', async () => {
    expect((await open({})).chatTemplate).toBeNull();
    expect((await open({ 'tokenizer_config.json': config({ chat_template: null }) })).chatTemplate).toBeNull();
  });

  const places: [string, Record<string, string>, unknown[] | null, string][] = [
    [
      'in tokenizer_config.json',
      { 'tokenizer_config.json': config({ chat_template: '{{ bos_token }}a' }) },
      null,
      '<s>a',
    ],
    [
      'in chat_template.jinja, which goes first',
      { 'tokenizer_config.json': config({ chat_template: 'a' }), 'chat_template.jinja': 'b\r\nc' },
      null,
      'b\nc',
    ],
    ['in chat_template.json', { 'chat_template.json': JSON.stringify({ chat_template: 'c' }) }, null, 'c'],
    [
      'in tokenizer_config.json, which goes before chat_template.json',
      { 'tokenizer_config.json': config({ chat_template: 'a' }), 'chat_template.json': '{ "chat_template": "c" }' },
      null,
      'a',
    ],
    [
      'in additional_chat_templates for tools',
      { 'chat_template.jinja': 'b', 'additional_chat_templates/tool_use.jinja': 'd' },
      [{}],
      'd',
    ],
    [
      'with the names of all special tokens',
      {
        'tokenizer_config.json': config({ cls_token: '<c>', sep_token: { content: '<p>' }, pad_token: null }),
        'chat_template.jinja': '{{ bos_token ~ cls_token ~ sep_token ~ pad_token is defined }}',
      },
      null,
      '<s><c><p>False',
    ],
  ];
  test.each(places)('%s', async (_, files, tools, expected) => {
    expect(await written((await open(files)).chatTemplate, { tools })).toBe(expected);
  });

  test('a broken one harms nobody who does not need it', async () => {
    const tokenizer = await open({ 'tokenizer_config.json': config({ chat_template: { a: 1 } }) });
    expect(tokenizer.specialTokens).toEqual(['<unk>', '<s>', '</s>']);
    await expect(written(tokenizer.chatTemplate)).rejects.toThrow('is neither a text nor');
  });
});
