// Gradients held against difference quotients, both by plain loops in float64.
import { gradients } from '../../server/graph/gradient';
import { input, size, type InputValue, type Value } from '../../server/graph/value';
import { inputsOf } from './compute';
import { evaluate, someNumbers } from './evaluate';
import { feedsOf } from './opRows';
import type { Feeds as Given } from './compute';

type Feeds = Record<string, Float64Array | BigInt64Array | Uint8Array>;

/**
 * How sum(y seed) changes along a random direction of one input: by the gradient, and by the quotient of a small step.
 * @param feeds by default random ones
 */
export function differenceQuotient(
  y: Value,
  target: InputValue,
  feeds: Feeds = asDoubles(feedsOf({ name: 'y', outputs: { y } })),
): { exact: number; numeric: number } {
  const seed = Float64Array.from(someNumbers(size(y.shape), 7));
  const direction = Float64Array.from(someNumbers(size(target.shape), 11));
  const dy = input('dy', y.shape);
  const [dx] = gradients(y, dy, [target]);
  const graph = { name: 'gradient', outputs: { dx: dx! } };
  const given = Object.fromEntries(inputsOf(graph).map(({ name }) => [name, name === 'dy' ? seed : feeds[name]!]));
  const exact = dot(evaluate(graph, given).dx!.data, direction);
  const step = 1e-5;
  const along = (sign: number) => {
    const moved = (feeds[target.name] as Float64Array).map((v, i) => v + sign * step * direction[i]!);
    return dot(evaluate({ name: 'y', outputs: { y } }, { ...feeds, [target.name]: moved }).y!.data, seed);
  };
  return { exact, numeric: (along(1) - along(-1)) / (2 * step) };
}

export const relativeError = (found: number, expected: number): number =>
  Math.abs(found - expected) / Math.max(1e-3, Math.abs(expected));

export const asDoubles = (feeds: Given): Feeds =>
  Object.fromEntries(
    Object.entries(feeds).map(([name, x]) => [name, x instanceof Float32Array ? Float64Array.from(x) : x]),
  );

export const dot = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
};
