// How fast a device is at what models consist of.
import { linear } from '../graph/ops/linear';
import { reduceSum } from '../graph/ops/reduce';
import { type Graph, input } from '../graph/value';
import type { Scope } from './device';

const [rows, width] = [512, 1024];

/** Floating-point operations per second of a matrix product of the size of a block's, best of three; for estimates. */
export async function measureOperationsPerSecond(device: Scope): Promise<number> {
  using scope = device.scope();
  const program = await scope.program(productSum);
  const x = await scope.upload(new Float32Array(rows * width), [rows, width], 'table');
  const w = await scope.upload(new Float32Array(width * width), [width, width], 'table');
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const began = performance.now();
    const { sum } = await scope.run(program, { x, w });
    await scope.read(sum!);
    best = Math.min(best, performance.now() - began);
  }
  return (2 * rows * width * width) / (best / 1000);
}

/** The sum keeps the result small: on a graphics device, reading it back is what waits for the work. */
const productSum = (): Graph => ({
  name: 'speed',
  outputs: { sum: reduceSum(linear(input('x', [rows, width]), input('w', [width, width])), [0, 1]) },
});
