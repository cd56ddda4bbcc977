// The verifier finds what is planted: for each of its rules a graph that breaks just that one.
import { describe, expect, it } from 'vitest';
import { add, max } from '../../server/graph/ops/elementwise';
import { matmul } from '../../server/graph/ops/linear';
import { reshape } from '../../server/graph/ops/movement';
import { type ConstantValue, type Graph, input, type NodeValue, scalar, type Value } from '../../server/graph/value';
import { verify } from '../../server/graph/verify';
import { causalAttention } from '../../server/model/attention';
import { readModelConfig } from '../../server/model/readConfig';

const x = input('x', [2, 3]);
const ids = input('ids', [2, 3], 'int64');
const of = (...values: Value[]): Graph => ({
  name: 'planted',
  outputs: Object.fromEntries(values.map((value, i) => [`out${i}`, value])),
});
const forged = (value: NodeValue, changes: Partial<NodeValue>): NodeValue => ({ ...value, ...changes });
const short: ConstantValue = { kind: 'constant', dtype: 'float32', shape: [2, 3], data: new Float32Array(5) };

describe('found, with the name of the rule', () => {
  const rows: [string, string, Graph, string][] = [
    ['no output', 'there is an output', of(), 'none'],
    ['an extent of 0', 'extents are positive integers', of(input('x', [2, 0])), 'x has the shape [2, 0]'],
    ['a negative extent', 'extents are positive integers', of(input('x', [-1])), 'x has the shape [-1]'],
    [
      'half an extent',
      'extents are positive integers',
      of(reshape(input('x', [5]), [2.5, 2])),
      'Reshape has the shape',
    ],
    [
      'an extent that is not a number',
      'extents are positive integers',
      of(add(input('x', [Number.NaN]), scalar(1))),
      'x',
    ],
    ['a name twice', 'input names are unique', of(add(x, input('x', [2, 3]))), 'x is declared twice'],
    [
      'an output named as an input',
      'no output has the name of an input',
      { name: 'planted', outputs: { x: add(x, x) } },
      'x has the shape [2, 3]',
    ],
    [
      'an input as the output of its name',
      'no output has the name of an input',
      { name: 'planted', outputs: { x } },
      'x has the shape [2, 3]',
    ],
    [
      'a short constant',
      'constants are as large as their shapes',
      of(add(x, short)),
      'a constant has the shape [2, 3]',
    ],
    [
      'a shape that was changed',
      'shapes follow from the inputs',
      of(forged(add(x, x), { shape: [3, 2] })),
      'Add has the shape [3, 2]',
    ],
    [
      'a rank that was changed',
      'shapes follow from the inputs',
      of(add(forged(matmul(x, input('y', [3, 4])), { shape: [2, 4, 1] }), scalar(1))),
      'MatMul has the shape [2, 4, 1]',
    ],
    ['integers added to floats', 'operands of arithmetic have one dtype', of(add(x, ids)), 'Add has the shape [2, 3]'],
    ['integers beside floats', 'operands of arithmetic have one dtype', of(max(ids, x)), 'Max has the shape [2, 3]'],
  ];
  it.each(rows)('%s', (_, rule, graph, what) =>
    expect(() => verify(graph)).toThrow(`graph planted: ${rule}, but ${what}`),
  );
});

describe('accepted', () => {
  const config = readModelConfig({
    model_type: 'llama',
    hidden_size: 8,
    intermediate_size: 8,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    vocab_size: 9,
  });
  const heads = (name: string) => input(name, [1, 2, 200, 4]);
  const rows: [string, Graph][] = [
    ['an input under another name', of(x)],
    ['a value under two names', of(x, x)],
    ['integers among themselves', of(add(ids, ids))],
    [
      'attention in two chunks',
      of(
        causalAttention.attend(config, { queries: heads('q'), keys: heads('k'), values: heads('v') }, 5)
          .attentionOutput,
      ),
    ],
  ];
  it.each(rows)('%s', (_, graph) => expect(verify(graph)).toBeUndefined());
});
