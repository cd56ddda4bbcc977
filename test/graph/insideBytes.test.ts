// The memory of small graphs, counted by hand.
import { describe, expect, it } from 'vitest';
import { insideBytes } from '../../server/graph/insideBytes';
import { add, mul } from '../../server/graph/ops/elementwise';
import { linear } from '../../server/graph/ops/linear';
import { concat, reshape, slice } from '../../server/graph/ops/movement';
import { input, type Value } from '../../server/graph/value';

const x = input('x', [2, 8]); // 64 bytes
const w = input('w', [4, 8]);
const square = (y: Value) => mul(y, y);

describe('bytes inside a graph', () => {
  const y = square(x);
  const rows: [string, Record<string, Value>, number][] = [
    ['inputs are not counted', { x }, 0],
    ['an output is', { y: linear(x, w) }, 32],
    ['a value goes after its last use', { y: square(square(square(square(x)))) }, 128],
    ['a value that is used later stays', { y: add(square(square(square(y))), y) }, 192],
    ['an output stays', { y, z: square(square(square(y))) }, 192],
    ['a reshaped value is the same memory', { y: reshape(square(x), [16]) }, 64],
    ['and stays while that is used', { z: add(reshape(y, [16]), reshape(square(square(y)), [16])) }, 192],
    ['parts and what is joined of them are copies', { y: concat([slice(y, 1, 0, 2), slice(y, 1, 2, 8)], 1) }, 128],
  ];
  it.each(rows)('%s', (_, outputs, expected) => expect(insideBytes({ name: 'g', outputs })).toBe(expected));
});
