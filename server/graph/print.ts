// A graph as text, for people and for tests that compare graphs.
import { type Graph, topologicalOrder, type Value } from './value';

/** One line a value: `%3 [2, 8] = Add(%1, %2)`; outputs last. */
export function print(graph: Graph): string {
  const names = new Map<Value, string>();
  const lines = topologicalOrder(Object.values(graph.outputs)).map((value) => {
    const name = value.kind === 'input' ? value.name : `%${names.size}`;
    names.set(value, name);
    const type = `${name} ${value.dtype === 'float32' ? '' : `${value.dtype} `}[${value.shape.join(', ')}]`;
    if (value.kind === 'input') return `${type} = input`;
    if (value.kind === 'constant')
      return `${type} = constant${value.data.length <= 4 ? `(${value.data.join(', ')})` : ''}`;
    const attributes = value.attributes === undefined ? '' : ` ${JSON.stringify(value.attributes)}`;
    return `${type} = ${value.op.name}(${value.inputs.map((v) => names.get(v)).join(', ')})${attributes}`;
  });
  const outputs = Object.entries(graph.outputs).map(([name, value]) => `${name} <- ${names.get(value)}`);
  return [`graph ${graph.name}`, ...lines, ...outputs].join('\n');
}
