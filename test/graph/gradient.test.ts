// The gradient of every op, against difference quotients of the same op in float64.
import { afterAll, describe, expect, it } from 'vitest';
import { gradients } from '../../server/graph/gradient';
import { abs, add, detach, max, mul, scale, silu, square } from '../../server/graph/ops/elementwise';
import { linear, matmul } from '../../server/graph/ops/linear';
import { reduceMax, reduceSum } from '../../server/graph/ops/reduce';
import { input, type NodeValue, type Op, topologicalOrder, type Value } from '../../server/graph/value';
import { inputsOf } from './compute';
import { evaluate } from './evaluate';
import { differenceQuotient, relativeError } from './differences';
import { rows } from './opRows';

/** Not differentiable everywhere, or not on the way from weights to a loss. Quantised weights are frozen. */
const withoutGradient = [
  'Abs',
  'Dequantised',
  'LargestPlaces',
  'Max',
  'Min',
  'ReduceMax',
  'TakeAlong',
  'TakeRows',
  'ToDouble',
  'ToFloat',
];

const opsOf = (y: Value): Op<unknown>[] =>
  topologicalOrder([y])
    .filter((v): v is NodeValue => v.kind === 'node')
    .map((v) => v.op);
// A detached value does not change with what it was made of, which a difference quotient cannot know.
const differentiable = rows.filter(
  ([name, y]) =>
    y.kind === 'node' &&
    !/^(detach|dequantised)/.test(name) &&
    !opsOf(y).some((op) => op.name !== 'Dequantised' && withoutGradient.includes(op.name)),
);
const seen: string[] = [];

describe('the gradient of', () => {
  it.each(differentiable)('%s is the difference quotient', (name, y) => {
    const targets = inputsOf({ name, outputs: { y } }).filter((x) => x.dtype === 'float32' && !isTable(x.name));
    for (const target of targets) {
      const { exact, numeric } = differenceQuotient(y, target);
      const error = relativeError(exact, numeric);
      seen.push(`${name}, by ${target.name}: ${error.toExponential(1)}`);
      expect(error).toBeLessThan(1e-6);
    }
  });
  afterAll(() => console.log(seen.join('\n')));

  it('every op has a row, but for those without', () => {
    const all = new Map(rows.flatMap(([, y]) => opsOf(y).map((op) => [op.name, op] as const)));
    const tested = new Set(differentiable.flatMap(([, y]) => opsOf(y).map((op) => op.name)));
    tested.delete('Dequantised');
    expect([...all.keys()].filter((name) => !tested.has(name)).sort()).toEqual(withoutGradient);
    expect(
      [...all.values()]
        .filter((op) => !op.gradient)
        .map((op) => op.name)
        .sort(),
    ).toEqual(withoutGradient);
  });
});

/** Angles and where to look them up: nothing that is trained. */
const isTable = (name: string) => ['positions', 'cos', 'sin', 'scales'].includes(name);

describe('gradients', () => {
  const x = input('x', [3, 4]);
  const w = input('w', [4, 4]);

  it.each<[string, Value]>([
    ['adds up where a value is used twice', mul(x, silu(x))],
    ['of a value and itself', add(x, x)],
    ['through a chain with a frozen weight', linear(silu(linear(x, w)), w)],
    ['of a swiglu with a residue', add(x, matmul(mul(silu(matmul(x, w)), matmul(x, w)), w))],
    ['through a repeated row', mul(x, reduceSum(square(x), [0]))],
  ])('%s', (_, y) => {
    for (const target of inputsOf({ name: '', outputs: { y } })) {
      const { exact, numeric } = differenceQuotient(y, target);
      expect(relativeError(exact, numeric)).toBeLessThan(1e-6);
    }
  });

  it('leave out what leads to frozen weights alone', () => {
    const [dx] = gradients(linear(x, w), input('dy', [3, 4]), [x]);
    expect(opsOf(dx!).map((op) => op.name)).not.toContain('Outer');
  });

  it('are asked of several targets at once, in their order', () => {
    const [dw, dx] = gradients(linear(x, w), input('dy', [3, 4]), [w, x]);
    expect([dw!.shape, dx!.shape]).toEqual([w.shape, x.shape]);
  });

  it('do not flow through a detached value', () => {
    const y = mul(x, detach(square(x)));
    const feeds = { x: Float64Array.from({ length: 12 }, (_, i) => i), dy: new Float64Array(12).fill(1) };
    const [dx] = gradients(y, input('dy', [3, 4]), [x]);
    const found = evaluate({ name: '', outputs: { dx: dx! } }, feeds).dx!.data;
    expect([...found]).toEqual([...feeds.x.map((v) => v * v)]);
    expect(() => gradients(detach(x), input('dy', [3, 4]), [x])).toThrow('does not depend');
  });

  it('stop at a target that lies on the way', () => {
    const middle = scale(x, 2);
    const [d] = gradients(scale(middle, 3), input('dy', [3, 4]), [middle]);
    expect(d!.shape).toEqual(middle.shape);
    expect(() => gradients(scale(middle, 3), input('dy', [3, 4]), [middle, x])).toThrow('does not depend');
  });

  it.each<[string, () => unknown, string]>([
    ['through an op without', () => gradients(square(abs(x)), input('dy', [3, 4]), [x]), 'Abs has no gradient'],
    ['through a maximum', () => gradients(reduceMax(max(x, w), [0]), input('dy', [1, 4]), [x]), 'do not fit'],
    ['of what it does not depend on', () => gradients(square(x), input('dy', [3, 4]), [w]), 'does not depend'],
    ['with a seed of another shape', () => gradients(square(x), input('dy', [4, 3]), [x]), 'shape'],
  ])('are refused %s', (_, act, message) => {
    expect(act).toThrow(message);
  });
});
