// The fake hub is one to huggingface_hub's own `hf download`, its cache and ours are one, and transformers opens what we pulled
// without a network.
import { execFile } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { start } from '../cli/espalier';
import { modelFolder, repoRoot } from '../fixtures';
import { sha256 } from '../hub/fake/answer';
import { isLarge } from '../hub/fake/repositories';
import { type FakeHub, openFakeHub } from '../hub/fakeHub';
import { beside, sharded, shards } from '../hub/models';
import { generateKind } from '../../server/recipes/generate/recipe';
import { runHere } from '../recipes/runHere';
import { python } from './python';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'pull-')));
const stories = modelFolder('stories260k');
const storyFiles = Object.fromEntries(
  readdirSync(stories).map((name) => [name, readFileSync(join(stories, name))] as const),
);
const token = 'hf_ofATest';
let hub: FakeHub;
beforeAll(async () => {
  hub = await openFakeHub({
    'o/stories': { files: storyFiles },
    'o/sharded': sharded,
    'o/gated': { ...sharded, gatedTo: [token] },
  });
  await ask(root, 'scan', root);
}, 30 * 60_000);
afterAll(async () => {
  await hub.close();
  rmSync(root, { recursive: true, force: true });
});

const run = promisify(execFile);
const environment = (cache: string) => ({
  ...process.env,
  ...{ HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_TOKEN: token, HF_HOME: join(root, 'home'), NO_COLOR: '1' },
  ...{ HF_HUB_DISABLE_XET: '1', HF_HUB_DISABLE_UPDATE_CHECK: '1', HF_HUB_DISABLE_TELEMETRY: '1' },
});
const hf = (cache: string, ...args: string[]) =>
  run(join(dirname(python), 'hf'), ['download', ...args], { env: environment(cache) });

async function ask<Answer>(cache: string, ...args: string[]): Promise<Answer> {
  const runPython = join(repoRoot, 'test/python/run.sh');
  const { stdout } = await run(runPython, ['check_pulled.py', ...args], { env: environment(cache) });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Answer;
}

async function pull(cache: string, name: string) {
  Object.assign(process.env, { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_TOKEN: token });
  try {
    return await start(['pull', name, '--quiet'], root).ended;
  } finally {
    for (const variable of ['HF_ENDPOINT', 'HF_HUB_CACHE', 'HF_TOKEN']) delete process.env[variable];
  }
}

const snapshotOf = (cache: string, name: string) =>
  join(cache, `models--${name.replace('/', '--')}/snapshots`, 'a'.repeat(40));
const timeout = 5 * 60_000;

describe('the fake hub', () => {
  it.each(['o/sharded', 'o/gated'])('gives %s to hf download', { timeout }, async (name) => {
    const cache = join(root, `hf ${name.replace('/', ' ')}`);
    await hf(cache, name);
    for (const [file, content] of Object.entries(sharded.files))
      expect(sha256(readFileSync(join(snapshotOf(cache, name), file))), file).toBe(sha256(Buffer.from(content)));
  });

  it('gives hf download what is missing alone, after our pull of a part', { timeout }, async () => {
    const cache = join(root, 'ours first');
    expect(await pull(cache, 'o/sharded')).toMatchObject({ code: 0 });
    hub.asked.length = 0;
    await hf(cache, 'o/sharded');
    const ours = [...Object.keys(beside), ...Object.keys(shards)];
    const fetched = hub.asked.filter(({ method, path }) => method === 'GET' && /\/resolve\/|signature/.test(path));
    expect(fetched.filter(({ path }) => ours.some((file) => path.includes(`/${file}`)))).toEqual([]);
    expect(fetched.length).toBeGreaterThan(0);
  });
});

describe('one cache', () => {
  it('that hf download has filled, gives us nothing to fetch', { timeout }, async () => {
    const cache = join(root, 'theirs first');
    await hf(cache, 'o/sharded');
    hub.asked.length = 0;
    expect(await pull(cache, 'o/sharded')).toMatchObject({ code: 0 });
    expect(hub.asked.filter(({ path }) => /\/resolve\/|signature/.test(path))).toEqual([]);
  });

  it('is whole after both have filled it at the same time', { timeout }, async () => {
    const cache = join(root, 'both');
    const [theirs, ours] = await Promise.allSettled([hf(cache, 'o/sharded'), pull(cache, 'o/sharded')]);
    expect(theirs.status).toBe('fulfilled');
    expect(ours).toMatchObject({ status: 'fulfilled', value: { code: 0, stderr: '' } });
    for (const [file, content] of Object.entries(sharded.files))
      expect(sha256(readFileSync(join(snapshotOf(cache, 'o/sharded'), file))), file).toBe(sha256(Buffer.from(content)));
    const blobs = readdirSync(join(cache, 'models--o--sharded/blobs'));
    expect(blobs.filter((name) => name.includes('incomplete'))).toEqual([]);
    for (const content of Object.values(sharded.files))
      if (isLarge(Buffer.from(content))) expect(blobs).toContain(sha256(Buffer.from(content)));
  });

  it('is one without fault to huggingface_hub, and opens in transformers offline, to our own words', {
    timeout,
  }, async () => {
    const cache = join(root, 'stories');
    expect(await pull(cache, 'o/stories')).toMatchObject({ code: 0 });
    const { repositories, warnings } = await ask<{ repositories: Record<string, string[]>; warnings: string[] }>(
      cache,
      'scan',
      cache,
    );
    expect(warnings).toEqual([]);
    expect(repositories['o/stories']).toContain('model.safetensors');
    const { text } = await ask<{ text: string }>(cache, 'offline', 'o/stories');
    const recipe = {
      kind: 'generate',
      model: snapshotOf(cache, 'o/stories'),
      prompt: 'Once upon a time',
      maxTokens: 8,
    };
    const own = await runHere<'generate'>(generateKind.schema.parse(recipe));
    expect(own.text.trim()).toContain(text.trim());
  });
});
