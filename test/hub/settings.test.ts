// What the environment says of the hub, and which names are names of repositories. The rows are what huggingface_hub 2.4 does
// (constants.py, utils/_auth.py, utils/_validators.py).
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { readHubSettings } from '../../server/hub/hubSettings';
import { neededFiles } from '../../server/hub/neededFiles';
import { parseRepository } from '../../server/shared/repositoryName';
import { refusal } from '../refusal';

const root = mkdtempSync(join(tmpdir(), 'hub-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const at = (name: string) => join(root, name);
for (const [name, text] of [
  ['home/.cache/huggingface/token', 'hf_saved\n'],
  ['elsewhere', ' hf_elsewhere \r\n'],
  ['hf/token', 'hf_ofHome'],
  ['empty', '\n'],
  ['broken', 'hf_a\u0001b'],
] as const) {
  mkdirSync(join(at(name), '..'), { recursive: true });
  writeFileSync(at(name), text);
}

describe('the token', () => {
  it.each([
    { environment: { HF_TOKEN: 'hf_a', HUGGING_FACE_HUB_TOKEN: 'hf_b' }, token: { value: 'hf_a', from: 'HF_TOKEN' } },
    { environment: { HUGGING_FACE_HUB_TOKEN: 'hf_b' }, token: { value: 'hf_b', from: 'HUGGING_FACE_HUB_TOKEN' } },
    { environment: { HF_TOKEN: ' hf_a\n' }, token: { value: 'hf_a', from: 'HF_TOKEN' } },
    { environment: { HF_TOKEN: '' }, token: { value: 'hf_saved', from: at('home/.cache/huggingface/token') } },
    { environment: { HF_HOME: at('hf') }, token: { value: 'hf_ofHome', from: at('hf/token') } },
    {
      environment: { HF_TOKEN_PATH: at('elsewhere'), HF_HOME: at('hf') },
      token: { value: 'hf_elsewhere', from: at('elsewhere') },
    },
    { environment: { HF_TOKEN_PATH: at('empty') }, token: null },
    { environment: { HF_TOKEN_PATH: at('nowhere') }, token: null },
  ])('of $environment is $token.value', async ({ environment, token }) => {
    expect((await readHubSettings(environment, at('home'))).token).toEqual(token);
  });

  it.each([
    { environment: { HF_TOKEN: 'hf_a b' }, from: 'HF_TOKEN' },
    { environment: { HF_TOKEN_PATH: at('broken') }, from: at('broken') },
  ])('of $environment is refused without being said', async ({ environment, from }) => {
    const error = await readHubSettings(environment, at('home')).catch((thrown) => thrown);
    expect(error).toMatchObject({
      code: 'usage',
      message: expect.stringContaining(`${from} holds no token of the hub`),
    });
    expect(error.message).not.toContain('hf_');
  });
});

describe('the endpoint', () => {
  it.each([
    [undefined, 'https://huggingface.co/'],
    ['https://hf-mirror.com', 'https://hf-mirror.com/'],
    ['http://host:1/hub/', 'http://host:1/hub/'],
  ])('%s is %s', async (HF_ENDPOINT, href) => {
    expect((await readHubSettings({ HF_ENDPOINT }, at('home'))).endpoint.href).toBe(href);
  });

  it.each(['nothing', 'ftp://host', 'https://me:secret@host'])('%s is refused', async (HF_ENDPOINT) => {
    const error = await readHubSettings({ HF_ENDPOINT }, at('home')).catch((thrown) => thrown);
    expect(error).toMatchObject({ code: 'usage', message: expect.stringMatching(/^HF_ENDPOINT /) });
    expect(error.message).not.toContain('secret');
  });
});

it.each([
  [{ HF_HUB_OFFLINE: '1' }, true],
  [{ HF_HUB_OFFLINE: 'yes' }, true],
  [{ TRANSFORMERS_OFFLINE: 'ON' }, true],
  [{ HF_HUB_OFFLINE: '0', TRANSFORMERS_OFFLINE: '1' }, false],
  [{}, false],
])('%o means offline: %s', async (environment, isOffline) => {
  expect((await readHubSettings(environment, at('home'))).isOffline).toBe(isOffline);
});

describe('a repository', () => {
  it.each([
    ['o/n', 'o/n', 'main'],
    ['gpt2', 'gpt2', 'main'],
    ['HuggingFaceTB/SmolLM2-135M@v1.0', 'HuggingFaceTB/SmolLM2-135M', 'v1.0'],
    ['o/n@refs/pr/1', 'o/n', 'refs/pr/1'],
    ['https://huggingface.co/o/n', 'o/n', 'main'],
    ['https://huggingface.co/o/n/tree/v1?x=1', 'o/n', 'v1'],
  ])('%s is %s at %s', (text, repository, revision) => {
    expect(parseRepository(text)).toEqual({ repository, revision });
  });

  it.each([
    '',
    'o/n/m',
    '../n',
    'o/..',
    'o--n',
    'o/n.git',
    '.o/n',
    'o/n@',
    'o/n@../x',
    'o/n@a@b',
    'o/n@a/../../b',
    'o\\n',
    'https://huggingface.co/datasets/o/n',
    'o/n@.lock',
  ])('%s is refused', (text) => {
    expect(refusal(() => parseRepository(text))).toMatch(/^usage: "/);
  });
});

describe('the files that are needed', () => {
  const config = 'config.json';
  it.each([
    {
      what: 'a single file before an index',
      paths: [config, 'model.safetensors', 'model.safetensors.index.json', 'model-1.safetensors'],
      files: [config, 'model.safetensors'],
      index: null,
    },
    {
      what: 'an index',
      paths: [config, 'model.safetensors.index.json', 'model-1.safetensors', 'pytorch_model.bin'],
      files: [config, 'model.safetensors.index.json'],
      index: 'model.safetensors.index.json',
    },
    {
      what: 'an adapter alone',
      paths: ['adapter_config.json', 'adapter_model.safetensors', 'adapter_model.bin'],
      files: ['adapter_config.json', 'adapter_model.safetensors'],
      index: null,
    },
    {
      what: 'a model with an adapter beside it',
      paths: [config, 'model.safetensors', 'adapter_config.json', 'adapter_model.safetensors'],
      files: [config, 'model.safetensors'],
      index: null,
    },
    {
      what: 'vocabularies and licences',
      paths: [
        'tokenizer.model',
        'LICENSE.txt',
        'NOTICE',
        'USE_POLICY.md',
        'LICENSE.py',
        'x/tokenizer.json',
        'model.safetensors',
      ],
      files: ['tokenizer.model', 'LICENSE.txt', 'NOTICE', 'USE_POLICY.md', 'model.safetensors'],
      index: null,
    },
  ])('of $what', ({ paths, files, index }) => {
    expect(neededFiles('o/n', paths)).toEqual({ files, index });
  });

  it.each([
    [['model.gguf'], /but weights for llama\.cpp, such as model\.gguf;/],
    [['tf_model.h5'], /but weights for other programs, such as tf_model\.h5;/],
    [['x.safetensors'], /but weights under a name that transformers does not read, such as x\.safetensors;/],
    [['README.md'], /^unsupportedModel: o\/n has no model\.safetensors; choose/],
  ])('of %s are refused', (paths, says) => {
    expect(refusal(() => neededFiles('o/n', paths))).toMatch(says);
  });
});
