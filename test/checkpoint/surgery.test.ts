// Surgery: what stays keeps its bytes and its meaning, and the folder appears complete or not at all, whatever happens.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Checkpoint, openCheckpoint } from '../../server/checkpoint/checkpoint';
import { configWithoutBlocks } from '../../server/checkpoint/configWithoutBlocks';
import { narrowInto } from '../../server/checkpoint/dtype';
import { writeRandomCheckpoint } from '../../server/checkpoint/randomCheckpoint';
import { withStagedFolder } from '../../server/checkpoint/stagedFolder';
import { type SurgeryOptions, writeWithoutBlocks } from '../../server/checkpoint/surgery';
import { isUserError } from '../../server/errors';
import { readModelConfig } from '../../server/model/readConfig';
import { parseBlockWeightName } from '../../server/model/weights';
import { toMergekitYaml } from '../../server/pruning/mergekit';
import { repoRoot } from '../fixtures';

const families = join(repoRoot, 'test/fixtures/families');
const root = mkdtempSync(join(tmpdir(), 'surgery-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let nFolders = 0;
/** A new folder of its own, with the place for an output in it. */
function place(): string {
  const folder = join(root, String(nFolders++));
  mkdirSync(folder);
  return join(folder, 'out');
}

const parentOf = (out: string) => readdirSync(join(out, '..'));

async function opened<Result>(folder: string, use: (checkpoint: Checkpoint) => Promise<Result>): Promise<Result> {
  const checkpoint = await openCheckpoint(folder);
  try {
    return await use(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

const cut = (source: string, out: string, dropSet: number[], options: Partial<SurgeryOptions> = {}) =>
  opened(source, (checkpoint) =>
    writeWithoutBlocks(checkpoint, {
      drop: { blocks: dropSet, attention: [], mlp: [] },
      out,
      dtype: null,
      provenance: {},
      ...options,
    }),
  );

const bytesOf = (folder: string) =>
  opened(folder, async (checkpoint) => {
    const bytes = new Map<string, string>();
    for (const { name, dtype, nBytes } of checkpoint.weights.values()) {
      bytes.set(name, `${dtype} ${Buffer.from(await checkpoint.readBytes(name, 0, nBytes)).toString('base64')}`);
    }
    return bytes;
  });

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => 'accepted',
    (thrown: unknown) => thrown,
  );
  if (error === 'accepted') return error;
  if (!isUserError(error)) throw error;
  expect(error.message).not.toMatch(/\n/);
  return `${error.code}: ${error.message}`;
}

/** A checkpoint large enough to be interrupted while it is written: 8 blocks, several chunks a weight. */
const large = join(root, 'large');
const largeConfig = {
  model_type: 'llama',
  hidden_size: 512,
  intermediate_size: 4096,
  num_hidden_layers: 8,
  num_attention_heads: 4,
  vocab_size: 1000,
  torch_dtype: 'bfloat16',
};
const madeLarge = writeRandomCheckpoint({
  configJson: largeConfig,
  tokenizerFolder: null,
  out: large,
  seed: 1,
  maxShardBytes: 3e7,
});

describe('what stays', () => {
  it.each(readdirSync(families))(
    '%s: kept blocks keep their bytes, the config means the same for them',
    async (family) => {
      const source = join(families, family);
      const out = place();
      const { keptBlocks } = await cut(source, out, [1]);
      expect(keptBlocks).toEqual([0, 2]);
      const before = await bytesOf(source);
      const expected = new Map<string, string>();
      for (const [name, bytes] of before) {
        const block = parseBlockWeightName(name)?.block;
        if (block !== 1) expected.set(block === 2 ? name.replace('.2.', '.1.') : name, bytes);
      }
      expect(await bytesOf(out)).toEqual(expected);
      const config = readModelConfig(JSON.parse(readFileSync(join(source, 'config.json'), 'utf8')));
      await opened(out, async (pruned) => {
        expect(pruned.config).toEqual({ ...config, nBlocks: 2, blocks: [config.blocks[0], config.blocks[2]] });
      });
      expect(parentOf(out)).toEqual(['out']);
      expect(readdirSync(out).sort()).toEqual(['config.json', 'espalier.json', 'model.safetensors']);
    },
  );

  it('numbers that were written with a point, which transformers may insist on', async () => {
    const out = place();
    await cut(join(families, 'gemma2'), out, [1]);
    const text = readFileSync(join(out, 'config.json'), 'utf8');
    for (const line of [
      '"final_logit_softcapping": 4.0,',
      '"rope_theta": 10000.0,',
      '"head_dim": 12,',
      '"sliding_window": 5,',
    ])
      expect(text).toContain(line);
    expect(JSON.parse(text).attn_logit_softcapping).toBe(3);
  });

  it('the same surgery gives the same files', async () => {
    const [a, b] = [place(), place()];
    await cut(join(families, 'qwen3'), a, [0]);
    await cut(join(families, 'qwen3'), b, [0]);
    for (const file of readdirSync(a))
      expect(readFileSync(join(a, file)).equals(readFileSync(join(b, file)))).toBe(true);
  });

  it('shards with an index, sizes added up', async () => {
    await madeLarge;
    const out = place();
    const { weightFiles, weightBytes } = await cut(large, out, [0, 1, 2, 3, 4], { maxShardBytes: 2e7 });
    expect(weightFiles.length).toBeGreaterThan(2);
    expect(weightFiles[0]).toBe(`model-00001-of-0000${weightFiles.length}.safetensors`);
    for (const file of weightFiles) expect(statSync(join(out, file)).size).toBeLessThan(2e7 + 4096);
    const index = JSON.parse(readFileSync(join(out, 'model.safetensors.index.json'), 'utf8'));
    expect(index.metadata.total_size).toBe(weightBytes);
    const before = await bytesOf(large);
    const after = await bytesOf(out);
    for (const [name, bytes] of after)
      expect(before.get(name.replace(/layers\.(\d)/, (_, k) => `layers.${Number(k) + 5}`))).toBe(bytes);
    expect(after.size).toBe(3 * 9 + 3);
  });

  it('progress reaches the end, chunk by chunk', async () => {
    await madeLarge;
    const steps: number[] = [];
    const { weightBytes } = await cut(large, place(), [3], { onProgress: (done) => steps.push(done) });
    expect(steps.at(-1)).toBe(weightBytes);
    expect(steps.length).toBeGreaterThan(7 * 9);
  });

  it.each(['f16', 'bf16', 'f32'] as const)('converted to %s, with the config saying so', async (dtype) => {
    const source = join(families, 'llama2');
    const out = place();
    await cut(source, out, [2], { dtype });
    await opened(source, (before) =>
      opened(out, async (after) => {
        expect(after.config.dtype).toBe(dtype.toUpperCase());
        for (const { name } of after.weights.values()) {
          const numbers = await before.readF32(name);
          if (dtype === 'f32') expect(await after.readF32(name)).toEqual(numbers);
          else {
            const narrowed = new Uint16Array(numbers.length);
            narrowInto(dtype === 'f16' ? 'F16' : 'BF16', numbers, narrowed);
            expect(await after.readBytes(name, 0, narrowed.byteLength)).toEqual(new Uint8Array(narrowed.buffer));
          }
        }
      }),
    );
  });

  it('numbers that f16 cannot hold are refused', async () => {
    const source = place();
    cpSync(join(families, 'llama2'), source, { recursive: true });
    const file = readFileSync(join(source, 'model.safetensors'));
    file.writeFloatLE(1e6, file.length - 4);
    writeFileSync(join(source, 'model.safetensors'), file);
    const out = place();
    expect(await refusal(cut(source, out, [0], { dtype: 'f16' }))).toMatch(
      /badChoice: .* holds 1 numbers too large for f16/,
    );
    expect(parentOf(out)).toEqual([]);
  });
});

describe('a sublayer that goes', () => {
  const drop = { blocks: [], attention: [0], mlp: [2] };
  it.each(readdirSync(families))('%s: keeps its weights but its output projection, which is zero', async (family) => {
    const source = join(families, family);
    const out = place();
    await cut(source, out, [], { drop });
    const [before, after] = [await bytesOf(source), await bytesOf(out)];
    for (const [name, bytes] of after) {
      const silenced = /\.0\.self_attn\.o_proj\.|\.2\.mlp\.down_proj\./.test(name);
      if (silenced) expect(Buffer.from(bytes.split(' ')[1]!, 'base64').every((byte) => byte === 0)).toBe(true);
      else expect(bytes, name).toBe(before.get(name));
    }
    await opened(out, async ({ config, provenance }) => {
      expect(config.blocks.map(({ sublayers: form }) => form)).toEqual(['mlpOnly', 'whole', 'attentionOnly']);
      expect(provenance).toMatchObject({ keptBlocks: [0, 1, 2], droppedSublayers: { attention: [0], mlp: [2] } });
      expect(provenance!.steps.at(-1)).toMatchObject({
        removedBlocks: [],
        removedHalves: { attention: [0], mlp: [2] },
      });
    });
  });

  it('keeps its place when other blocks go later, and goes as a block with its other sublayer', async () => {
    const [once, twice, thrice] = [place(), place(), place()];
    await cut(large, once, [], { drop: { blocks: [1], attention: [3, 5], mlp: [4] } });
    await cut(once, twice, [], { drop: { blocks: [0], attention: [], mlp: [4] } }); // mlp of what was block 5
    await opened(twice, async ({ config, provenance }) => {
      expect(provenance!.keptBlocks).toEqual([2, 3, 4, 6, 7]);
      expect(config.blocks.map(({ sublayers: form }) => form)).toEqual([
        'whole',
        'mlpOnly',
        'attentionOnly',
        'whole',
        'whole',
      ]);
      expect(provenance!.removedBlocks).toEqual([0, 1, 5]);
    });
    await cut(twice, thrice, [0, 1]);
    await opened(thrice, async ({ config, provenance }) => {
      expect(provenance!.droppedSublayers).toEqual({ attention: [], mlp: [0] });
      expect(config.blocks.map(({ sublayers: form }) => form)).toEqual(['attentionOnly', 'whole', 'whole']);
    });
  });

  it('is computed again once another program has given it weights', async () => {
    const out = place();
    await cut(join(families, 'llama2'), out, [], { drop });
    const file = join(out, 'model.safetensors');
    const bytes = readFileSync(file);
    const name = 'model.layers.0.self_attn.o_proj.weight';
    const headerBytes = Number(bytes.readBigUInt64LE(0));
    const { data_offsets } = JSON.parse(bytes.toString('utf8', 8, 8 + headerBytes))[name];
    bytes[8 + headerBytes + data_offsets[1] - 1] = 0x3f; // its very last number
    writeFileSync(file, bytes);
    await opened(out, async ({ config }) => {
      expect(config.blocks.map(({ sublayers: form }) => form)).toEqual(['whole', 'whole', 'attentionOnly']);
    });
  });

  it.each<[string, object, RegExp]>([
    ['of no block', { blocks: [], attention: [3], mlp: [] }, /^badChoice: Block 3 cannot be dropped/],
    ['of all blocks', { blocks: [0], attention: [1, 2], mlp: [1, 2] }, /^badChoice: .*leaves no model/],
  ])('is refused: %s', async (_, wanted, says) => {
    const out = place();
    const work = cut(join(families, 'llama2'), out, [], { drop: wanted as SurgeryOptions['drop'] });
    expect(await refusal(work)).toMatch(says);
    expect(parentOf(out)).toEqual([]);
  });

  it('is refused where espalier.json names a sublayer of no block', async () => {
    const out = place();
    await cut(join(families, 'llama2'), out, [], { drop });
    const file = join(out, 'espalier.json');
    const json = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ ...json, droppedSublayers: { attention: [7], mlp: [] } }));
    expect(await refusal(opened(out, async () => {}))).toMatch(/^damagedCheckpoint: .*a sublayer of block 7/);
  });
});

