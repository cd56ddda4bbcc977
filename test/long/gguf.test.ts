// llama.cpp itself opens what we export and writes the tokens that we write: every family's tiny model, and SmolLM2-135M whole, pruned,
// without some sublayers, and healed. The first run installs node-llama-cpp in the cache folder (80 MB).
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type Checkpoint, withCheckpoint } from '../../server/checkpoint/checkpoint';
import { writeWithoutBlocks } from '../../server/checkpoint/surgery';
import { writeWeightFiles } from '../../server/checkpoint/weightFiles';
import { generate } from '../../server/execution/decode';
import { planExecution } from '../../server/execution/memoryPlan';
import { residentStore } from '../../server/execution/weightStore';
import { writeGguf } from '../../server/gguf/writeGguf';
import type { FileType } from '../../server/gguf/tensors';
import { openDevice } from '../../server/runtime/device';
import { ofBlocks } from '../../server/shared/dropSets';
import { openTokenizer } from '../../server/tokenizer/tokenizer';
import { espalier } from '../cli/inProcess';
import { available, modelFolder, repoRoot } from '../fixtures';

// llama.cpp has no name for a tokenizer of 60 tokens.
vi.mock(import('../../server/gguf/preTokenizers'), async (load) => {
  const real = await load();
  return { ...real, preTokenizerOf: (ids) => real.preTokenizerOf(ids) ?? 'smollm' };
});

// Nor does it open one of SentencePiece without all bytes.
vi.mock(import('../../server/gguf/architectures'), async (load) => {
  const real = await load();
  const gemma2 = { ...real.architectures.gemma2!, vocabulary: 'bpe' as const };
  return { ...real, architectures: { ...real.architectures, gemma2 } };
});

const cacheFolder = process.env.ESPALIER_CACHE ?? join(homedir(), '.cache/espalier');
const llamaFolder = join(cacheFolder, 'node-llama-cpp');
const version = '3.21.1';
const root = mkdtempSync(join(tmpdir(), 'gguf-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Of its packages for each machine only this machine's, and no script of any of them. */
beforeAll(() => {
  if (existsSync(join(llamaFolder, 'node_modules/node-llama-cpp'))) return;
  mkdirSync(llamaFolder, { recursive: true });
  writeFileSync(join(llamaFolder, 'package.json'), '{ "private": true }');
  const binaries = `@node-llama-cpp/${process.platform}-${process.arch}@${version}`;
  const options = ['--omit=optional', '--ignore-scripts', '--no-audit', '--no-fund'];
  execFileSync('npm', ['install', `node-llama-cpp@${version}`, binaries, ...options], { cwd: llamaFolder });
}, 10 * 60_000);

interface Job {
  readonly path: string;
  readonly ids: readonly number[];
  readonly nTokens: number;
}

function byLlamaCpp(jobs: readonly Job[]): number[][] {
  const script = join(repoRoot, 'test/long/llamaCpp.mjs');
  return JSON.parse(execFileSync(process.execPath, [script, llamaFolder, JSON.stringify(jobs)], { encoding: 'utf8' }));
}

async function byEspalier(checkpoint: Checkpoint, { ids, nTokens }: Job): Promise<number[]> {
  const { config } = checkpoint;
  const device = await openDevice({ provider: 'cpu', threads: 2 });
  const tokensPerSequence = ids.length + nTokens;
  const request = { nSequences: 1, tokensPerSequence, keepStates: false, memory: 'resident', limitBytes: 8e9 } as const;
  const store = residentStore(checkpoint, device);
  try {
    const model = { checkpoint, config, device, store, plan: planExecution(config, request) };
    return await generate(model, ids, { maxTokens: nTokens, endIds: [] });
  } finally {
    store[Symbol.dispose]();
    await device.close();
  }
}

let n = 0;
/** What is to be asked of llama.cpp of a folder, and what we write. */
async function asked(folder: string, ids: readonly number[], fileType: FileType = 'f16') {
  const job: Job = { path: join(root, `model-${n++}.gguf`), ids, nTokens: 20 };
  return withCheckpoint(folder, async (checkpoint) => {
    await writeGguf(checkpoint, { out: job.path, fileType });
    return { job, ours: await byEspalier(checkpoint, job) };
  });
}

const golden: { families: Record<string, { config: object }> } = JSON.parse(
  readFileSync(join(repoRoot, 'test/gguf/golden.json'), 'utf8'),
);

/** llama.cpp sees all tokens where this family has a window. */
const changes: Record<string, object> = { 'mistral-window': { sliding_window: null } };

/** A family's tiny model with weights that are halves, so that both compute with the same numbers. */
async function tinyModel(name: string): Promise<string> {
  const whole = join(root, name);
  cpSync(join(repoRoot, 'test/fixtures/families', name), whole, { recursive: true });
  cpSync(join(repoRoot, 'test/gguf/bpe'), whole, { recursive: true });
  const change = (file: string, fields: object) => {
    const path = join(whole, file);
    writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, 'utf8')), ...fields }));
  };
  change('config.json', { ...golden.families[name]!.config, ...changes[name] });
  if (name === 'phi3') change('tokenizer_config.json', { tokenizer_class: 'GPT2Tokenizer' });
  // llama.cpp knows some models by their names.
  const halves = join(root, `halves-${n++}`);
  const surgery = { drop: ofBlocks([]), out: halves, dtype: 'f16', provenance: {} } as const;
  await withCheckpoint(whole, (checkpoint) => writeWithoutBlocks(checkpoint, surgery));
  return halves;
}

