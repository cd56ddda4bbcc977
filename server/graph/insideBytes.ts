// How much memory a graph takes while it runs.
import { bytesPerElement, type Graph, size, topologicalOrder, type Value } from './value';

/**
 * The most bytes that the values made inside a graph take at a time, outputs counted and inputs not: ops run in the order in
 * which they are emitted, and a value is given back after its last use. What one op needs beside its result is not known here.
 */
export function insideBytes(graph: Graph): number {
  const order = topologicalOrder(Object.values(graph.outputs));
  const lastUse = new Map<Value, number>();
  for (const [i, value] of order.entries())
    if (value.kind === 'node') for (const x of value.inputs) lastUse.set(storageOf(x), i);
  for (const output of Object.values(graph.outputs)) lastUse.set(storageOf(output), order.length);
  let live = 0;
  let most = 0;
  for (const [i, value] of order.entries()) {
    if (value.kind !== 'node') continue;
    if (storageOf(value) === value) live += bytesOf(value);
    most = Math.max(most, live);
    for (const x of new Set(value.inputs.map(storageOf)))
      if (x.kind === 'node' && lastUse.get(x) === i) live -= bytesOf(x);
  }
  return most;
}

/** What only looks at its input otherwise takes no memory of its own. */
function storageOf(value: Value): Value {
  return value.kind === 'node' && views.has(value.op.name) ? storageOf(value.inputs[0]!) : value;
}
const views = new Set(['Reshape', 'Detach']);

const bytesOf = ({ shape, dtype }: Value): number => size(shape) * bytesPerElement[dtype];
