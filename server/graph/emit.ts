// From the graph language to ONNX.
import { encodeModel, type OnnxInitializer, type OnnxNode, type OnnxValueInfo } from '../onnx/model';
import { type Emitter, type Graph, type InputValue, type Made, topologicalOrder, type Value } from './value';

export interface EmittedGraph {
  readonly bytes: Uint8Array;
  readonly inputs: readonly InputValue[];
}

/** Encodes a graph; outputs keep their names. Deterministic: the same graph gives the same bytes. */
export function emit(graph: Graph): EmittedGraph {
  const writer = openWriter();
  const names = new Map<Value, string>();
  const inputs: InputValue[] = [];
  for (const value of topologicalOrder(Object.values(graph.outputs))) {
    if (value.kind === 'input') inputs.push(value);
    names.set(value, nameOf(value, names, writer));
  }
  // An output gets its name by an Identity: a value may be an input, or be asked for under two names.
  for (const [name, value] of Object.entries(graph.outputs))
    writer.nodes.push({ type: 'Identity', domain: '', inputs: [names.get(value)!], outputs: [name], attributes: {} });

  const nodes = neededNodes(writer.nodes, Object.keys(graph.outputs));
  const used = new Set(nodes.flatMap((node) => node.inputs));
  const info = (name: string, value: Value): OnnxValueInfo => ({ name, elementType: value.dtype, shape: value.shape });
  const bytes = encodeModel({
    name: graph.name,
    nodes,
    inputs: inputs.map((v) => info(v.name, v)),
    outputs: Object.entries(graph.outputs).map(([name, v]) => info(name, v)),
    initializers: writer.initializers.filter(({ name }) => used.has(name)),
  });
  return { bytes, inputs };
}

/** Writes what makes the value, and gives the name that it has from then on. */
function nameOf(value: Value, names: ReadonlyMap<Value, string>, { initializer, to }: Writer): string {
  if (value.kind === 'input') return value.name;
  if (value.kind === 'constant')
    return initializer(value.dtype === 'int64' ? 'int64' : 'float32', value.shape, value.data);
  const { op, attributes, shape } = value;
  const inputs = value.inputs.map((v) => names.get(v)!);
  const madeBy = value.inputs.map((v): Made | null =>
    v.kind === 'node' ? { op: v.op, attributes: v.attributes, inputs: v.inputs.map((each) => names.get(each)!) } : null,
  );
  return op.emit(to, inputs, { attributes, shape, inputShapes: value.inputs.map((v) => v.shape), madeBy });
}

/** Without the nodes that nobody uses, because an op has joined its work with theirs. */
function neededNodes(nodes: readonly OnnxNode[], outputs: readonly string[]): OnnxNode[] {
  const needed = new Set(outputs);
  const kept = nodes.toReversed().filter((node) => {
    if (!node.outputs.some((name) => needed.has(name))) return false;
    for (const name of node.inputs) needed.add(name);
    return true;
  });
  return kept.reverse();
}

/** The nodes and constants of a model that is being written. */
interface Writer {
  readonly nodes: OnnxNode[];
  readonly initializers: OnnxInitializer[];
  initializer(elementType: 'float32' | 'int64', shape: readonly number[], data: Float32Array | BigInt64Array): string;
  readonly to: Emitter;
}

function openWriter(): Writer {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxInitializer[] = [];
  const constants = new Map<string, string>();
  let counter = 0;
  const initializer: Writer['initializer'] = (elementType, shape, data) => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const name = `%c${initializers.length}`;
    initializers.push({ name, elementType, shape, bytes });
    return name;
  };
  const once = (key: string, make: () => string) => {
    const known = constants.get(key) ?? make();
    constants.set(key, known);
    return known;
  };
  const int64s = (values: readonly number[]) => BigInt64Array.from(values, (v) => BigInt(v));
  const to: Emitter = {
    node: (type, inputs, attributes) => to.nodes(type, inputs, 1, attributes)[0]!,
    nodes(type, inputs, nOutputs, attributes = {}) {
      // No input can have such a name by accident.
      const outputs = Array.from({ length: nOutputs }, () => `%${counter++}`);
      const [domain, plain] = type.startsWith('com.microsoft:')
        ? (['com.microsoft', type.slice(14)] as const)
        : (['', type] as const);
      nodes.push({ type: plain, domain, inputs, outputs, attributes });
      return outputs;
    },
    int64s: (values) => once(`i${values}`, () => initializer('int64', [values.length], int64s(values))),
    float: (value) => once(`f${value}`, () => initializer('float32', [], Float32Array.of(value))),
  };
  return { nodes, initializers, initializer, to };
}