it('weights are replaced by others, in the dtype of the folder', async () => {
  const out = place();
  const name = 'model.layers.2.mlp.down_proj.weight';
  const numbers = Float32Array.from({ length: 512 * 4096 }, (_, i) => (i % 512) - 255);
  await cut(large, out, [0], { replaced: (asked) => (asked === name ? Promise.resolve(numbers) : null) });
  await opened(out, async (checkpoint) => {
    const there = await checkpoint.readF32('model.layers.1.mlp.down_proj.weight');
    expect(checkpoint.weights.get('model.layers.1.mlp.down_proj.weight')!.dtype).toBe('BF16');
    expect(there.length).toBe(numbers.length);
    expect(there.every((x, i) => x === numbers[i])).toBe(true); // whole numbers up to 256 are exact in bf16
  });
});

describe('beside the weights', () => {
  it('tokenizer and licence come along as plain files, code and pickles do not', async () => {
    const source = place();
    cpSync(join(families, 'llama2'), source, { recursive: true });
    const blob = join(source, 'blob');
    writeFileSync(blob, '{"from":"blob"}');
    chmodSync(blob, 0o444);
    symlinkSync(blob, join(source, 'tokenizer.json'));
    const taken = ['LICENSE.txt', 'NOTICE', 'generation_config.json', 'chat_template.jinja', 'tokenizer_config.json'];
    for (const name of taken) writeFileSync(join(source, name), name);
    for (const name of ['modeling_x.py', 'pytorch_model.bin', 'README.md', 'training_args.bin'])
      writeFileSync(join(source, name), name);
    const out = place();
    await cut(source, out, [0]);
    const expected = [...taken, 'tokenizer.json', 'config.json', 'espalier.json', 'model.safetensors'].sort();
    expect(
      readdirSync(out, { withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map(({ name }) => name)
        .sort(),
    ).toEqual(expected);
    expect(readFileSync(join(out, 'tokenizer.json'), 'utf8')).toBe('{"from":"blob"}');
    expect(statSync(join(out, 'tokenizer.json')).mode & 0o200).toBe(0o200);
  });

  it('pruning twice keeps count in the numbers of the first model', async () => {
    await madeLarge;
    const [once_, twice] = [place(), place()];
    await cut(large, once_, [2, 5], { provenance: { method: 'blockInfluence', scores: [1, 2] } });
    await cut(once_, twice, [0, 3], { provenance: { method: 'given' } });
    await opened(twice, async ({ provenance, config }) => {
      expect(config.nBlocks).toBe(4);
      expect(provenance).toEqual({
        format: 1,
        baseModel: { name: 'large', nBlocks: 8 },
        sourceModel: { name: 'out', nBlocks: 6 },
        removedBlocks: [0, 2, 4, 5],
        keptBlocks: [1, 3, 6, 7],
        steps: [
          { kind: 'prune', method: 'blockInfluence', scores: [1, 2], removedBlocks: [2, 5], dtype: null },
          { kind: 'prune', method: 'given', removedBlocks: [0, 4], dtype: null },
        ],
      });
    });
  });
});

describe('a config without blocks', () => {
  const sizes = {
    hidden_size: 64,
    intermediate_size: 96,
    num_hidden_layers: 6,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: 100,
  };
  const qwen2 = { model_type: 'qwen2', ...sizes };
  const smollm3 = { model_type: 'smollm3', ...sizes };
  const sliding = { use_sliding_window: true, sliding_window: 8 };
  const kept = [0, 3, 4, 5];
  const [full, slid] = ['full_attention', 'sliding_attention'];
  const rows: [string, Record<string, unknown>, Record<string, unknown>][] = [
    ['counts', { model_type: 'llama', ...sizes }, { num_hidden_layers: 4, layer_types: undefined }],
    [
      'cuts layer_types',
      { ...qwen2, ...sliding, layer_types: [full, full, slid, slid, full, slid] },
      { layer_types: [full, slid, full, slid] },
    ],
    [
      'counts max_window_layers again',
      { ...qwen2, max_window_layers: 4 },
      { max_window_layers: 2, layer_types: undefined },
    ],
    ['max_window_layers over all', { ...qwen2, max_window_layers: 70 }, { max_window_layers: 4 }],
    [
      'spells out a window from a block on',
      { ...qwen2, ...sliding, max_window_layers: 4 },
      { max_window_layers: 2, layer_types: [full, full, slid, slid] },
    ],
    ['spells out the interval', smollm3, { no_rope_layers: [1, 0, 1, 1] }],
    [
      'spells out another interval',
      { ...smollm3, no_rope_layer_interval: 2 },
      { no_rope_layers: [1, 0, 1, 0], no_rope_layer_interval: 2 },
    ],
    [
      'spells out windows where nothing rotates',
      { ...smollm3, ...sliding },
      { no_rope_layers: [1, 0, 1, 1], layer_types: [full, slid, full, full] },
    ],
    ['cuts no_rope_layers', { ...smollm3, no_rope_layers: [0, 1, 1, 1, 0, 1] }, { no_rope_layers: [0, 1, 0, 1] }],
    ['renumbers mlp_only_layers', { ...qwen2, mlp_only_layers: [1, 3, 5] }, { mlp_only_layers: [1, 3] }],
    ['cuts moe_layer_freq', { ...qwen2, moe_layer_freq: [0, 1, 2, 3, 4, 5] }, { moe_layer_freq: [0, 3, 4, 5] }],
    ['leaves other lists', { ...qwen2, eos_token_id: [1, 2, 3, 4, 5, 6] }, { eos_token_id: [1, 2, 3, 4, 5, 6] }],
    [
      'leaves what it does not know',
      { ...qwen2, _name_or_path: 'x', future: { a: 1 } },
      { _name_or_path: 'x', future: { a: 1 } },
    ],
  ];
  it.each(rows)('%s', (_, json, expected) => {
    const before = structuredClone(json);
    const result = configWithoutBlocks(json, kept);
    for (const [key, value] of Object.entries(expected)) expect(result[key]).toEqual(value);
    expect(json).toEqual(before);
    const { blocks } = readModelConfig(json);
    expect(readModelConfig(result).blocks).toEqual(kept.map((k) => blocks[k]));
  });

  it('names a new dtype under the key that was there', () => {
    expect(configWithoutBlocks({ ...qwen2, dtype: 'float32' }, kept, 'bf16')).toMatchObject({ dtype: 'bfloat16' });
    expect(configWithoutBlocks({ ...qwen2, torch_dtype: 'float32' }, kept, 'f16')).toMatchObject({
      torch_dtype: 'float16',
    });
  });
});

describe('refused', () => {
  const source = join(families, 'llama2');
  const rows: [string, number[], string][] = [
    ['a block too many', [3], 'badChoice: Block 3 cannot be dropped; the model has blocks 0 to 2'],
    ['a negative block', [-1], 'badChoice: Block -1'],
    ['half a block', [0.5], 'badChoice: Block 0.5'],
    ['the same twice', [1, 1], 'badChoice: The drop set names block 1 twice'],
    ['all blocks', [0, 1, 2], 'badChoice: Dropping all 3 blocks leaves no model'],
  ];
  it.each(rows)('%s', async (_, dropSet, expected) => {
    const out = place();
    expect(await refusal(cut(source, out, dropSet))).toContain(expected);
    expect(parentOf(out)).toEqual([]);
  });

  it('a folder with something in it, a file, the source, and inside the source', async () => {
    const out = place();
    mkdirSync(out);
    expect(await refusal(cut(source, out, [0]))).toBe('accepted'); // an empty folder is fine
    expect(await refusal(cut(source, out, [0]))).toContain(
      'exists and is not empty; choose another folder or delete it',
    );
    expect(await refusal(cut(source, join(out, 'config.json'), [0]))).toContain('config.json is a file');
    expect(await refusal(cut(out, join(out, 'inside'), [0]))).toContain(`lies inside ${out}`);
    const link = join(out, '..', 'link');
    symlinkSync(out, link);
    expect(await refusal(cut(out, join(link, 'a', 'b'), [0]))).toContain(`lies inside ${out}`);
    expect(await refusal(cut(out, join(out, '..', '..out'), [0]))).toBe('accepted');
    expect(parentOf(out).sort()).toEqual(['..out', 'link', 'out']);
    expect(readdirSync(out)).toHaveLength(3);
  });

  it('a place below a file', async () => {
    expect(await refusal(cut(source, join(families, 'llama2', 'config.json', 'out'), [0]))).toMatch(
      /cannotWrite: Cannot write .*: a part of that path is a file/,
    );
  });

  it('more bytes than the disk has', async () => {
    const work = withStagedFolder(place(), async () => {}, { neededBytes: 1e18 });
    expect(await refusal(work)).toMatch(
      /cannotWrite: Writing .* needs 1000000000000.0 MB, but its disk has [\d.]+ MB free/,
    );
  });

  it('what the file system refuses becomes a sentence, what is a defect stays one', async () => {
    const fail = (error: unknown) => {
      const out = place();
      return withStagedFolder(out, async (stage) => {
        writeFileSync(join(stage, 'half'), 'half');
        throw error;
      }).finally(() => expect(parentOf(out)).toEqual([]));
    };
    for (const [code, reason] of [
      ['ENOSPC', 'disk is full'],
      ['EROFS', 'read-only'],
      ['EACCES', 'no permission'],
    ] as const) {
      expect(await refusal(fail(Object.assign(new Error(code), { code, syscall: 'write' })))).toContain(reason);
    }
    await expect(fail(new TypeError('ours'))).rejects.toThrow(new TypeError('ours'));
  });

  it('parents that were made for it go away again', async () => {
    const out = join(place(), 'a', 'b');
    expect(await refusal(withStagedFolder(out, async () => {}, { neededBytes: 1e18 }))).toContain('cannotWrite');
    expect(parentOf(join(out, '..', '..'))).toEqual([]);
  });
});

/** Whose number nobody can foresee. */
const stageOf = (pid: number) => new RegExp(`^\\.out\\.partial-${pid}-[0-9a-f]{24}$`);

describe('interrupted', () => {
  it('abort in the middle leaves nothing', async () => {
    await madeLarge;
    const out = place();
    const controller = new AbortController();
    let seen: string[] = [];
    const onProgress = (done: number, total: number) => {
      if (done < total / 2 || controller.signal.aborted) return;
      seen = parentOf(out);
      controller.abort();
    };
    expect(await refusal(cut(large, out, [0], { signal: controller.signal, onProgress }))).toMatch(/^cancelled/);
    expect(seen).toEqual(['.out.espalier-lock', expect.stringMatching(stageOf(process.pid))]);
    expect(parentOf(out)).toEqual([]);
  });

  it('two runs do not write to the same place', async () => {
    await madeLarge;
    const out = place();
    const outcomes = await Promise.all([refusal(cut(large, out, [0])), refusal(cut(large, out, [1]))]);
    expect(outcomes.sort()).toEqual(['accepted', expect.stringContaining('Another run is writing')]);
  });

  it('a disk that fills up in the middle', async ({ skip }) => {
    await madeLarge;
    const disk = place();
    mkdirSync(disk);
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=128m', 'tmpfs', disk], { stdio: 'ignore' });
    } catch {
      skip('mounting needs root; the injected ENOSPC above covers the rest');
    }
    try {
      // The check beforehand sees enough room; then somebody else takes it.
      const onProgress = (done: number) => {
        if (done > 2e7 && !existsSync(join(disk, 'other'))) writeFileSync(join(disk, 'other'), Buffer.alloc(6e7));
      };
      expect(await refusal(cut(large, join(disk, 'out'), [0], { onProgress }))).toMatch(
        /cannotWrite: Cannot write .*: the disk is full/,
      );
      expect(readdirSync(disk)).toEqual(['other']);
      rmSync(join(disk, 'other'));
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      expect(await refusal(cut(large, join(disk, 'out'), [0]))).toMatch(
        /cannotWrite: Cannot write .*: the file system is read-only/,
      );
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  it('killed in the middle leaves no folder, and the next attempt cleans up', async () => {
    await madeLarge;
    const out = place();
    const script = join(root, 'child.mjs');
    const contents = `
      import { openCheckpoint } from './server/checkpoint/checkpoint';
      import { writeWithoutBlocks } from './server/checkpoint/surgery';
      const [source, out] = process.argv.slice(2);
      let waits = false;
      const onProgress = (done, total) => {
        if (done < total / 2 || waits) return;
        waits = true;
        process.stdout.write('half');
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60_000);
      };
      writeWithoutBlocks(await openCheckpoint(source), { drop: { blocks: [0], attention: [], mlp: [] }, out, dtype: null, provenance: {}, onProgress });
    `;
    const banner = {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    };
    await build({
      stdin: { contents, resolveDir: repoRoot, loader: 'js' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: script,
      banner,
    });
    const child = spawn(process.execPath, [script, large, out], { stdio: ['ignore', 'pipe', 'inherit'] });
    const exited = once(child, 'exit');
    await once(child.stdout, 'data');
    child.kill('SIGKILL');
    await exited;
    expect(parentOf(out)).toEqual(['.out.espalier-lock', expect.stringMatching(stageOf(child.pid!))]);
    await cut(large, out, [0]);
    expect(parentOf(out)).toEqual(['out']);
    await opened(out, async ({ config }) => expect(config.nBlocks).toBe(7));
  });

  it("a living process' half-written folder is left alone", async () => {
    const out = place();
    const other = join(out, '..', `.${basename(out)}.partial-${process.ppid}`);
    mkdirSync(other);
    await cut(join(families, 'llama2'), out, [0]);
    expect(parentOf(out).sort()).toEqual([basename(other), 'out']);
  });
});

describe('a random checkpoint', () => {
  it('has the same bytes for the same seed, whatever the shards, and the right spread', async () => {
    const make = async (seed: number, maxShardBytes: number, dtype: string) => {
      const out = place();
      const configJson = {
        ...largeConfig,
        num_hidden_layers: 1,
        hidden_size: 64,
        intermediate_size: 200,
        torch_dtype: dtype,
      };
      await writeRandomCheckpoint({ configJson, tokenizerFolder: null, out, seed, maxShardBytes });
      return out;
    };
    const first = await bytesOf(await make(0, 1e9, 'bfloat16'));
    expect(await bytesOf(await make(0, 1e4, 'bfloat16'))).toEqual(first);
    expect(await bytesOf(await make(1, 1e9, 'bfloat16'))).not.toEqual(first);
    for (const dtype of ['bfloat16', 'float16', 'float32']) {
      await opened(await make(0, 1e9, dtype), async (checkpoint) => {
        const numbers = await checkpoint.readF32('model.embed_tokens.weight');
        const mean = numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
        const deviation = Math.sqrt(numbers.reduce((sum, x) => sum + (x - mean) ** 2, 0) / numbers.length);
        expect(Math.abs(mean)).toBeLessThan(4e-4);
        expect(deviation).toBeGreaterThan(0.0196);
        expect(deviation).toBeLessThan(0.0204);
        expect(await checkpoint.readF32('model.norm.weight')).toEqual(new Float32Array(64).fill(1));
      });
    }
  });
});

describe('a mergekit recipe', () => {
  it('keeps the same blocks', () => {
    const text = toMergekitYaml('owner/name: with "marks"', 28, [0, 20, 21, 22, 25], 'bf16');
    expect(parse(text)).toEqual({
      slices: [
        [1, 20],
        [23, 25],
        [26, 28],
      ].map((range) => ({ sources: [{ model: 'owner/name: with "marks"', layer_range: range }] })),
      merge_method: 'passthrough',
      dtype: 'bfloat16',
    });
    expect(text).toContain('layer_range: [ 1, 20 ]');
    expect(parse(toMergekitYaml('m', 4, [3], null))).toEqual({
      slices: [{ sources: [{ model: 'm', layer_range: [0, 3] }] }],
      merge_method: 'passthrough',
    });
  });
});
