// The fake hub takes what huggingface_hub's own `hf` publishes, as ours does; and what we publish and pull again is the same to the bit,
// and opens in transformers and PEFT to our own numbers.
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withCheckpoint } from '../../server/checkpoint/checkpoint';
import { topTokens } from '../../server/execution/topTokens';
import { withDevice, withModel } from '../../server/recipes/recipeContext';
import { generateKind } from '../../server/recipes/generate/recipe';
import { mergeKind } from '../../server/recipes/merge/recipe';
import { perplexityKind } from '../../server/recipes/perplexity/recipe';
import { start } from '../cli/espalier';
import { repoRoot } from '../fixtures';
import { sha256 } from '../hub/fake/answer';
import { commitOf } from '../hub/fake/repositories';
import { type FakeHub, openFakeHub } from '../hub/fakeHub';
import { openHealings } from '../recipes/healing';
import { onCpu, runHere } from '../recipes/runHere';
import { python } from './python';

const root = realpathSync(mkdtempSync(join(tmpdir(), 'publish-')));
const token = 'hf_ofATest';
const timeout = 5 * 60_000;
let hub: FakeHub;
let inParts: FakeHub;
const { pruned, dense, heal } = openHealings();
beforeAll(async () => {
  hub = await openFakeHub({});
  inParts = await openFakeHub({}, { partBytes: 100_000 });
  await ask(hub, 'scan', root);
}, 30 * 60_000);
afterAll(async () => {
  await hub.close();
  await inParts.close();
  rmSync(root, { recursive: true, force: true });
});

const run = promisify(execFile);
const cache = join(root, 'cache');
mkdirSync(cache);
const environment = ({ endpoint }: FakeHub) => ({
  ...process.env,
  ...{ HF_ENDPOINT: endpoint, HF_HUB_CACHE: cache, HF_TOKEN: token, HF_HOME: join(root, 'home'), NO_COLOR: '1' },
  ...{ HF_HUB_DISABLE_XET: '1', HF_HUB_DISABLE_UPDATE_CHECK: '1', HF_HUB_DISABLE_TELEMETRY: '1' },
});
const hf = (on: FakeHub, ...args: string[]) => run(join(dirname(python), 'hf'), args, { env: environment(on) });

async function ask<Answer>(on: FakeHub, ...args: string[]): Promise<Answer> {
  const runPython = join(repoRoot, 'test/python/run.sh');
  const { stdout } = await run(runPython, ['check_pulled.py', ...args], { env: environment(on) });
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Answer;
}

async function espalier(...args: string[]) {
  const set = { HF_ENDPOINT: hub.endpoint, HF_HUB_CACHE: cache, HF_TOKEN: token };
  Object.assign(process.env, set);
  try {
    const { code, stderr } = await start([...args, '--quiet'], root).ended;
    expect({ code, stderr: stderr.replace(/^Warning: .*\n/gm, '') }).toEqual({ code: 0, stderr: '' });
  } finally {
    for (const name of Object.keys(set)) delete process.env[name];
  }
}

const filesOf = ({ state }: FakeHub, name: string, revision = 'main') => {
  const repository = state.repositories.get(name)!;
  return repository.commits.get(commitOf(repository, revision)!)!;
};
const snapshotOf = (name: string) => {
  const snapshots = join(cache, `models--${name.replace('/', '--')}/snapshots`);
  return join(snapshots, readdirSync(snapshots)[0]!);
};

describe('the fake hub', () => {
  it.each([
    { how: 'whole', on: () => hub },
    { how: 'in parts', on: () => inParts },
  ])(
    'takes a folder from hf upload $how, a tag from hf repos tag create, and gives both to hf download',
    { timeout },
    async ({ on }) => {
      await hf(on(), 'upload', 'o/theirs', pruned, '.', '--private');
      await hf(on(), 'repos', 'tag', 'create', 'o/theirs', 'v1');
      expect(on().state.repositories.get('o/theirs')!.isPrivate).toBe(true);
      const names = readdirSync(pruned);
      const files = filesOf(on(), 'o/theirs', 'v1');
      for (const name of names) expect(sha256(files.get(name)!), name).toBe(sha256(readFileSync(join(pruned, name))));
      const to = mkdtempSync(join(root, 'download-'));
      await hf(on(), 'download', 'o/theirs', '--revision', 'v1', '--local-dir', to);
      for (const name of names)
        expect(readFileSync(join(to, name)).equals(readFileSync(join(pruned, name))), name).toBe(true);
    },
  );
});

