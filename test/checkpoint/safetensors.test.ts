// The file format against hand-made files, each with one thing wrong, and against thousands of random mutations.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type ByteSource, openFileSource } from '../../server/checkpoint/byteSource';
import { openCheckpoint } from '../../server/checkpoint/checkpoint';
import { readSafetensorsHeader, safetensorsHeaderBytes, writeSafetensors } from '../../server/checkpoint/safetensors';
import { isUserError } from '../../server/errors';
import { available, dataFolder } from '../fixtures';

const folder = mkdtempSync(join(tmpdir(), 'safetensors-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A file in memory that fails the test when anything outside of it is asked for. */
function memorySource(bytes: Uint8Array): ByteSource {
  const readSync = (target: Uint8Array, position: number) => {
    if (!(Number.isSafeInteger(position) && position >= 0 && position + target.length <= bytes.length)) {
      throw new Error(`read ${position} + ${target.length} outside of ${bytes.length}`);
    }
    target.set(bytes.subarray(position, position + target.length));
  };
  const read = async (target: Uint8Array, position: number) => readSync(target, position);
  return { name: 'test.safetensors', sizeBytes: bytes.length, read, readSync, close: async () => {} };
}

function file(header: string | Uint8Array, nDataBytes = 0, statedLength?: bigint): Uint8Array {
  const text = typeof header === 'string' ? new TextEncoder().encode(header) : header;
  const bytes = new Uint8Array(8 + text.length + nDataBytes);
  new DataView(bytes.buffer).setBigUint64(0, statedLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  return bytes;
}

const tensor = (fields: object = {}) => ({ dtype: 'F32', shape: [2], data_offsets: [0, 8], ...fields });
const headerOf = async (bytes: Uint8Array) => readSafetensorsHeader(memorySource(bytes));

async function sentence(work: Promise<unknown>): Promise<string> {
  try {
    await work;
  } catch (error) {
    if (!isUserError(error)) throw error;
    expect(error.message).not.toMatch(/[\n\r\u2028]/);
    return error.message;
  }
  return 'accepted';
}

describe('one thing wrong', () => {
  const json = (header: unknown, nDataBytes = 8) => file(JSON.stringify(header), nDataBytes);
  const rows: [string, Uint8Array, string][] = [
    ['nothing wrong', json({ a: tensor() }), 'accepted'],
    ['no tensors at all', file('{}'), 'accepted'],
    ['spaces behind the header', file(`${JSON.stringify({ a: tensor() })}   `, 8), 'accepted'],
    ['empty tensor', json({ a: tensor(), b: tensor({ shape: [0, 5], data_offsets: [8, 8] }) }), 'accepted'],
    ['a number without dimensions', json({ a: tensor({ shape: [], data_offsets: [0, 4] }) }, 4), 'accepted'],
    [
      'a name of JavaScript',
      json(JSON.parse('{"__proto__":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}')),
      'accepted',
    ],
    ['empty file', new Uint8Array(0), 'it has 0 bytes'],
    ['seven bytes', new Uint8Array(7), 'it has 7 bytes'],
    ['header of length 1', file('{', 0), "the header's length is 1 bytes"],
    ['header longer than the file', file('{}', 0, 100n), 'only 2 follow; the file may be cut off'],
    ['header of 2^63 bytes', file('{}', 0, 2n ** 63n), "the header's length is 9223372036854775808 bytes"],
    ['header over the limit', file('{}', 0, 100_000_001n), 'not between 2 and 100000000'],
    ['not an object', file('[1]'), 'does not begin with {'],
    ['a space first', file(' {}'), 'does not begin with {'],
    ['not UTF-8', file(Uint8Array.of(0x7b, 0xff, 0x7d)), 'not UTF-8'],
    ['not JSON', file('{"a"}'), 'not valid JSON: unexpected character at position 4'],
    ['JSON cut off', file('{"a":'), 'not valid JSON'],
    [
      'a name twice',
      file(`{"a":${JSON.stringify(tensor())},"a":${JSON.stringify(tensor())}}`, 8),
      'the name "a" occurs twice',
    ],
    ['a name twice, once escaped', file('{"a":1,"\\u0061":1}'), 'the name "a" occurs twice'],
    ['a field twice', file('{"a":{"dtype":"F32","dtype":"F16"}}'), 'the name "dtype" occurs twice'],
    ['a name twice in metadata', file('{"__metadata__":{"x":"1","x":"2"}}'), 'the name "x" occurs twice'],
    ['a name with line breaks', file('{"a\\nb":1,"a\\nb":1}'), 'the name "a\\nb" occurs twice'],
    ['metadata of numbers', file('{"__metadata__":{"x":1}}'), '__metadata__ is not an object of texts'],
    ['metadata a list', file('{"__metadata__":[]}'), '__metadata__ is not an object of texts'],
    ['tensor null', json({ a: null }), 'tensor "a" has no dtype, shape and data_offsets'],
    ['no dtype', json({ a: tensor({ dtype: undefined }) }), 'tensor "a" has no dtype'],
    ['unknown dtype', json({ a: tensor({ dtype: 'F33' }) }), 'dtype "F33"'],
    ['dtype of a prototype', json({ a: tensor({ dtype: 'toString' }) }), 'dtype "toString"'],
    ['shape missing', json({ a: tensor({ shape: undefined }) }), 'has a shape that is not a list'],
    ['negative shape', json({ a: tensor({ shape: [-2] }) }), 'has a shape that is not a list'],
    ['fractional shape', json({ a: tensor({ shape: [1.5] }) }), 'has a shape that is not a list'],
    ['33 dimensions', json({ a: tensor({ shape: Array(33).fill(1) }) }), 'at most 32'],
    [
      'shape beyond 2^53',
      file('{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,8]}}', 8),
      'has a shape',
    ],
    ['product beyond 2^53', json({ a: tensor({ shape: [2 ** 30, 2 ** 30] }) }), 'more than any file can hold'],
    [
      'overflow hidden by zero',
      json({ a: tensor({ shape: [2 ** 40, 2 ** 40, 0], data_offsets: [0, 0] }) }),
      'more than any file can hold',
    ],
    ['shape and range disagree', json({ a: tensor({ shape: [3] }) }), 'F32 of shape [3] takes 12 bytes'],
    ['three offsets', json({ a: tensor({ data_offsets: [0, 4, 8] }) }), 'not two whole numbers'],
    ['negative offsets', json({ a: tensor({ data_offsets: [-8, 0] }) }), 'not two whole numbers'],
    [
      'offsets beyond 2^53',
      file('{"a":{"dtype":"F32","shape":[2],"data_offsets":[1e300,1e300]}}', 8),
      'not two whole numbers',
    ],
    ['offsets backwards', json({ a: tensor({ data_offsets: [8, 0] }) }), 'takes 8 bytes'],
    [
      'half a byte',
      json({ a: tensor({ dtype: 'F4', shape: [3], data_offsets: [0, 1] }) }, 1),
      'does not fill whole bytes',
    ],
    [
      'overlap',
      json({ a: tensor(), b: tensor({ data_offsets: [4, 12] }) }, 12),
      'begins at byte 4 of the data, inside',
    ],
    ['same range twice', json({ a: tensor(), b: tensor() }), 'inside the tensor before it'],
    ['gap', json({ a: tensor(), b: tensor({ data_offsets: [12, 20] }) }, 20), 'no tensor owns the bytes from 8 to 12'],
    [
      'gap at the beginning',
      json({ a: tensor({ data_offsets: [4, 12] }) }, 12),
      'no tensor owns the bytes from 0 to 4',
    ],
    ['bytes too many', json({ a: tensor() }, 9), '1 bytes at its end belong to no tensor'],
    ['cut off', json({ a: tensor() }, 7), 'ends at byte 8 of the data, but there are only 7'],
  ];
  it.each(rows)('%s', async (_, bytes, expected) => expect(await sentence(headerOf(bytes))).toContain(expected));

  it('deep nesting is refused without a stack overflow', async () => {
    const deep = `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    expect(await sentence(headerOf(file(deep)))).toContain('nested more than');
    expect(await sentence(headerOf(file(`{"a":{"dtype":${deep}}}`)))).toContain('nested more than');
  });
});

describe('writing', () => {
  const specs = [
    { name: 'b', dtype: 'F32', shape: [2, 3] },
    { name: 'a', dtype: 'BF16', shape: [5] },
    { name: 'none', dtype: 'F16', shape: [0] },
  ] as const;
  const bytesOf = ({ name }: { name: string }) =>
    name === 'b'
      ? [Uint8Array.of(...Array(20).keys()), Uint8Array.of(20, 21, 22, 23)]
      : name === 'a'
        ? [new Uint8Array(10).fill(7)]
        : [];

  it('gives back what was written, the header padded to 8 bytes', async () => {
    const path = join(folder, 'written.safetensors');
    await writeSafetensors(path, specs, bytesOf);
    const bytes = readFileSync(path);
    const { tensors, metadata } = await headerOf(bytes);
    expect(metadata).toEqual({ format: 'pt' });
    expect(tensors.map(({ name, dtype, shape, nBytes }) => ({ name, dtype, shape, nBytes }))).toEqual([
      { ...specs[0], nBytes: 24 },
      { ...specs[1], nBytes: 10 },
      { ...specs[2], nBytes: 0 },
    ]);
    expect([...bytes.subarray(tensors[0]!.offset, tensors[0]!.offset + 24)]).toEqual([...Array(24).keys()]);
    expect(tensors[0]!.offset % 8).toBe(0);
    expect(bytes.length).toBe(tensors[0]!.offset + 34);
  });

  it('refuses a source that yields too little', async () => {
    const path = join(folder, 'short.safetensors');
    await expect(writeSafetensors(path, specs, () => [])).rejects.toThrow('b: 0 bytes came for 24');
  });
});

describe('10,000 mutations of a valid file', () => {
  const config = {
    model_type: 'llama',
    hidden_size: 2,
    intermediate_size: 2,
    num_hidden_layers: 1,
    num_attention_heads: 1,
    vocab_size: 3,
  };
  const shapes: Record<string, number[]> = {
    'model.embed_tokens.weight': [3, 2],
    'model.norm.weight': [2],
    'lm_head.weight': [3, 2],
    'model.layers.0.input_layernorm.weight': [2],
    'model.layers.0.post_attention_layernorm.weight': [2],
  };
  for (const name of ['self_attn.q', 'self_attn.k', 'self_attn.v', 'self_attn.o', 'mlp.gate', 'mlp.up', 'mlp.down']) {
    shapes[`model.layers.0.${name}_proj.weight`] = [2, 2];
  }
  const dtypes = ['F32', 'BF16', 'F16'] as const;
  const specs = Object.entries(shapes).map(([name, shape], i) => ({ name, shape, dtype: dtypes[i % 3]! }));
  const header = safetensorsHeaderBytes(specs);
  const nDataBytes = specs.reduce(
    (sum, { shape, dtype }) => sum + shape.reduce((n, dim) => n * dim, dtype === 'F32' ? 4 : 2),
    0,
  );
  const valid = new Uint8Array(header.length + nDataBytes);
  valid.set(header);

  /** A seeded generator of whole numbers below `n`. */
  const random = (seed: number) => {
    let state = seed * 2654435761 || 1;
    return (n: number) => {
      state ^= state << 13;
      state ^= state >>> 17;
      state ^= state << 5;
      return (state >>> 0) % n;
    };
  };

  const mutations: Record<string, (bytes: Uint8Array, below: (n: number) => number) => Uint8Array> = {
    'flipped bits': (bytes, below) => {
      const mutated = bytes.slice();
      for (let i = below(4); i >= 0; i--) mutated[below(mutated.length)]! ^= 1 << below(8);
      return mutated;
    },
    'cut off': (bytes, below) => bytes.slice(0, below(bytes.length)),
    'bytes inserted': (bytes, below) => {
      const at = below(bytes.length);
      const inserted = Uint8Array.from({ length: 1 + below(16) }, () => below(256));
      return Uint8Array.of(...bytes.subarray(0, at), ...inserted, ...bytes.subarray(at));
    },
    'bytes swapped': (bytes, below) => {
      const mutated = bytes.slice();
      const [a, b] = [below(bytes.length), below(bytes.length)];
      [mutated[a], mutated[b]] = [mutated[b]!, mutated[a]!];
      return mutated;
    },
    'header length changed': (bytes, below) => {
      const mutated = bytes.slice();
      const lengths = [
        0n,
        1n,
        2n,
        BigInt(header.length - 8 + below(9) - 4),
        BigInt(below(2 ** 31)),
        2n ** 53n,
        2n ** 64n - 1n,
      ];
      new DataView(mutated.buffer).setBigUint64(0, lengths[below(lengths.length)]!, true);
      return mutated;
    },
    'header edited': (bytes, below) => {
      const text = new TextDecoder().decode(bytes.subarray(8, header.length)).trimEnd();
      const tokens = text.match(/"[^"]*"|\d+|[^"\d]/g)!;
      const values = [
        '-1',
        '1e999',
        '9007199254740993',
        '0',
        '""',
        'null',
        '[]',
        '{}',
        '"F64"',
        '"I8"',
        '"\\u0000\\n"',
        '1.5',
        '"shape"',
      ];
      const at = below(tokens.length);
      const change = below(3);
      if (change === 0) tokens[at] = values[below(values.length)]!;
      else if (change === 1) tokens.splice(at, 1 + below(6));
      else tokens.splice(at, 0, ...tokens.slice(below(tokens.length)).slice(0, 1 + below(12)));
      const edited = new TextEncoder().encode(tokens.join(''));
      const mutated = new Uint8Array(8 + edited.length + nDataBytes);
      new DataView(mutated.buffer).setBigUint64(0, BigInt(edited.length), true);
      mutated.set(edited, 8);
      return mutated;
    },
  };

  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  writeFileSync(join(folder, 'model.safetensors'), valid);
  const readAll = async (bytes: Uint8Array) => {
    const checkpoint = await openCheckpoint(folder, async () => memorySource(bytes));
    for (const { name, shape } of checkpoint.weights.values()) {
      await checkpoint.readF32(name);
      checkpoint.gatherRowsF32(name, [shape[0]! - 1, 0, 0]);
    }
  };

  it('the file itself is read', async () => expect(await sentence(readAll(valid))).toBe('accepted'));

  it.each(Object.entries(mutations))('%s: read, or refused in one sentence', async (_, mutate) => {
    const outcomes = { read: 0, refused: 0 };
    for (let seed = 1; seed <= 1700; seed++) {
      const outcome = await sentence(readAll(mutate(valid, random(seed))));
      outcomes[outcome === 'accepted' ? 'read' : 'refused']++;
    }
    expect(outcomes.refused).toBeGreaterThan(100);
  });
});

const published = join(dataFolder, 'data/configs/safetensors-real-shards');
describe.skipIf(!available(published))('a published file', () => {
  it('is read to the last byte', async () => {
    const source = await openFileSource(
      join(published, 'model-00014-model.layers.1.post_attention_layernorm.weight.safetensors'),
    );
    const { tensors } = await readSafetensorsHeader(source);
    await source.close();
    expect(tensors).toMatchObject([
      { name: 'model.layers.1.post_attention_layernorm.weight', dtype: 'BF16', shape: [3072] },
    ]);
  });
});
