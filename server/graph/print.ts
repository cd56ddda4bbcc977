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

/** The same for Graphviz: inputs as boxes, outputs as double circles, constants left out. */
export function dot(graph: Graph): string {
  const names = new Map<Value, string>();
  const lines: string[] = [];
  for (const value of topologicalOrder(Object.values(graph.outputs))) {
    if (value.kind === 'constant') continue;
    const name = `v${names.size}`;
    names.set(value, name);
    const title = value.kind === 'input' ? value.name : value.op.name;
    const label = JSON.stringify(`${title}\n[${value.shape.join(', ')}]`);
    lines.push(`  ${name} [label=${label}${value.kind === 'input' ? ', shape=box' : ''}];`);
    if (value.kind !== 'node') continue;
    for (const input of value.inputs) if (names.has(input)) lines.push(`  ${names.get(input)} -> ${name};`);
  }
  for (const [output, value] of Object.entries(graph.outputs)) {
    const name = JSON.stringify(`output ${output}`);
    lines.push(`  ${name} [label=${JSON.stringify(output)}, shape=doublecircle];`, `  ${names.get(value)} -> ${name};`);
  }
  return [`digraph ${JSON.stringify(graph.name)} {`, ...lines, '}'].join('\n');
}
