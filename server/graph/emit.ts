// From the graph language to ONNX.
import { encodeModel, type OnnxInitializer, type OnnxNode, type OnnxValueInfo } from '../onnx/model';
import { type Emitter, type Graph, type InputValue, topologicalOrder, type Value } from './value';

export interface EmittedGraph {
  readonly bytes: Uint8Array;
  readonly inputs: readonly InputValue[];
}

/** Encodes a graph; outputs keep their names. Deterministic: the same graph gives the same bytes. */
export function emit(graph: Graph): EmittedGraph {
  const nodes: OnnxNode[] = [];
  const initializers: OnnxInitializer[] = [];
  const constants = new Map<string, string>();
  const names = new Map<Value, string>();
  const inputs: InputValue[] = [];
  let counter = 0;

  const initializer = (
    elementType: 'float32' | 'int64',
    shape: readonly number[],
    data: Float32Array | BigInt64Array,
  ) => {
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
  const to: Emitter = {
    node: (type, nodeInputs, attributes) => to.nodes(type, nodeInputs, 1, attributes)[0]!,
    nodes(type, nodeInputs, nOutputs, attributes = {}) {
      // No input can have such a name by accident.
      const outputs = Array.from({ length: nOutputs }, () => `%${counter++}`);
      const [domain, plain] = type.startsWith('com.microsoft:')
        ? (['com.microsoft', type.slice(14)] as const)
        : (['', type] as const);
      nodes.push({ type: plain, domain, inputs: nodeInputs, outputs, attributes });
      return outputs;
    },
    int64s: (values) =>
      once(`i${values}`, () =>
        initializer(
          'int64',
          [values.length],
          BigInt64Array.from(values, (v) => BigInt(v)),
        ),
      ),
    float: (value) => once(`f${value}`, () => initializer('float32', [], Float32Array.of(value))),
  };

  for (const value of topologicalOrder(Object.values(graph.outputs))) {
    if (value.kind === 'input') {
      inputs.push(value);
      names.set(value, value.name);
    } else if (value.kind === 'constant') {
      names.set(value, initializer(value.dtype === 'int64' ? 'int64' : 'float32', value.shape, value.data));
    } else {
      const { op, attributes, shape } = value;
      const inputShapes = value.inputs.map((v) => v.shape);
      names.set(
        value,
        op.emit(
          to,
          value.inputs.map((v) => names.get(v)!),
          { attributes, shape, inputShapes },
        ),
      );
    }
  }
  // An output gets its name by an Identity: a value may be an input, or be asked for under two names.
  for (const [name, value] of Object.entries(graph.outputs))
    nodes.push({ type: 'Identity', domain: '', inputs: [names.get(value)!], outputs: [name], attributes: {} });

  const info = (name: string, value: Value): OnnxValueInfo => ({ name, elementType: value.dtype, shape: value.shape });
  const bytes = encodeModel({
    name: graph.name,
    nodes,
    inputs: inputs.map((v) => info(v.name, v)),
    outputs: Object.entries(graph.outputs).map(([name, v]) => info(name, v)),
    initializers,
  });
  return { bytes, inputs };
}
