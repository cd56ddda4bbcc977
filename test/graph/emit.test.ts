// From graphs to ONNX: the same bytes every time, and names that onnxruntime gives back.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emit } from '../../server/graph/emit';
import { add, mul } from '../../server/graph/ops/elementwise';
import { linear } from '../../server/graph/ops/linear';
import { slice, transpose } from '../../server/graph/ops/movement';
import { constant, type Graph, input, scalar } from '../../server/graph/value';
import { blockParts } from '../../server/model/block';
import { readModelConfig } from '../../server/model/readConfig';
import { type Device, openDevice } from '../../server/runtime/device';
import { compute } from './compute';

const config = readModelConfig({
  model_type: 'qwen3',
  hidden_size: 32,
  head_dim: 8,
  intermediate_size: 40,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  vocab_size: 50,
});
const block = (k: number, tokens: number): Graph => {
  const { hiddenOut, keyValues } = blockParts(config, { block: k, sublayers: 'whole' }, { batch: 1, tokens });
  return { name: 'block', outputs: { hiddenOut, keys: keyValues!.keys } };
};
const bytes = (graph: Graph) => Buffer.from(emit(graph).bytes);

describe('bytes', () => {
  it('are the same for the same graph', () => expect(bytes(block(0, 9)).equals(bytes(block(0, 9)))).toBe(true));
  it('are the same for two blocks of one form', () => expect(bytes(block(0, 9)).equals(bytes(block(1, 9)))).toBe(true));
  it('differ for another shape', () => expect(bytes(block(0, 9)).equals(bytes(block(0, 8)))).toBe(false));
  it('hold a shape that is used often only once', () => {
    const x = input('x', [2, 3, 4]);
    const slices = Array.from({ length: 4 }, () => slice(x, 1, 0, 2));
    const text = bytes({ name: 'slices', outputs: { out: slices.reduce(add) } }).toString('latin1');
    // Start, end and axis: three constants, whose names count from 0.
    expect([text.includes('c2'), text.includes('c3')]).toEqual([true, false]);
  });
});

describe('names', () => {
  let device: Device;
  beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
  afterAll(() => device.close());
  const x = input('x', [2, 2]);
  const numbers = Float32Array.of(1, 2, 3, 4);
  const turned = transpose(x, [1, 0]);

  it('of inputs are told in the order of their use, unused ones not at all', () => {
    const weight = input('weight', [3, 2]);
    input('unused', [1]);
    const graph = { name: 'names', outputs: { out: linear(x, weight, input('bias', [3])), x2: mul(x, x) } };
    expect(emit(graph).inputs.map(({ name }) => name)).toEqual(['x', 'weight', 'bias']);
  });

  const rows: [string, Graph['outputs'], Record<string, number[]>][] = [
    ['an input', { out: x }, { out: [1, 2, 3, 4] }],
    ['a value under two names', { a: turned, b: turned }, { a: [1, 3, 2, 4], b: [1, 3, 2, 4] }],
    ['a value and what was made of it', { b: add(turned, turned), a: turned }, { a: [1, 3, 2, 4], b: [2, 6, 4, 8] }],
    ['a constant', { out: constant(Float32Array.of(5, 6), [2]), x2: x }, { out: [5, 6], x2: [1, 2, 3, 4] }],
    ['a constant that is part of a larger array', { out: add(x, tail()) }, { out: [8, 9, 10, 11] }],
    ['a scalar', { out: scalar(2.5) }, { out: [2.5] }],
  ];
  it.each(rows)('as output: %s', async (_, outputs, expected) => {
    const found = await compute(device, { name: 'outputs', outputs }, { x: numbers });
    expect(Object.fromEntries(Object.entries(found).map(([name, data]) => [name, [...data]]))).toEqual(expected);
  });

  function tail() {
    return constant(Float32Array.of(5, 6, 7).subarray(2), [1]);
  }
});
