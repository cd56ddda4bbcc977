// Graphs as text: what a person reads when a model is in question.
import { describe, expect, it } from 'vitest';
import { add, mul, silu } from '../../server/graph/ops/elementwise';
import { linear } from '../../server/graph/ops/linear';
import { slice } from '../../server/graph/ops/movement';
import { rmsNorm } from '../../server/graph/ops/transformer';
import { constant, type Graph, input, scalar } from '../../server/graph/value';
import { print } from '../../server/graph/print';

/** h + (silu(x Wg) * (x Wu)) Wd, x the normed h: D 4, F 6, two tokens. */
function swiGlu(): Graph {
  const h = input('h', [2, 4]);
  const x = rmsNorm(h, input('norm', [4]), 1e-5);
  const gate = silu(linear(x, input('gate', [6, 4])));
  const up = linear(x, input('up', [6, 4]), input('upBias', [6]));
  return { name: 'swiGlu', outputs: { out: add(h, linear(mul(gate, up), input('down', [4, 6]))) } };
}

describe('printed', () => {
  it('a SwiGLU', () =>
    expect(print(swiGlu())).toBe(
      `
graph swiGlu
h [2, 4] = input
norm [4] = input
%2 [2, 4] = RmsNorm(h, norm) {"epsilon":0.00001}
gate [6, 4] = input
%4 [2, 6] = Linear(%2, gate)
%5 [2, 6] = Silu(%4)
up [6, 4] = input
upBias [6] = input
%8 [2, 6] = Linear(%2, up, upBias)
%9 [2, 6] = Mul(%5, %8)
down [4, 6] = input
%11 [2, 4] = Linear(%9, down)
%12 [2, 4] = Add(h, %11)
out <- %12`.trim(),
    ));

  it('constants, small ones in full, and dtypes other than float32', () => {
    const ids = input('ids', [6], 'int64');
    const shifted = add(ids, constant(BigInt64Array.of(5n), [1]));
    const large = slice(constant(new Float32Array(6), [6]), 0, 2, 4);
    expect(print({ name: 'constants', outputs: { shifted, large, half: mul(large, scalar(0.5)) } })).toBe(
      `
graph constants
ids int64 [6] = input
%1 int64 [1] = constant(5)
%2 int64 [6] = Add(ids, %1)
%3 [6] = constant
%4 [2] = Slice(%3) {"axis":0,"start":2,"end":4}
%5 [] = constant(0.5)
%6 [2] = Mul(%4, %5)
shifted <- %2
large <- %4
half <- %6`.trim(),
    );
  });

  it('the same for graphs built twice', () => expect(print(swiGlu())).toBe(print(swiGlu())));
});
