// Every op, run by onnxruntime, against the same op as plain loops in float64 (evaluate.ts).
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { emit } from '../../server/graph/emit';
import type { Graph } from '../../server/graph/value';
import { type Device, openDevice } from '../../server/runtime/device';
import { compute, type Feeds, inputsOf } from './compute';
import { evaluate } from './evaluate';
import { feedsOf, functions, rows } from './opRows';

let device: Device;
beforeAll(async () => void (device = await openDevice({ provider: 'cpu', threads: 1 })));
afterAll(() => device.close());

describe('onnxruntime computes', () => {
  it.each(rows)('%s', async (name, value, shape) => {
    const graph = { name, outputs: { out: value } };
    const feeds = feedsOf(graph);
    const expected = evaluate(graph, feeds).out!;
    expect(value.shape).toEqual(shape);
    expect(expected.shape).toEqual(shape);
    expectClose((await compute(device, graph, feeds)).out!, expected.data);
    expect((await unoptimized(graph, feeds)).dims).toEqual(shape);
  });

  it('every op that there is', () => {
    expect([...new Set(rows.map(([name]) => name.split(' ')[0]))].sort()).toEqual(functions.toSorted());
  });
});

/** Without the device, which hands onnxruntime the shapes it expects back: here onnxruntime finds them itself. */
async function unoptimized(graph: Graph, feeds: Feeds): Promise<ort.Tensor> {
  const session = await ort.InferenceSession.create(emit(graph).bytes, { graphOptimizationLevel: 'disabled' });
  try {
    const tensors = inputsOf(graph).map(({ name, shape, dtype }) => [
      name,
      new ort.Tensor(dtype as 'float32', feeds[name] as Float32Array, shape),
    ]);
    return (await session.run(Object.fromEntries(tensors))).out!;
  } finally {
    await session.release();
  }
}

/** Within a few units of float32's last place of the largest number: sums lose digits by their largest term. */
function expectClose(found: Float32Array, expected: Float64Array): void {
  const largest = expected.reduce((m, v) => Math.max(m, Math.abs(v)), 1e-30);
  expect(found.length).toBe(expected.length);
  for (const [i, v] of expected.entries())
    expect(Math.abs(found[i]! - v), `element ${i}: ${found[i]} for ${v}`).toBeLessThanOrEqual(2e-6 * largest);
}
