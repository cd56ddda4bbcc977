// Graphs on the CPU device, from host arrays to host arrays.
import { type Graph, type InputValue, topologicalOrder } from '../../server/graph/value';
import type { Scope } from '../../server/runtime/device';
import type { Tensor } from '../../server/runtime/tensor';

export type Feeds = Readonly<Record<string, Float32Array | BigInt64Array | Uint8Array>>;

export const inputsOf = (graph: Graph): InputValue[] =>
  topologicalOrder(Object.values(graph.outputs)).filter((value) => value.kind === 'input');

/** The outputs of a graph as onnxruntime computes them; compiles it anew each time. */
export async function compute(device: Scope, graph: Graph, feeds: Feeds): Promise<Record<string, Float32Array>> {
  using scope = device.scope();
  const program = await scope.compile(graph);
  const given: Record<string, Tensor> = {};
  for (const { name, shape } of inputsOf(graph)) given[name] = await scope.upload(feeds[name]!, shape, 'table');
  const results: Record<string, Float32Array> = {};
  for (const [name, tensor] of Object.entries(await scope.run(program, given)))
    results[name] = await scope.read(tensor);
  return results;
}