/** What both write, by names. */
async function compare(folders: Readonly<Record<string, string>>, ids: readonly number[]): Promise<void> {
  const all: { name: string; job: Job; ours: number[] }[] = [];
  for (const [name, folder] of Object.entries(folders)) all.push({ name, ...(await asked(folder, ids)) });
  const theirs = byLlamaCpp(all.map(({ job }) => job));
  expect(Object.fromEntries(theirs.map((made, i) => [all[i]!.name, made]))).toEqual(
    Object.fromEntries(all.map(({ name, ours }) => [name, ours])),
  );
}

const timeout = 15 * 60_000;

it('the tiny model of every family writes in llama.cpp what it writes here', { timeout }, async () => {
  const folders: Record<string, string> = {};
  for (const name of Object.keys(golden.families)) folders[name] = await tinyModel(name);
  await compare(folders, [1, 5, 9, 3, 30, 44]);
});

describe('SmolLM3', () => {
  const whole = join(root, 'eight-blocks');
  const dropping = (blocks: number[], out: string) =>
    withCheckpoint(whole, (checkpoint) =>
      writeWithoutBlocks(checkpoint, { drop: ofBlocks(blocks), out, dtype: null, provenance: {} }),
    );

  /** The tiny model has three blocks; here are eight of them, as the real one has thirty-six. */
  beforeAll(async () => {
    const tiny = await tinyModel('smollm3');
    const block = (name: string) => Number(/layers\.(\d+)\./.exec(name)?.[1] ?? -1);
    await withCheckpoint(tiny, async (checkpoint) => {
      cpSync(tiny, whole, { recursive: true, filter: (path) => !/safetensors|espalier/.test(path) });
      const tensors = [...checkpoint.weights.values()].flatMap((entry) =>
        block(entry.name) < 0
          ? [{ ...entry, from: entry.name }]
          : Array.from({ length: 8 }, (_, k) => k)
              .filter((k) => k % 3 === block(entry.name))
              .map((k) => ({ ...entry, from: entry.name, name: entry.name.replace(/layers\.\d+/, `layers.${k}`) })),
      );
      await writeWeightFiles(whole, tensors, 1e9, async function* ({ from, nBytes }) {
        yield await checkpoint.readBytes(from, 0, nBytes);
      });
    });
    const config = JSON.parse(readFileSync(join(whole, 'config.json'), 'utf8'));
    const pattern = { num_hidden_layers: 8, no_rope_layers: [1, 1, 1, 0, 1, 1, 1, 0], layer_types: null };
    writeFileSync(join(whole, 'config.json'), JSON.stringify({ ...config, ...pattern }));
  }, timeout);

  it('is exported intact, and without four blocks in a row', { timeout }, async () => {
    await dropping([1, 2, 3, 4], join(root, 'without-four'));
    await compare({ whole, pruned: join(root, 'without-four') }, [2, 7, 1, 8, 28]);
  });

  it('is refused with a broken pattern', async () => {
    await dropping([1], join(root, 'broken'));
    await expect(asked(join(root, 'broken'), [1])).rejects.toThrow(
      /This smollm3 cannot become a GGUF file: llama.cpp leaves the rotation out of every block .* block 2/,
    );
  });
});

const written = [
  { name: 'stories260k', drop: '3', attention: '2', mlp: '4', prompt: 'Once upon a time' },
  {
    name: 'smollm2-135m',
    drop: '9,21',
    attention: '13,26',
    mlp: '10',
    prompt: 'Once upon a time, in a small village by the sea, there lived an old',
  },
];

describe.each(written)('$name', ({ name, drop, attention, mlp, prompt }) => {
  it.skipIf(!available(modelFolder(name)))(
    'whole, pruned, without sublayers and healed, writes in llama.cpp what it writes here',
    { timeout },
    async () => {
      const original = modelFolder(name);
      const at = (part: string) => join(root, `${name} ${part}`);
      const run = async (...args: string[]) => {
        const { code, stderr } = await espalier([...args, '--dtype', 'f16', '--quiet'], root);
        expect({ code, stderr: code === 0 ? '' : stderr }).toEqual({ code: 0, stderr: '' });
      };
      const surgery = { drop: ofBlocks([]), out: at('whole'), dtype: 'f16', provenance: {} } as const;
      await withCheckpoint(original, (checkpoint) => writeWithoutBlocks(checkpoint, surgery));
      await run('prune', original, '--drop', drop, '--out', at('pruned'));
      await run('prune', original, '--drop-attention', attention, '--drop-mlp', mlp, '--out', at('halves'));
      const text = join(repoRoot, 'media/demo/tinystories.txt');
      const training = ['--data', text, '--tokens', '64', '--steps', '6', '--lr', '5e-4', '--out', at('adapter')];
      const { code, stderr } = await espalier(['heal', at('pruned'), ...training, '--quiet'], root);
      expect(code, stderr).toBe(0);
      await run('merge', at('pruned'), at('adapter'), '--out', at('healed'));
      const ids = await (await openTokenizer(original)).encode(prompt, { addSpecialTokens: true });
      const folders = ['whole', 'pruned', 'halves', 'healed'].map((part) => [part, at(part)] as const);
      await compare(Object.fromEntries(folders), ids);
    },
  );
});
