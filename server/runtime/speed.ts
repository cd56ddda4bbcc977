// How fast a device is at what models consist of.
import { linear } from '../graph/ops/linear';
import { reduceSum } from '../graph/ops/reduce';
import { input } from '../graph/value';
import type { Device } from './device';

/** Floating-point operations per second of a matrix product of the size of a block's, best of three; for estimates. */
export async function measureOperationsPerSecond(device: Device): Promise<number> {
  const rows = 512;
  const width = 1024;
  const program = await device.program('speed', () => ({
    name: 'speed',
    // The sum keeps the result small: on a device, reading it back is what waits for the work.
    outputs: { sum: reduceSum(linear(input('x', [rows, width]), input('w', [width, width])), [0, 1]) },
  }));
  const x = await device.upload(new Float32Array(rows * width), [rows, width], 'table');
  const w = await device.upload(new Float32Array(width * width), [width, width], 'table');
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const began = performance.now();
    const { sum } = await device.run(program, { x, w });
    await device.read(sum!);
    sum!.dispose();
    best = Math.min(best, performance.now() - began);
  }
  x.dispose();
  w.dispose();
  return (2 * rows * width * width) / (best / 1000);
}