describe('what is published and pulled again', () => {
  it('is a model that is equal to the bit, and opens in transformers to our own words and loss', {
    timeout,
  }, async () => {
    await espalier('publish', pruned, '--original', dense, '--repo', 'o/pruned');
    await espalier('pull', 'o/pruned');
    const pulled = snapshotOf('o/pruned');
    for (const name of readdirSync(pruned))
      expect(readFileSync(join(pulled, name)).equals(readFileSync(join(pruned, name))), name).toBe(true);
    const theirs = await ask<Theirs>(hub, 'offline', 'o/pruned');
    expect((await generated(pulled)).trim()).toContain(theirs.text.trim());
    expect(Math.abs((await lossOf(pulled, theirs.ids)) - theirs.lossNats)).toBeLessThan(1e-3);
    expect(await largestDifference(pulled, theirs)).toBeLessThan(1e-3);
  });

  it('is an adapter that is equal to the bit, and opens in PEFT to the words and the loss of the merged model', {
    timeout,
  }, async () => {
    const { out } = await heal({ loop: { steps: 4 } } as never);
    await espalier('publish', out, '--original', pruned, '--repo', 'o/adapter');
    await espalier('pull', 'o/adapter');
    const pulled = snapshotOf('o/adapter');
    const weights = 'adapter_model.safetensors';
    expect(readFileSync(join(pulled, weights)).equals(readFileSync(join(out, weights)))).toBe(true);
    const merged = join(root, 'merged');
    await runHere<'merge'>(
      mergeKind.schema.parse({ kind: 'merge', model: pruned, adapter: out, out: merged, dtype: 'f32' }),
    );
    const theirs = await ask<Theirs>(hub, 'adapter', 'o/adapter', pruned);
    expect((await generated(merged)).trim()).toContain(theirs.text.trim());
    expect(Math.abs((await lossOf(merged, theirs.ids)) - theirs.lossNats)).toBeLessThan(1e-3);
    expect(await largestDifference(merged, theirs)).toBeLessThan(1e-3);
  });
});

interface Theirs {
  text: string;
  ids: number[];
  lossNats: number;
  /** Of all tokens after each of the prompt's but the last. */
  every: { ids: number[]; logProbabilities: number[] };
}

/** Between our log-probability and theirs of any token after any of the prompt's: that of logits, less what all have in common. */
async function largestDifference(folder: string, { ids, every }: Theirs): Promise<number> {
  const run = { signal: new AbortController().signal, emit: () => {} };
  const work = { nSequences: 1, tokensPerSequence: ids.length, keepStates: false };
  const ours = await withCheckpoint(folder, (checkpoint) =>
    withDevice(onCpu, (device) =>
      withModel(checkpoint, device, onCpu, work, run, async (model) => {
        const options = { topK: checkpoint.config.vocabularySize, temperature: 1, signal: run.signal };
        return (await topTokens(model, [Int32Array.from(ids)], options))[0]!;
      }),
    ),
  );
  expect(every.ids).toHaveLength(ours.ids.length);
  const placed = (id: number, i: number) => Math.floor(i / ours.topK) * ours.topK + id;
  const theirs = new Float64Array(every.ids.length);
  for (const [i, id] of every.ids.entries()) theirs[placed(id, i)] = every.logProbabilities[i]!;
  return [...ours.ids].reduce(
    (most, id, i) => Math.max(most, Math.abs(ours.logProbabilities[i]! - theirs[placed(id, i)]!)),
    0,
  );
}

async function generated(model: string): Promise<string> {
  const recipe = { kind: 'generate', model, prompt: 'Once upon a time', maxTokens: 8 };
  return (await runHere<'generate'>(generateKind.schema.parse(recipe))).text;
}

async function lossOf(model: string, ids: number[]): Promise<number> {
  const file = join(root, 'ids.json');
  writeFileSync(file, JSON.stringify([ids]));
  const source = { kind: 'ids', file };
  const report = await runHere<'perplexity'>(
    perplexityKind.schema.parse({ kind: 'perplexity', models: [model], source }),
  );
  return report.models[0]!.lossNats;
}
