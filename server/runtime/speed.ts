// How fast a device is at what models consist of.
import { linear } from '../graph/ops/linear';
import { reduceSum } from '../graph/ops/reduce';
import { type Graph, input } from '../graph/value';
import type { Scope } from './device';

/** Rows and width of products of the size of a block's, the smaller first. */
export const blockProducts: readonly (readonly [rows: number, width: number])[] = [
  [64, 1024],
  [512, 1024],
];

/** A product that takes less is mostly the way to the device and back. */
const enoughMs = 5;

/**
 * Floating-point operations per second of a matrix product, for estimates: of the first one that takes long enough, or else of the
 * last. Slow devices are not kept busy for long.
 */
export async function measureOperationsPerSecond(device: Scope, products = blockProducts): Promise<number> {
  let rate = 0;
  for (const [rows, width] of products) {
    const bestMs = await fastestMs(device, rows, width);
    rate = (2 * rows * width * width) / (bestMs / 1000);
    if (bestMs >= enoughMs) break;
  }
  return rate;
}

/** x [rows, width] times w [width, width], best of three. */
async function fastestMs(device: Scope, rows: number, width: number): Promise<number> {
  using scope = device.scope();
  const program = await scope.program(productSum, rows, width);
  const x = await scope.upload(new Float32Array(rows * width), [rows, width], 'table');
  const w = await scope.upload(new Float32Array(width * width), [width, width], 'table');
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const began = performance.now();
    const { sum } = await scope.run(program, { x, w });
    await scope.read(sum!);
    best = Math.min(best, performance.now() - began);
  }
  return best;
}

/** The sum keeps the result small: on a graphics device, reading it back is what waits for the work. */
const productSum = (rows: number, width: number): Graph => ({
  name: 'speed',
  outputs: { sum: reduceSum(linear(input('x', [rows, width]), input('w', [width, width])), [0, 1]) },
});
