// A folder as a checkpoint: what is read, and what is refused in one sentence when files contradict each other.
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openFileSource } from '../../server/checkpoint/byteSource';
import { type Checkpoint, openCheckpoint } from '../../server/checkpoint/checkpoint';
import { narrowInto, widenInto } from '../../server/checkpoint/dtype';
import { type TensorSpec, tensorBytes, writeSafetensors } from '../../server/checkpoint/safetensors';
import { writeWeightFiles } from '../../server/checkpoint/weightFiles';
import { isUserError } from '../../server/errors';
import type { WeightDtype } from '../../server/model/config';
import { nParameters } from '../../server/model/weights';
import { repoRoot } from '../fixtures';

const families = join(repoRoot, 'test/fixtures/families');
const root = mkdtempSync(join(tmpdir(), 'checkpoint-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let nFolders = 0;
/** A copy of a family's checkpoint to break. */
function copyOf(family: string): string {
  const folder = join(root, String(nFolders++));
  cpSync(join(families, family), folder, { recursive: true });
  return folder;
}

async function opened<Result>(
  folder: string,
  use: (checkpoint: Checkpoint) => Promise<Result> | Result,
): Promise<Result> {
  const checkpoint = await openCheckpoint(folder);
  try {
    return await use(checkpoint);
  } finally {
    await checkpoint.close();
  }
}

async function refusal(folder: string): Promise<string> {
  try {
    await opened(folder, () => {});
  } catch (error) {
    if (!isUserError(error)) throw error;
    expect(error.message).not.toMatch(/\n/);
    return `${error.code}: ${error.message.replaceAll(folder, 'FOLDER')}`;
  }
  return 'accepted';
}

/** Writes the checkpoint of a folder again with other names, shapes, dtypes or shards. */
async function rewrite(folder: string, change: (specs: TensorSpec[]) => TensorSpec[], maxShardBytes = Infinity) {
  const old = await opened(folder, async (checkpoint) => {
    const numbers = new Map<string, Float32Array>();
    for (const { name } of checkpoint.weights.values()) numbers.set(name, await checkpoint.readF32(name));
    return {
      specs: [...checkpoint.weights.values()].map(({ name, dtype, shape }) => ({ name, dtype, shape })),
      numbers,
    };
  });
  rmSync(join(folder, 'model.safetensors'));
  await writeWeightFiles(folder, change(old.specs), maxShardBytes, (spec) => {
    const numbers = old.numbers.get(spec.name) ?? new Float32Array(spec.shape.reduce((n, dim) => n * dim, 1));
    if (spec.dtype === 'F32') return [new Uint8Array(numbers.buffer).subarray(0, tensorBytes(spec))];
    const bytes = new Uint8Array(tensorBytes(spec));
    if (spec.dtype === 'F64') new Float64Array(bytes.buffer).set(numbers);
    if (spec.dtype === 'F16' || spec.dtype === 'BF16') narrowInto(spec.dtype, numbers, new Uint16Array(bytes.buffer));
    return [bytes];
  });
  return old;
}

const as = (dtype: TensorSpec['dtype']) => (specs: TensorSpec[]) => specs.map((spec) => ({ ...spec, dtype }));
const same = (specs: TensorSpec[]) => specs;

describe('reading', () => {
  it.each(readdirSync(families))('%s: every weight is there and used', (family) =>
    opened(join(families, family), async (checkpoint) => {
      expect(checkpoint.sizeBytes).toBe(4 * nParameters(checkpoint.config));
      expect(checkpoint.unusedNames).toEqual([]);
      expect(checkpoint.provenance).toBeNull();
      for (const { name, shape } of checkpoint.weights.values()) {
        expect((await checkpoint.readF32(name)).length).toBe(shape.reduce((n, dim) => n * dim, 1));
      }
    }),
  );

  it.each<WeightDtype>(['F64', 'F32', 'F16', 'BF16'])('%s: whole, in rows, and gathered', async (dtype) => {
    const folder = copyOf('llama2');
    const { numbers } = await rewrite(folder, as(dtype));
    const name = 'model.embed_tokens.weight';
    const expected = numbers.get(name)!.slice();
    if (dtype === 'F16' || dtype === 'BF16') {
      const narrowed = new Uint16Array(expected.length);
      narrowInto(dtype, expected, narrowed);
      widenInto(dtype, narrowed, expected);
    }
    const D = 32;
    const row = (k: number) => [...expected.subarray(k * D, (k + 1) * D)];
    await opened(folder, async (checkpoint) => {
      expect(await checkpoint.readF32(name)).toEqual(expected);
      const into = new Float32Array(expected.length + 3);
      const filled = await checkpoint.readF32(name, into);
      expect(filled.buffer).toBe(into.buffer);
      expect(filled).toEqual(expected);
      expect([...(await checkpoint.readRowsF32(name, 59, 2))]).toEqual([...row(59), ...row(60)]);
      expect([...checkpoint.gatherRowsF32(name, [60, 0, 60, 7, 0])]).toEqual([60, 0, 60, 7, 0].flatMap(row));
      expect(checkpoint.gatherRowsF32(name, [])).toEqual(new Float32Array(0));
      expect(() => checkpoint.gatherRowsF32(name, [61])).toThrow(
        'Id 61 is asked of model.embed_tokens.weight, which has 61 rows',
      );
      expect(() => checkpoint.gatherRowsF32(name, [-1])).toThrow('Id -1');
      await expect(checkpoint.readRowsF32(name, 60, 2)).rejects.toThrow(RangeError);
      await expect(checkpoint.readF32(name, new Float32Array(3))).rejects.toThrow(RangeError);
      const { nBytes } = checkpoint.weights.get(name)!;
      expect((await checkpoint.readBytes(name, nBytes - 2, 2)).length).toBe(2);
      await expect(checkpoint.readBytes(name, nBytes - 2, 3)).rejects.toThrow(RangeError);
    });
  });

  it('repeated rows are read once, and a whole weight in one call', async () => {
    const reads: number[] = [];
    const checkpoint = await openCheckpoint(join(families, 'llama2'), async (path) => {
      const source = await openFileSource(path);
      const note = (target: Uint8Array) => reads.push(target.length);
      return {
        ...source,
        read(target, position) {
          note(target);
          return source.read(target, position);
        },
        readSync(target, position) {
          note(target);
          source.readSync(target, position);
        },
      };
    });
    reads.length = 0;
    checkpoint.gatherRowsF32('model.embed_tokens.weight', [5, 5, 5, 6]);
    await checkpoint.readF32('model.embed_tokens.weight');
    await checkpoint.close();
    expect(reads).toEqual([128, 128, 61 * 128]);
  });

  it('shards give the same numbers', async () => {
    const folder = copyOf('qwen3');
    const { numbers } = await rewrite(folder, same, 30_000);
    expect(readdirSync(folder).filter((name) => name.endsWith('.safetensors')).length).toBeGreaterThan(3);
    await opened(folder, async (checkpoint) => {
      for (const [name, expected] of numbers) expect(await checkpoint.readF32(name)).toEqual(expected);
    });
  });
});

describe("Hugging Face's cache", () => {
  function cache() {
    const repository = join(root, String(nFolders++), 'models--owner--tiny');
    const snapshot = join(repository, 'snapshots', 'abc123');
    for (const folder of ['blobs', 'refs', 'snapshots/abc123'])
      mkdirSync(join(repository, folder), { recursive: true });
    for (const file of ['config.json', 'model.safetensors']) {
      cpSync(join(families, 'llama2', file), join(repository, 'blobs', `sha-${file}`));
      symlinkSync(join('..', '..', 'blobs', `sha-${file}`), join(snapshot, file));
    }
    writeFileSync(join(repository, 'refs', 'main'), 'abc123\n');
    return { repository, snapshot };
  }

  it('is opened by snapshot and by repository, and named by owner and name', async () => {
    const { repository, snapshot } = cache();
    for (const given of [repository, snapshot]) {
      await opened(given, async (checkpoint) => {
        expect(checkpoint.folder).toBe(snapshot);
        expect(checkpoint.name).toBe('owner/tiny');
        expect((await checkpoint.readF32('model.norm.weight')).length).toBe(32);
      });
    }
  });

  it('a revision that leads elsewhere is not followed', async () => {
    const { repository } = cache();
    writeFileSync(join(repository, 'refs', 'main'), '../../../../etc');
    expect(await refusal(repository)).toContain('notFound: FOLDER has no config.json');
  });
});

describe('refused in one sentence', () => {
  const damage = (index: object) => JSON.stringify(index);
  const name = 'model.layers.1.mlp.up_proj.weight';
  const without = (left: string) => (specs: TensorSpec[]) => specs.filter((spec) => spec.name !== left);
  const changed = (of: string, fields: Partial<TensorSpec>) => (specs: TensorSpec[]) =>
    specs.map((spec) => (spec.name === of ? { ...spec, ...fields } : spec));
  const sharded = async (folder: string, break_: (map: Record<string, string>, folder: string) => void) => {
    await rewrite(folder, same, 60_000);
    const index = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8'));
    break_(index.weight_map, folder);
    writeFileSync(join(folder, 'model.safetensors.index.json'), damage(index));
  };
  const head = 'lm_head.weight';
  const rows: [string, string, (folder: string) => unknown, string][] = [
    ['nothing broken', 'llama2', () => {}, 'accepted'],
    ['sharded, nothing broken', 'llama2', (f) => sharded(f, () => {}), 'accepted'],
    [
      'tied, with a head of its own',
      'qwen2',
      (f) => rewrite(f, (s) => [...s, { name: head, dtype: 'F32', shape: [61, 32] }]),
      'accepted',
    ],
    [
      'tensors that nobody uses',
      'llama2',
      (f) =>
        rewrite(f, (s) => [...s, { name: 'model.layers.0.self_attn.rotary_emb.inv_freq', dtype: 'F32', shape: [1] }]),
      'accepted',
    ],
    [
      'a weight missing',
      'llama2',
      (f) => rewrite(f, without(name)),
      `damagedCheckpoint: FOLDER lacks the weight ${name} of shape [72,32]`,
    ],
    ['the head missing', 'llama2', (f) => rewrite(f, without(head)), `lacks the weight ${head}`],
    [
      'a wrong shape',
      'llama2',
      (f) => rewrite(f, changed(name, { shape: [32, 72] })),
      `holds ${name} in the shape [32,72], but config.json asks for [72,32]`,
    ],
    [
      'a wrong dtype',
      'llama2',
      (f) => rewrite(f, changed(name, { dtype: 'I8' })),
      `unsupportedModel: FOLDER/model.safetensors holds ${name} as I8; supported are F64, F32, F16 and BF16`,
    ],
    ['cut off', 'llama2', (f) => truncateSync(join(f, 'model.safetensors'), 100_000), 'the file may be cut off'],
    [
      'cut off inside the header',
      'llama2',
      (f) => truncateSync(join(f, 'model.safetensors'), 100),
      'the file may be cut off',
    ],
    ['empty', 'llama2', (f) => truncateSync(join(f, 'model.safetensors'), 0), 'has 0 bytes'],
    ['no weights', 'llama2', (f) => rmSync(join(f, 'model.safetensors')), 'notFound: FOLDER holds no weights'],
    [
      'a pickle',
      'llama2',
      (f) => renameSync(join(f, 'model.safetensors'), join(f, 'pytorch_model.bin')),
      'FOLDER holds only "pytorch_model.bin"; save the model as safetensors',
    ],
    ['no config', 'llama2', (f) => rmSync(join(f, 'config.json')), 'notFound: FOLDER has no config.json'],
    [
      'a config in pieces',
      'llama2',
      (f) => writeFileSync(join(f, 'config.json'), '{'),
      'FOLDER/config.json is not valid JSON',
    ],
    [
      'an unknown family',
      'llama2',
      (f) => writeFileSync(join(f, 'config.json'), '{"model_type":"mamba"}'),
      'unsupportedModel: config.json has model_type "mamba"',
    ],
    [
      'a shard missing',
      'llama2',
      (f) => sharded(f, (map) => rmSync(join(f, map[head]!))),
      'is missing, though the index names it',
    ],
    [
      'a weight in no shard',
      'llama2',
      (f) =>
        sharded(f, (map) => {
          map.extra = map[head]!;
        }),
      'accepted',
    ],
    [
      'a weight in another shard',
      'llama2',
      (f) =>
        sharded(f, (map) => {
          map[head] = 'model-00001-of-00003.safetensors';
        }),
      'accepted',
    ],
    [
      'a weight that is not listed',
      'llama2',
      (f) =>
        sharded(f, (map) => {
          delete map[head];
        }),
      'accepted',
    ],
    [
      'a shard elsewhere',
      'llama2',
      (f) =>
        sharded(f, (map) => {
          map[head] = '../x.safetensors';
        }),
      'not the plain name of a .safetensors file',
    ],
    [
      'a shard that is a number',
      'llama2',
      (f) =>
        sharded(f, (map) => {
          (map as Record<string, unknown>)[head] = 3;
        }),
      'not the plain name',
    ],
    [
      'an index in pieces',
      'llama2',
      async (f) => {
        await sharded(f, () => {});
        writeFileSync(join(f, 'model.safetensors.index.json'), '{');
      },
      'is not valid JSON',
    ],
    [
      'an index without a map',
      'llama2',
      async (f) => {
        await sharded(f, () => {});
        writeFileSync(join(f, 'model.safetensors.index.json'), '{}');
      },
      'it has no weight_map',
    ],
    [
      'a shard that is a folder',
      'llama2',
      (f) =>
        sharded(f, (map) => {
          rmSync(join(f, map[head]!));
          mkdirSync(join(f, map[head]!));
        }),
      'is missing',
    ],
    [
      'a foreign espalier.json',
      'llama2',
      (f) => writeFileSync(join(f, 'espalier.json'), '{"format":2}'),
      'FOLDER/espalier.json has something unexpected in format',
    ],
  ];
  it.each(rows)('%s', async (_, family, break_, expected) => {
    const folder = copyOf(family);
    await break_(folder);
    expect(await refusal(folder)).toContain(expected);
  });

  it('a folder that is not there, and a file in its place', async () => {
    expect(await refusal(join(root, 'nowhere'))).toBe('notFound: There is no folder FOLDER.');
    expect(await refusal(join(families, 'llama2', 'config.json'))).toContain('FOLDER is a file; give the folder');
  });

  it('the same tensor in two shards', async () => {
    const folder = copyOf('llama2');
    await sharded(folder, () => {});
    await writeSafetensors(join(folder, 'again.safetensors'), [{ name: head, dtype: 'F32', shape: [1] }], () => [
      new Uint8Array(4),
    ]);
    const index = JSON.parse(readFileSync(join(folder, 'model.safetensors.index.json'), 'utf8'));
    index.weight_map.other = 'again.safetensors';
    writeFileSync(join(folder, 'model.safetensors.index.json'), damage(index));
    expect(await refusal(folder)).toContain(`"${head}" is in both again.safetensors and model-0`);
  });
});

describe('tied embeddings', () => {
  it('may come with a head of their own, which is then a weight', async () => {
    const folder = copyOf('qwen2');
    await rewrite(folder, (specs) => [...specs, { name: 'lm_head.weight', dtype: 'F32', shape: [61, 32] }]);
    await opened(folder, ({ weights }) => expect(weights.has('lm_head.weight')).toBe(true));
    const wrong = copyOf('qwen2');
    await rewrite(wrong, (specs) => [...specs, { name: 'lm_head.weight', dtype: 'F32', shape: [1] }]);
    expect(await refusal(wrong)).toContain('holds lm_head.weight in the shape [1], but config.json asks for [61,32]');
    await opened(join(families, 'qwen2'), ({ weights }) => expect(weights.has('lm_head.weight')).toBe(false));
  });
});
